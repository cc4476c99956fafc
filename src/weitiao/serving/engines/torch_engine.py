"""The engine that every run has: its own network under torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from weitiao.models.inference import infer
from weitiao.models.network import Network
from weitiao.models.padding import BATCH_TOKENS
from weitiao.records import Feature, Outputs


@dataclass(frozen=True, slots=True)
class TorchEngine:
    """A network in evaluation mode.

    Args:
        network: as `models.network.load` gives it.
    """

    network: Network
    name: ClassVar[str] = "torch"

    def infer(self, features: Sequence[Feature], *, batch_tokens: int = BATCH_TOKENS) -> list[Outputs]:
        """The network's outputs, in order."""
        return infer(self.network, features, batch_tokens=batch_tokens)
