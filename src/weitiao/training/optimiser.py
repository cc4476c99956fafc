"""The optimiser: parameter groups, penalties and gradient clipping.

Biases and norms are never decayed or penalised; each layer may learn slower than the one above it, and the new head
faster.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from weitiao.models.network import Network

SCALES = ("ia3_l", "lora_magnitude_vector")  # PEFT's names: IA3's factors start at 1, DoRA's lengths at the base's


@dataclass(frozen=True, slots=True)
class OptimiserSpec:
    """What to optimise with; names and defaults as in the recipe's `training`."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = 5e-5
    head_learning_rate: float | None = None
    layer_decay: float = 1.0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    momentum: float = 0.9
    weight_decay: float = 0.01
    l1: float = 0.0
    l2_sp: float = 0.0


def make_optimiser(network: Network, spec: OptimiserSpec) -> torch.optim.Optimizer:
    """The optimiser over every trainable parameter; each group remembers its peak rate as `peak`."""
    groups = _groups(network, spec)
    if spec.name == "sgd":
        return torch.optim.SGD(groups, lr=spec.learning_rate, momentum=spec.momentum)
    kind = torch.optim.AdamW if spec.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=spec.learning_rate, betas=spec.betas, eps=spec.epsilon, fused=True)


def _groups(network: Network, spec: OptimiserSpec) -> list[dict[str, Any]]:
    undecayed = undecayed_names(network)
    head = network.head_parameters()
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            rate = _rate(network, name, name in head, spec)
            decay = 0.0 if name in undecayed else spec.weight_decay
            group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "peak": rate, "weight_decay": decay})
            group["params"].append(parameter)
    return list(groups.values())


def _rate(network: Network, name: str, in_head: bool, spec: OptimiserSpec) -> float:
    """Peak learning rate of one parameter (layer-wise decay: Howard and Ruder 2018, section 3.2)."""
    if in_head:
        return spec.head_learning_rate or spec.learning_rate
    if spec.layer_decay == 1.0:
        return spec.learning_rate
    depth = len(network.stack)
    layer = next((found for stack in network.stacks if (found := stack.depth_of(name)) is not None), None)
    below = any(name.startswith(prefix + ".") for prefix in network.before_stack())
    distance = depth if below else 0 if layer is None else depth - 1 - layer
    return spec.learning_rate * spec.layer_decay**distance


def undecayed_names(network: nn.Module) -> set[str]:
    """Names of biases, of normalisation weights, and of scales, which do not start at zero."""
    names = set()
    for prefix, module in network.named_modules():
        norm = "norm" in type(module).__name__.lower()
        for name, _parameter in module.named_parameters(prefix, recurse=False):
            if norm or any(f".{scale}." in name for scale in SCALES) or name.rsplit(".", 1)[-1].endswith("bias"):
                names.add(name)
    return names


class Penalty:
    """L1 on the trained weights, and L2 on their distance from the pretrained ones (L2-SP, Li et al. 2018, equation 6).

    The gradients are added after accumulation, so that a penalty counts once a step whatever the split.
    """

    def __init__(self, network: Network, spec: OptimiserSpec) -> None:
        self._l1, self._l2_sp = spec.l1, spec.l2_sp
        undecayed = undecayed_names(network)
        self._weights = {
            name: parameter
            for name, parameter in network.named_parameters()
            if (spec.l1 or spec.l2_sp) and parameter.requires_grad and name not in undecayed
        }
        new = network.head_parameters()
        self._start: Mapping[str, Tensor] = {
            name: torch.zeros_like(value)
            if name in new
            else value.detach().clone()  # a new head has no start: plain L2
            for name, value in self._weights.items()
            if spec.l2_sp
        }

    @torch.no_grad()
    def add(self) -> None:
        """Add the penalties' gradients to `.grad`."""
        for name, weight in self._weights.items():
            if weight.grad is None:
                continue
            if self._l1:
                weight.grad.add_(weight.sign(), alpha=self._l1)
            if self._l2_sp:
                weight.grad.add_(weight - self._start[name], alpha=self._l2_sp)


def gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The gradients that exist."""
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


@torch.no_grad()
def clip(grads: list[Tensor], limit: float | None) -> float:
    """Scale the gradients to a joint norm of at most `limit`; return the norm before."""
    norm = float(torch.nn.utils.get_total_norm(grads))
    if limit is not None and math.isfinite(norm) and norm > limit:
        torch._foreach_mul_(grads, limit / (norm + 1e-6))
    return norm
