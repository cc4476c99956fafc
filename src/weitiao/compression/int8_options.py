"""Options of `int8`, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from weitiao.compression.base import Facts, Form, StepOptions
from weitiao.compression.onnx_options import MEGABYTE, lacking
from weitiao.messages import _
from weitiao.recipe import Finding


class Int8Options(StepOptions):
    """Linear layers in whole numbers of 8 bits, in ONNX Runtime; a model in torch is exported first."""

    takes: ClassVar[frozenset[Form]] = frozenset({"torch", "onnx"})
    gives: ClassVar[Form] = "onnx"

    mode: Literal["dynamic", "static"] = Field(
        default="dynamic",
        description="scales of activations: of each batch (dynamic), or fixed on a sample (static), so that no "
        "answer depends on what else is in the batch",
    )
    embeddings: Literal[4, 8, 32] = Field(
        default=4, description="bits of a number in the embedding tables; at 32 they stay as they are"
    )
    sample: int = Field(default=64, gt=0, description="training rows on which static scales are fixed")

    def misfits(self, card: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
        yield from super().misfits(card, folder)
        yield from lacking()

    def told(self, facts: Facts) -> Iterator[str]:
        yield _(
            "{layers} matrices have 8 bits, {tables} embedding tables {bits}: {size} MB, {before} MB before."
        ).format(
            layers=facts["matrices"],
            tables=facts["tables"],
            bits=self.embeddings,
            size=f"{facts['bytes'] / MEGABYTE:,.1f}",
            before=f"{facts['bytes_before'] / MEGABYTE:,.1f}",
        )
        if self.mode == "dynamic":
            yield _(
                "Scales are those of a whole batch, so an answer depends on what is asked beside it: of {rows} rows "
                "the outputs alone and together differ by {apart} at most."
            ).format(rows=facts["rows"], apart=f"{facts['alone_and_together']:.2g}")
        if facts["reduced_range"]:
            yield _("This CPU has no instructions for sums of 8-bit products (VNNI), so weights take 7 bits of the 8.")
