"""Options of methods by which parts of the base itself learn: some of its parameters, or one part after the other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

from pydantic import Field

from weitiao.messages import _
from weitiao.methods.options import Learning, MethodOptions
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import LAYER, Shape, depth_of, stack_depth_of
from weitiao.recipe import Finding, Recipe


class FrozenLayersOptions(MethodOptions):
    """Base of the options of methods under which no whole layer learns."""

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:  # noqa: ARG002
        name = recipe.method.name
        if recipe.model.reinit_layers:
            message = _("`model.reinit_layers` starts layers anew, but `method: {name}` keeps them from learning")
            yield Finding("misfit", ("model", "reinit_layers"), message.format(name=name))
        if recipe.training.l2_sp:
            message = _(
                "`training.l2_sp` holds weights near the pretrained ones, which `method: {name}` does not move; "
                "use `training.weight_decay`"
            )
            yield Finding("misfit", ("training", "l2_sp"), message.format(name=name))


class BitFitOptions(FrozenLayersOptions):
    """Biases and the new head learn, about a thousandth of the parameters."""

    learning_rate: ClassVar[float] = 5e-3  # above 1e-3 on 240 rows of sst2, one seed

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        yield from super().misfits(recipe, folder)
        if not any(LAYER.match(name) for name in _biases(folder.parameters)):
            message = _("the layers of the family '{family}' have no biases, and `method: bitfit` trains nothing else")
            yield Finding("misfit", ("method",), message.format(family=folder.family))

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        own = sum(math.prod(size) for size in _biases(shape.tensors).values())
        return Learning(frozen=0, embeddings=False, cached=False, own=own)


def _biases(tensors: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Those among the tensors; old files call a norm's `beta`, and GPT-2's masks are no biases.

    Without a pooler's, which is there or not as the head wants.
    """
    return {
        name: size
        for name, size in tensors.items()
        if name.endswith((".bias", ".beta")) and len(size) == 1 and "pooler." not in name
    }


class GradualOptions(MethodOptions):
    """The head learns first, then one more layer at a time from the top, and the embeddings last."""

    moves = True
    portable = False
    learning_rate: ClassVar[float] = 5e-5  # as with full fine-tuning, which it ends as
    every: float | None = Field(
        default=None, gt=0, lt=1,
        description="share of training after which one more layer learns; default: everything learns by half of it",
    )  # fmt: skip

    def share(self, depth: int) -> float:
        """Share of training after which one more of `depth` layers learns; behind the last one the embeddings do."""
        return 0.5 / (depth + 1) if self.every is None else self.every

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:  # noqa: ARG002
        config = folder.config
        depth = depth_of(config) if config.get("is_encoder_decoder") else stack_depth_of(config)
        if self.share(depth) * (depth + 1) >= 1:
            message = _(
                "`method.every` is {every:g}, and with {depth} layers the embeddings would never learn; "
                "give less than {limit:.2g}"
            ).format(every=self.every, depth=depth, limit=1 / (depth + 1))
            yield Finding("misfit", ("method", "every"), message)
