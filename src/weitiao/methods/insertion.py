"""What methods share that leave the base as it is and put a part of their own into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from weitiao.methods.base import Method
from weitiao.models.network import Network


class Insertion(Method):
    """The inserted part and the new head learn; the base stands still, and keeps its dropout, as in PEFT.

    Attributes:
        addition: entry of `models.additions.ADDITIONS`.
    """

    addition: ClassVar[str]

    def given(self, network: Network) -> Mapping[str, Any]:
        """Options of the addition."""
        raise NotImplementedError

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        network.insert(self.addition, self.given(network))
        new = network.head_parameters() | network.inserted
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in new)
