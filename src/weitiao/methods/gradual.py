"""Gradual unfreezing: the head learns first, then one more layer at a time, from the top."""

from __future__ import annotations

import torch

from weitiao.methods.base import Method
from weitiao.methods.part_options import GradualOptions
from weitiao.models.network import Network


class Gradual(Method):
    """What is near the output learns first; the embeddings come last (Howard and Ruder 2018, section 3.3).

    When to use: a few hundred labels, where full fine-tuning forgets what the model knew or its scores scatter. Needs:
    full fine-tuning's memory in the end, and less time. Compares: with full fine-tuning, as which it ends.
    """

    options: GradualOptions

    def apply(self, network: Network, total_steps: int) -> None:
        network.requires_grad_(True)
        self._groups = _groups(network)
        self._starts = starts(len(self._groups), self.options.share(len(self._groups) - 2), total_steps)

    def before_step(self, network: Network, step: int) -> None:  # noqa: ARG002
        for group, start in zip(self._groups, self._starts, strict=True):
            for parameter in group:
                parameter.requires_grad_(step >= start)


def starts(groups: int, every: float, total_steps: int) -> list[int]:
    """The step before which each group begins to learn."""
    return [int(group * every * total_steps) for group in range(groups)]


def _groups(network: Network) -> list[list[torch.nn.Parameter]]:
    """The head and what else lies above the layers, each layer from the top, and the embeddings."""
    layers = [f"{stack.prefix}.{index}." for stack in network.stacks for index in range(len(stack))][::-1]
    embedded = set(network.below(0).parameters)
    groups: list[list[torch.nn.Parameter]] = [[] for _each in range(len(layers) + 2)]
    for name, parameter in network.named_parameters():
        layer = next((index for index, prefix in enumerate(layers) if name.startswith(prefix)), None)
        last = name in embedded and layer is None
        groups[-1 if last else 0 if layer is None else layer + 1].append(parameter)
    return groups
