"""The layer stack of a backbone, found by its shape instead of by family.

Freezing, re-initialising top layers, layer-wise learning rates and packing all need to know which parameters and
modules belong to layer k. A stack is the longest `nn.ModuleList` of like modules under the backbone; what comes before
it are the embeddings.

Notation: N tokens of the batch without padding, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Stack:
    """The layers of one encoder or decoder.

    Args:
        layers: the layers, lowest first.
        prefix: name of the list inside the network, such as 'backbone.bert.encoder.layer'.
    """

    layers: nn.ModuleList
    prefix: str

    def __len__(self) -> int:
        return len(self.layers)

    def depth_of(self, name: str) -> int | None:
        """Layer index of the parameter `name`; None for what is outside the stack."""
        if not name.startswith(self.prefix + "."):
            return None
        return int(name[len(self.prefix) + 1 :].split(".", 1)[0])


def find_stacks(network: nn.Module) -> list[Stack]:
    """Every stack of layers in `network`: one, or encoder and decoder (in the order of the module tree)."""
    lists = [
        Stack(module, name)
        for name, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and len({type(layer) for layer in module}) == 1
    ]
    outermost = [stack for stack in lists if not any(stack.prefix.startswith(other.prefix + ".") for other in lists)]
    heaviest = max((_size(stack) for stack in outermost), default=0)
    return [stack for stack in outermost if 4 * _size(stack) >= heaviest]


def _size(stack: Stack) -> int:
    return sum(parameter.numel() for parameter in stack.layers.parameters())


@contextmanager
def supplied(stack: Stack, first: int, hidden: Tensor) -> Iterator[None]:
    """Leave out the layers below `first`; the one at `first` (or what follows the stack) reads `hidden`, [1, N, H]."""
    own = list(stack.layers)
    for index in range(first):
        stack.layers[index] = _Supplied(hidden)
    try:
        yield
    finally:
        for index in range(first):
            stack.layers[index] = own[index]


class _Supplied(nn.Module):
    """Stands in for a layer whose output is known."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self._hidden = hidden

    def forward(self, *_args: Any, **_kwargs: Any) -> Tensor:
        return self._hidden
