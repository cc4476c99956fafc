"""The engine of exported models: ONNX Runtime, and no torch anywhere.

On a CPU with other instructions than the one where the graph was made, the few rows that are kept with it are asked
first: a difference is said, and one beyond the tolerance refused.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.onnx import ONNX_FILE, OnnxGraph
from weitiao.models.padding import BATCH_TOKENS
from weitiao.models.parity import Parity
from weitiao.records import Feature, Outputs


@dataclass(frozen=True, slots=True)
class OnnxEngine:
    """A graph in ONNX Runtime.

    Args:
        graph: the graph.
    """

    graph: OnnxGraph
    name: ClassVar[str] = "onnx"

    @classmethod
    def open(cls, folder: Path, *, threads: int | None = None) -> OnnxEngine:
        """The engine of a `model/` folder.

        Args:
            folder: with `model.onnx`.
            threads: that one call may use; by default OMP_NUM_THREADS, or all cores that this process may use.

        Raises:
            MissingExtra: ONNX Runtime is not installed.
            Refused: the graph cannot be loaded, or answers otherwise on this CPU.
        """
        graph = OnnxGraph.open(folder / ONNX_FILE, threads=threads)
        parity = Parity.read(folder)
        if parity is not None and not parity.here:
            _compare(parity, graph, folder)
        return cls(graph)

    def infer(self, features: Sequence[Feature], *, batch_tokens: int = BATCH_TOKENS) -> list[Outputs]:
        """The graph's outputs, in order."""
        return self.graph.infer(features, batch_tokens=batch_tokens)


def _compare(parity: Parity, graph: OnnxGraph, folder: Path) -> None:
    """Say how this CPU answers.

    Raises:
        Refused: too far from what the graph answered where it was made.
    """
    difference = parity.difference(graph.infer)
    told = {
        "folder": folder,
        "instructions": ", ".join(parity.machine.get("instructions", ())),
        "difference": f"{difference:.2g}",
        "tolerance": f"{parity.tolerance:.2g}",
    }
    if not difference <= parity.tolerance:
        message = _(
            "{folder}: made on a CPU with {instructions}; on this one its outputs differ by {difference}, more than "
            "the {tolerance} that is allowed; compress the run again on this machine"
        )
        raise Refused(message.format(**told))
    message = _(
        "{folder}: made on a CPU with {instructions}; on this one its outputs differ by {difference} at most on the "
        "rows that are kept with it, which is within the {tolerance} that is allowed"
    )
    warnings.warn(message.format(**told), stacklevel=4)
