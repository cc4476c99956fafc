"""Weights that several networks on one pretrained model have in common, each in memory once.

A weight is known by what is in it, not by its name: under one head the family's own class holds the base, under
another the bare backbone does, and a method may have put layers of its own around it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from hashlib import blake2b

import torch
from torch import Tensor, nn

Key = tuple[torch.Size, torch.dtype, bytes]


class Pool:
    """The weights; who has one of them uses it as it is and never writes to it."""

    def __init__(self) -> None:
        self._held: dict[Key, Tensor] = {}

    def admit(self, network: nn.Module, own: Collection[str]) -> None:
        """Give a network the held weights in place of its own equal ones, and hold what is new.

        Args:
            own: names of parameters that belong to this network alone.
        """
        for name, parameter in _plain(network):
            if name not in own:
                parameter.data = self._held.setdefault(_key(parameter), parameter.data)

    def lend(self, network: nn.Module) -> None:
        """Give a network the held weights in place of its own equal ones; hold nothing of it."""
        for _name, parameter in _plain(network):
            parameter.data = self._held.get(_key(parameter), parameter.data)


def _plain(network: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters, without those of few bits, whose data are not all that they are."""
    return ((name, each) for name, each in network.named_parameters() if type(each) is nn.Parameter)


def _key(parameter: Tensor) -> Key:
    data = parameter.detach().contiguous().reshape(-1)
    return parameter.shape, parameter.dtype, blake2b(data.view(torch.uint8).numpy().data, digest_size=16).digest()
