"""Bottleneck adapters: a small network behind each sublayer of a frozen model.

They stand behind the linear module whose output is added to the residual stream, before the addition, in every layer:
behind attention and feed-forward (Houlsby et al. 2019, section 2.1), or behind feed-forward alone, which Pfeiffer et
al. 2021 (section 3.1) find to do as well. Where those modules are is told by running the model once, not by its family.

Notation: H width of the residual stream, W of the bottleneck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN
from transformers.pytorch_utils import Conv1D

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.probe import probe, tensors_in

if TYPE_CHECKING:
    from weitiao.models.network import Network

Placement = Literal["houlsby", "pfeiffer"]
NAME = "bottleneck"  # of the adapter inside the module that it stands behind


class Bottleneck(nn.Module):
    """hidden + up(nonlinearity(down(hidden))), [..., H] -> [..., H].

    `up` starts at zero, so that the model at first answers as its base, exactly; Houlsby et al. 2019 (section 2.1) ask
    for a near-identity start.
    """

    def __init__(self, size: int, width: int, nonlinearity: str) -> None:
        super().__init__()
        self.down = nn.Linear(size, width)
        self.nonlinearity = ACT2FN[nonlinearity]
        self.up = nn.Linear(width, size)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.up(self.nonlinearity(self.down(hidden)))  # type: ignore[no-any-return]


def insert(network: Network, *, placement: Placement, reduction: int, nonlinearity: str) -> None:
    """Put an adapter of width H / `reduction` behind the sublayers of every layer.

    Raises:
        Refused: a layer does not end its sublayers with a linear module.
    """
    for modules in residual_outputs(network):
        if len(modules) < (2 if placement == "houlsby" else 1):
            message = _("the layers of the family '{family}' have no linear module before the residual addition")
            raise Refused(message.format(family=network.backbone.config.model_type))
        for module in modules if placement == "houlsby" else modules[-1:]:
            size = _width(module)
            adapter = Bottleneck(size, max(1, size // reduction), nonlinearity)
            module.add_module(NAME, adapter.to(next(module.parameters()).device))
            module.register_forward_hook(_through)


def _through(module: nn.Module, _args: Any, output: Tensor) -> Tensor:
    return module.get_submodule(NAME)(output)  # type: ignore[no-any-return]


def _width(module: nn.Module) -> int:
    return int(module.nf if isinstance(module, Conv1D) else module.out_features)  # type: ignore[arg-type]


def residual_outputs(network: Network) -> list[Sequence[nn.Module]]:
    """Of each layer, of encoder and decoder, the linear modules whose output is added to the residual, as they run."""
    layers = [layer for stack in network.stacks for layer in stack.layers]
    ends: dict[nn.Module, Any] = {}  # linear module -> the graph's node that made its output
    handles = [
        module.register_forward_hook(_noting(ends))
        for layer in layers
        for module in layer.modules()
        if isinstance(module, nn.Linear | Conv1D)
    ]
    try:
        answer = probe(network, network.backbone, decodes=network.decodes)
    finally:
        for handle in handles:
            handle.remove()
    added = _added(answer)
    return [[each for each in ends if each in set(layer.modules()) and ends[each] in added] for layer in layers]


def _noting(ends: dict[nn.Module, Any]) -> Callable[[nn.Module, Any, Tensor], None]:
    def note(module: nn.Module, _args: Any, output: Tensor) -> None:
        ends[module] = output.grad_fn

    return note


def _added(answer: Any) -> set[torch.autograd.graph.Node]:
    """Nodes of the graph behind `answer` whose value goes into an addition, and nowhere else (GELU adds terms too)."""
    waiting = [tensor.grad_fn for tensor in tensors_in(dict(answer)) if tensor.grad_fn is not None]
    seen, added, others = set(waiting), set(), set()
    while waiting:
        node = waiting.pop()
        inputs = {each for each, _index in node.next_functions if each is not None}
        if type(node).__name__.startswith("AddBackward"):
            added |= inputs
        else:
            others |= inputs
        following = inputs - seen
        seen |= following
        waiting += following
    return added - others
