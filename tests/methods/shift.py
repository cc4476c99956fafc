"""A method for tests: the smallest that learns something beside the base and can fold it in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import nn

from weitiao.methods.base import Method
from weitiao.methods.options import MethodOptions
from weitiao.models.network import Network


class ShiftOptions(MethodOptions):
    """No option of its own."""

    learning_rate: ClassVar[float] = 1e-3


class Shift(Method):
    """Learns one number beside the weights of the first layer, and adds it to them at the end."""

    def apply(self, network: Network, total_steps: int) -> None:
        network.requires_grad_(False)
        for layer in self._layers(network):
            layer.register_parameter("shift", nn.Parameter(torch.zeros(1)))
            layer.register_forward_hook(lambda own, args, out: out + own.shift * args[0].sum(-1, keepdim=True))
        for name in network.head_parameters():
            network.get_parameter(name).requires_grad_(True)

    def finish(self, network: Network) -> None:
        with torch.no_grad():
            for layer in self._layers(network):
                layer.weight += layer.shift
                layer._forward_hooks.clear()
                del layer.shift

    @staticmethod
    def _layers(network: Network) -> Iterator[Any]:
        return (each for each in network.stack.layers[0].modules() if isinstance(each, nn.Linear))
