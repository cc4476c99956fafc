"""Options of `onnx`, without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from weitiao.compression.base import Facts, Form, StepOptions
from weitiao.errors import MissingExtra
from weitiao.messages import _
from weitiao.recipe import Finding

MEGABYTE = 1_000_000
OPSET = 23  # the first with `Attention` as one operator
PACKAGES = ("onnx", "onnxruntime", "onnxscript")


def lacking() -> Iterator[Finding]:
    """The first package that writing a graph needs and that is not installed."""
    for package in PACKAGES:
        if find_spec(package) is None:
            yield Finding("missing-extra", (), str(MissingExtra(package, "compress")))
            return


class OnnxOptions(StepOptions):
    """The network as an ONNX graph, which answers in ONNX Runtime and without torch, the same within float rounding."""

    exact: ClassVar[bool] = True
    gives: ClassVar[Form] = "onnx"

    def misfits(self, card: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
        yield from super().misfits(card, folder)
        yield from lacking()

    def told(self, facts: Facts) -> Iterator[str]:
        yield _(
            "The graph has {operators} operators and {size} MB; {rows} rows were compared, alone and together."
        ).format(operators=facts["operators"], size=f"{facts['bytes'] / MEGABYTE:,.1f}", rows=facts["rows"])
