"""Options of the methods whose layers are PEFT's: LoRA, AdaLoRA and IA3.

All leave the pretrained weights as they are and learn small factors beside the linear layers of the stacks; embeddings
get none, and the new head always learns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from weitiao.messages import _
from weitiao.methods.options import Learning
from weitiao.methods.part_options import FrozenLayersOptions
from weitiao.methods.targets import LinearLayer, chosen, keys_and_values, narrowing, parts, stored
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import Shape
from weitiao.recipe import Finding, Recipe
from weitiao.tables import did_you_mean


class PeftOptions(FrozenLayersOptions):
    """What these methods have in common: the base is frozen."""

    def layers(self, tensors: Mapping[str, tuple[int, ...]]) -> list[LinearLayer]:
        """The linear layers beside which something learns."""
        raise NotImplementedError

    def parameters(self, layer: LinearLayer) -> int:
        """How many numbers learn beside one."""
        raise NotImplementedError

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        own = sum(self.parameters(layer) for layer in self.layers(shape.tensors))
        return Learning(frozen=0, embeddings=False, cached=False, own=own)


class LowRankOptions(PeftOptions):
    """What LoRA and AdaLoRA have in common: factors of a rank beside chosen layers."""

    alpha: float = Field(default=16, gt=0, description="scale of what is learnt: it counts `alpha / rank` times")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="dropout before the factors")
    targets: str | None = Field(
        default=None,
        description="linear layers: all of them (default), `attention`, or a regular expression that is searched in "
        "places such as `layer.0.attention.self.query`",
    )

    @field_validator("targets")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            message = _("'{got}' is not a regular expression ({reason})").format(got=value, reason=error)
            raise ValueError(message) from error
        return value

    def layers(self, tensors: Mapping[str, tuple[int, ...]]) -> list[LinearLayer]:
        return chosen(stored(tensors), self.targets)

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        yield from super().misfits(recipe, folder)
        every = stored(folder.parameters)
        if folder.parameters and not chosen(every, self.targets):
            yield Finding("misfit", ("method", "targets"), self._nothing(parts(every)))

    def _nothing(self, known: list[str]) -> str:
        got = "" if self.targets is None else self.targets
        ends = [name.rpartition(".")[2] for name in known]
        return _("`method.targets` '{got}' matches no linear layer of this model; it has: {names}{hint}").format(
            got=got, names=", ".join(known) or _("none"), hint=did_you_mean(got, dict.fromkeys([*ends, *known]))
        )

    def _too_large(self, key: str, rank: int, folder: ModelFolder) -> Iterator[Finding]:
        """A rank that a factorised matrix cannot have."""
        layers = self.layers(folder.parameters)
        least = min((min(layer.inputs, layer.outputs) for layer in layers), default=rank)
        if rank > least:
            message = _("`method.{key}` is {got}, but the smallest side of the chosen layers is {least}")
            yield Finding("misfit", ("method", key), message.format(key=key, got=rank, least=least))


class LoraOptions(LowRankOptions):
    """Two thin matrices learn beside each linear layer, a few hundredths of its size; the base stays as pretrained."""

    # Hu et al. 2021, table 9: 4e-4 to 5e-4. At 1e-3 starter:zh-en fell back to the majority on waimai_10k
    learning_rate: ClassVar[float] = 5e-4
    rank: int = Field(default=8, ge=1, description="rank of what is learnt")  # Hu et al. 2021, table 9
    rslora: bool = Field(default=False, description="scale by `alpha / sqrt(rank)`, for high ranks")
    dora: bool = Field(default=False, description="learn each output's length apart from its direction (DoRA)")
    init: Literal["default", "pissa"] = Field(
        default="default", description="start as the base, or from its principal components (PiSSA)"
    )
    base_bits: Literal[4, 8] | None = Field(
        default=None, description="keep the frozen layers in 4 or 8 bits (needs weitiao[quantized])"
    )

    def parameters(self, layer: LinearLayer) -> int:
        return self.rank * (layer.inputs + layer.outputs) + self.dora * layer.outputs

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        yield from super().misfits(recipe, folder)
        yield from self._too_large("rank", self.rank, folder)
        if self.dora and self.init == "pissa":
            message = _("`method.init: pissa` changes the base, whose lengths `method.dora` learns; choose one")
            yield Finding("misfit", ("method", "init"), message)
        if self.base_bits is not None:
            yield from self._unquantised(folder)

    def _unquantised(self, folder: ModelFolder) -> Iterator[Finding]:
        """What a base of few bits cannot be combined with."""
        if find_spec("bitsandbytes") is None:
            message = _("`method.base_bits` needs bitsandbytes; install it with: pip install 'weitiao[quantized]'")
            yield Finding("misfit", ("method", "base_bits"), message)
        if any(layer.transposed for layer in stored(folder.parameters)):
            message = _("`method.base_bits` cannot hold the layers of the family '{family}'; remove it")
            yield Finding("misfit", ("method", "base_bits"), message.format(family=folder.family))
        if self.init == "pissa":
            message = _("`method.init: pissa` takes a base apart that `method.base_bits` rounds; choose one")
            yield Finding("misfit", ("method", "init"), message)
        if self.dora and self.base_bits == 8:
            message = _("`method.dora` works with `base_bits: 4`, not with 8")
            yield Finding("misfit", ("method", "dora"), message)


class AdaLoraOptions(LowRankOptions):
    """LoRA whose ranks go where they matter: all start high, and the least important directions are cut on the way."""

    learning_rate: ClassVar[float] = 1e-2  # above LoRA's, because three factors start small or at 0
    init_rank: int = Field(default=12, ge=1, description="rank of every layer at the start")
    target_rank: int = Field(default=8, ge=1, description="average rank at the end")
    tinit: float = Field(default=0.1, ge=0, lt=1, description="share of the steps before anything is cut")
    tfinal: float = Field(default=0.4, ge=0, lt=1, description="share of the steps after the last cut")
    beta1: float = Field(default=0.85, gt=0, lt=1, description="smoothing of a direction's importance")
    beta2: float = Field(default=0.85, gt=0, lt=1, description="smoothing of how uncertain that is")
    orth_reg_weight: float = Field(default=0.1, ge=0, description="weight of the penalty that keeps directions apart")

    def parameters(self, layer: LinearLayer) -> int:
        return self.init_rank * (layer.inputs + layer.outputs + 1)

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        yield from super().misfits(recipe, folder)
        yield from self._too_large("init_rank", self.init_rank, folder)
        if self.init_rank <= self.target_rank:
            message = _("`method.init_rank` is {got}; it must be above `method.target_rank`, {target}, to be cut to it")
            yield Finding(
                "misfit", ("method", "init_rank"), message.format(got=self.init_rank, target=self.target_rank)
            )
        if self.tinit + self.tfinal >= 1:
            message = _(
                "`method.tinit` and `method.tfinal` together are {got:g} of the steps; below 1 leaves some to cut"
            )
            yield Finding("misfit", ("method", "tinit"), message.format(got=self.tinit + self.tfinal))
        if recipe.training.max_steps == 1:
            message = _("`method: adalora` cuts ranks between steps, and `training.max_steps` is 1; take lora")
            yield Finding("misfit", ("training", "max_steps"), message)
        if recipe.training.ema is not None:
            message = _(
                "`training.ema` averages directions back in that `method: adalora` has cut; remove it, or take lora"
            )
            yield Finding("misfit", ("training", "ema"), message)


class Ia3Options(PeftOptions):
    """Keys, values and the inside of the feed-forward parts are scaled: the fewest numbers, for few rows."""

    learning_rate: ClassVar[float] = 1e-2  # Liu et al. 2022, section 3.3: 3e-3, for 1,000 steps

    def layers(self, tensors: Mapping[str, tuple[int, ...]]) -> list[LinearLayer]:
        every = stored(tensors)
        return [*keys_and_values(every), *narrowing(every)]

    def parameters(self, layer: LinearLayer) -> int:
        return layer.outputs if keys_and_values([layer]) else layer.inputs

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        yield from super().misfits(recipe, folder)
        if folder.parameters and not self.layers(folder.parameters):
            message = _(
                "`method: ia3` scales keys, values and feed-forward parts, and the linear layers of this model are "
                "none of these: {names}"
            )
            names = ", ".join(parts(stored(folder.parameters))) or _("none")
            yield Finding("misfit", ("method",), message.format(names=names))
