"""Options of `distil`, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from weitiao.artifact import read_json
from weitiao.compression.base import Facts, StepOptions
from weitiao.compression.layout import SHARING, layout_of
from weitiao.messages import _
from weitiao.models.shape import HEADS, stack_depth_of, width_of
from weitiao.recipe import Finding


class DistilOptions(StepOptions):
    """A student with fewer layers, or a narrower one, that learns from the model's answers and hidden states."""

    layers: int | None = Field(default=None, gt=0, description="layers of the student; default: half of the teacher's")
    width: int | None = Field(default=None, gt=0, description="width of the student; default: the teacher's")
    start: Literal["teacher", "new"] = Field(
        default="teacher",
        description="a narrower student's weights: the first of each axis of the teacher's, or new ones",
    )
    epochs: float = Field(default=3, gt=0, description="over the training rows and the unlabelled texts")
    learning_rate: float = Field(default=1e-4, gt=0, description="peak learning rate")
    batch_size: int = Field(default=32, gt=0, description="rows a step")
    temperature: float = Field(
        default=2.0, gt=0, description="at which both distributions are compared"
    )  # Sanh et al. 2019: 2
    soft: float = Field(default=1.0, ge=0, description="weight of the teacher's answers")
    hidden: float = Field(default=1.0, ge=0, description="weight of the hidden states of matched layers")
    gold: float = Field(default=1.0, ge=0, description="weight of the rows' own labels")
    seed: int = Field(default=17, ge=0, description="of the order of rows, of dropout and of new weights")

    def misfits(self, card: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
        config = read_json(folder / "config.json")
        family, depth = config.get("model_type", ""), stack_depth_of(config)
        if not (self.soft or self.hidden or self.gold):
            yield Finding("misfit", ("soft",), _("soft, hidden and gold are all 0; nothing is left to learn from"))
        if card["network"].get("additions"):
            message = _("the run's method put parts of its own into the model, which a student cannot take over")
            yield Finding("misfit", (), message)
        if family in SHARING and self.layers is not None:
            message = _("the layers of the family '{family}' are one layer, gone through again; a student has no fewer")
            yield Finding("misfit", ("layers",), message.format(family=family))
        elif self.layers is not None and depth and self.layers > depth:
            message = _("`layers` is {got}, but the model has {depth} layers")
            yield Finding("misfit", ("layers",), message.format(got=self.layers, depth=depth))
        elif self.layers == depth and self.width is None:
            message = _("a student with all {depth} layers and the same width is the model itself; lower one of them")
            yield Finding("misfit", ("layers",), message.format(depth=depth))
        yield from self._width(card, config, family)

    def _width(self, card: Mapping[str, Any], config: Mapping[str, Any], family: str) -> Iterator[Finding]:
        if self.width is None:
            return
        width = width_of(config)
        heads = next((int(config[key]) for key in HEADS if isinstance(config.get(key), int)), 1)
        each = width // heads
        if layout_of(config) is None:
            message = _("how the family '{family}' is made narrower is not known here; give layers only")
            yield Finding("misfit", ("width",), message.format(family=family))
        elif config.get("is_encoder_decoder") and card["network"].get("kind") == "stock":
            message = _("an encoder-decoder is made narrower without its decoder only; train with model.head: mean")
            yield Finding("misfit", ("width",), message)
        elif card["task"] == "embed":
            message = _("a narrower student gives shorter vectors, which cannot be compared with the teacher's")
            yield Finding("misfit", ("width",), message)
        elif self.width >= width or self.width % each:
            message = _("`width` is {got}; expected less than {width}, and a multiple of the width of a head, {each}")
            yield Finding("misfit", ("width",), message.format(got=self.width, width=width, each=each))

    def told(self, facts: Facts) -> Iterator[str]:
        yield _("The student has {layers} of {depth} layers and width {width} (teacher: {teacher_width}).").format(
            layers=len(facts["layers"]),
            depth=facts["depth"],
            width=facts["width"],
            teacher_width=facts["teacher_width"],
        )
        yield _(
            "It learnt from {rows} rows and {texts} unlabelled texts in {seconds} s; its answers are {after} from the "
            "teacher's, {before} before (on {measured} rows)."
        ).format(
            rows=facts["rows"], texts=facts["texts"], seconds=f"{facts['seconds']:,.0f}",
            after=f"{facts['after']['soft']:.4g}", before=f"{facts['before']['soft']:.4g}", measured=facts["measured"],
        )  # fmt: skip
        yield _("{after} of {before} parameters are left; the weights take {now} MB instead of {then} MB.").format(
            after=f"{facts['parameters']:,}",
            before=f"{facts['parameters_before']:,}",
            now=f"{facts['bytes'] / 1e6:,.1f}",
            then=f"{facts['bytes_before'] / 1e6:,.1f}",
        )
