"""Options of `bits`, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from weitiao.artifact import read_json
from weitiao.compression.base import Facts, Form, StepOptions
from weitiao.messages import _
from weitiao.recipe import Finding


class BitsOptions(StepOptions):
    """Weights are kept in 8 or 4 bits and made floats again where they are used: smaller, not faster."""

    gives: ClassVar[Form] = "rounded"
    bits: int = Field(default=8, description="of each weight: 8 or 4")
    group: int = Field(default=64, ge=8, description="neighbouring weights that share a scale; even")
    embeddings: bool = Field(default=False, description="whether the lookup table of the words is rounded too")

    @field_validator("bits")
    @classmethod
    def _possible(cls, value: int) -> int:
        if value not in (4, 8):
            raise ValueError(_("expected 8 or 4, got {got}").format(got=value))
        return value

    @field_validator("group")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(_("expected an even number, got {got}").format(got=value))
        return value

    def misfits(self, card: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
        if card["network"].get("additions"):
            message = _("the run's method put parts of its own behind layers, which cannot be rounded then")
            yield Finding("misfit", (), message)
        if self.embeddings and card["network"]["head"] in ("cloze", "cloze_causal"):
            message = _("the words that the task '{task}' puts out are those of the lookup table; leave it whole")
            yield Finding("misfit", ("embeddings",), message.format(task=card["task"]))
        decoder = read_json(folder / "config.json").get("is_encoder_decoder")
        if self.embeddings and decoder and card["network"]["kind"] == "stock":
            message = _("encoder and decoder share their lookup table; leave it whole")
            yield Finding("misfit", ("embeddings",), message)

    def told(self, facts: Facts) -> Iterator[str]:
        yield _("{layers} layers are kept in {bits} bits; the weights take {now} MB instead of {then} MB.").format(
            layers=facts["layers"],
            bits=facts["bits"],
            now=f"{facts['bytes'] / 1e6:,.1f}",
            then=f"{facts['bytes_before'] / 1e6:,.1f}",
        )
        if facts["milliseconds"]:
            before, after = facts["milliseconds"]
            yield _(
                "Each is made floats again at every batch, which takes time: {ms} ms a text instead of {before} "
                "(median of {rounds} rounds of {texts} texts here)."
            ).format(ms=f"{after:.2f}", before=f"{before:.2f}", rounds=facts["rounds"], texts=facts["texts"])
