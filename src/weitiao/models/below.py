"""What runs before a layer of the stack, told by running it: families declare their modules in any order they like.

Two tokens go up to that layer. Modules that are done by then lie below it; so do the parameters that its inputs were
computed from, which autograd knows, called as modules or not (DeBERTa reads its relative positions as a bare weight).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from weitiao.models.probe import everything_learns, tensors_in
from weitiao.models.stack import Stack


@dataclass(frozen=True, slots=True)
class Below:
    """The lower part of a backbone.

    Args:
        parameters: names inside the network, in its order.
        modules: those that are done, innermost first, and the owner of the stack, whose own functional dropout (BART)
            comes before the first layer; each stands for itself, not for its children.
    """

    parameters: tuple[str, ...]
    modules: tuple[nn.Module, ...]


class _ReachedError(Exception):
    """Carries a layer's inputs, or the last layer's output, out of a forward pass that need not go on."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def find_below(network: nn.Module, backbone: nn.Module, stack: Stack, layers: int) -> Below:
    """What runs before layer `layers` of `stack`; with all layers, what runs up to the end of the last one.

    Args:
        network: whose parameter names are told.
        backbone: the part of it that is run, on token ids.
    """
    done: list[nn.Module] = []
    handles = [
        module.register_forward_hook(lambda each, _args, _output: done.append(each)) for module in backbone.modules()
    ]
    handles.append(_stop_at(stack, layers))
    try:
        with everything_learns(network), torch.enable_grad():
            inputs = _run(backbone)
            used = {id(parameter) for parameter in _leaves(inputs)}
    finally:
        for handle in handles:
            handle.remove()
    inside = {id(parameter) for layer in stack.layers[:layers] for parameter in layer.parameters()}
    names = tuple(name for name, parameter in network.named_parameters() if id(parameter) in used | inside)
    whole = [module for layer in stack.layers[:layers] for module in layer.modules()]
    owner = network.get_submodule(stack.prefix.rpartition(".")[0])
    return Below(names, tuple(dict.fromkeys([*done, *whole, owner])))


def _stop_at(stack: Stack, layers: int) -> Any:
    if layers < len(stack):

        def before(_layer: nn.Module, args: Any, kwargs: Any) -> None:
            raise _ReachedError((args, kwargs))

        return stack.layers[layers].register_forward_pre_hook(before, with_kwargs=True)

    def behind(_layer: nn.Module, _args: Any, output: Any) -> None:
        raise _ReachedError(output)

    return stack.layers[-1].register_forward_hook(behind)


def _run(backbone: nn.Module) -> Any:
    device = next(backbone.parameters()).device
    ids = torch.tensor([[0, 1]], device=device)  # [B, T] of any two tokens
    try:
        backbone(input_ids=ids, attention_mask=torch.ones_like(ids))
    except _ReachedError as reached:
        return reached.value
    raise RuntimeError("the layer was not reached")


def _leaves(value: Any) -> Iterator[Tensor]:
    """The leaf tensors that the tensors inside `value` were computed from."""
    waiting = [tensor.grad_fn for tensor in tensors_in(value) if tensor.grad_fn is not None]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            yield node.variable
        following = {each for each, _index in node.next_functions if each is not None} - seen
        seen |= following
        waiting += following
