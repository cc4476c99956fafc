"""Options of `prune`, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from weitiao.artifact import read_json
from weitiao.compression.base import Facts, StepOptions
from weitiao.compression.layout import SHARING, Layout, layout_of, taken
from weitiao.messages import _
from weitiao.models.shape import stack_depth_of
from weitiao.recipe import Finding

LONE = ("heads", "ffn", "layers")


class PruneOptions(StepOptions):
    """Attention heads, feed-forward channels and layers go, those that the loss misses least; tensors get smaller."""

    heads: float = Field(default=0, ge=0, description="heads to take out of each layer: a share below 1, or a number")
    ffn: float = Field(
        default=0, ge=0, description="feed-forward channels to take out of each layer: a share below 1, or a number"
    )
    layers: float = Field(default=0, ge=0, description="layers to take out: a share below 1, or a number")
    rows: int = Field(default=256, gt=0, description="training rows on which importance is measured")
    recover: float = Field(default=0, ge=0, description="epochs of training afterwards, on the run's rows")
    learning_rate: float = Field(default=5e-5, gt=0, description="of the training afterwards")

    def misfits(self, card: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
        config = read_json(folder / "config.json")
        family = config.get("model_type", "")
        layout = layout_of(config)
        for name in LONE:
            asked = getattr(self, name)
            if asked >= 1 and asked != int(asked):
                message = _("`{name}` is {got}; expected a share below 1, or a whole number")
                yield Finding("misfit", (name,), message.format(name=name, got=asked))
        if not any(getattr(self, name) for name in LONE):
            message = _("nothing to take out; set heads, ffn or layers, such as prune:ffn=0.5")
            yield Finding("misfit", (), message)
        if card["network"].get("additions") and (self.heads or self.layers):
            message = _("the run's method put parts of its own into the layers, which cannot lose heads or layers then")
            yield Finding("misfit", (), message)
        yield from self._inside(card, config, family, layout)
        yield from self._layers(config, family, layout)

    def _inside(
        self, card: Mapping[str, Any], config: Mapping[str, Any], family: str, layout: Layout | None
    ) -> Iterator[Finding]:
        """Heads and channels."""
        if (self.heads or self.ffn) and layout is None:
            message = _("where the family '{family}' has its heads and channels is not known here; prune layers only")
            yield Finding("misfit", ("ffn" if self.ffn else "heads",), message.format(family=family))
            return
        if (self.heads or self.ffn) and config.get("is_encoder_decoder") and card["network"].get("kind") == "stock":
            message = _(
                "encoder and decoder of the family '{family}' have one number of heads and channels in the config, and "
                "the decoder takes part here; prune layers only, or train with model.head: mean"
            )
            yield Finding("misfit", ("ffn" if self.ffn else "heads",), message.format(family=family))
        if self.heads and layout is not None and layout.heads is None:
            message = _(
                "the config of the family '{family}' ties the width of a head to the model's, so that it cannot say "
                "that there are fewer heads; prune ffn or layers"
            )
            yield Finding("misfit", ("heads",), message.format(family=family))

    def _layers(self, config: Mapping[str, Any], family: str, layout: Layout | None) -> Iterator[Finding]:
        depth = stack_depth_of(config)
        if self.layers and family in SHARING:
            message = _("the layers of the family '{family}' are one layer, gone through again; none can be taken out")
            yield Finding("misfit", ("layers",), message.format(family=family))
        elif self.layers and depth and taken(self.layers, depth) >= depth:
            message = _("`layers` takes all {depth} layers; leave at least one")
            yield Finding("misfit", ("layers",), message.format(depth=depth))
        elif self.layers and layout is not None and depth and taken(self.layers, depth) == 0:
            message = _("`layers` is {got} of {depth} layers, which is none")
            yield Finding("misfit", ("layers",), message.format(got=self.layers, depth=depth))

    def told(self, facts: Facts) -> Iterator[str]:
        removed = facts["removed"]
        if removed.get("layers"):
            yield _("Layers {layers} were taken out (counted from 0), in this order.").format(
                layers=", ".join(map(str, removed["layers"]))
            )
        if removed.get("ffn"):
            yield _(
                "{count} of {of} feed-forward channels of each layer were taken out; those that stay hold {share} of "
                "the importance."
            ).format(count=removed["ffn"], of=facts["of"]["ffn"], share=f"{facts['importance']['ffn_kept']:.1%}")
        if removed.get("heads"):
            yield _(
                "{count} of {of} groups of heads of each layer were taken out; those that stay hold {share} of the "
                "importance."
            ).format(count=removed["heads"], of=facts["of"]["heads"], share=f"{facts['importance']['heads_kept']:.1%}")
        yield _("{after} of {before} parameters are left; the weights take {now} MB instead of {then} MB.").format(
            after=f"{facts['parameters']:,}",
            before=f"{facts['parameters_before']:,}",
            now=f"{facts['bytes'] / 1e6:,.1f}",
            then=f"{facts['bytes_before'] / 1e6:,.1f}",
        )
