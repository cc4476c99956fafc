"""Options of `onnx`, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from weitiao.compression.base import Facts, Form, StepOptions
from weitiao.messages import _

MEGABYTE = 1_000_000


class OnnxOptions(StepOptions):
    """The network as an ONNX graph, which answers in ONNX Runtime and without torch, the same within float rounding."""

    exact: ClassVar[bool] = True
    gives: ClassVar[Form] = "onnx"

    def told(self, facts: Facts) -> Iterator[str]:
        yield _(
            "The graph has {operators} operators and {size} MB; {rows} rows were compared, alone and together."
        ).format(operators=facts["operators"], size=f"{facts['bytes'] / MEGABYTE:,.1f}", rows=facts["rows"])
