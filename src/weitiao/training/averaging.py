"""A running average of the weights that learn (exponential moving average), measured and kept in their place.

The average trails the weights by about 1 / (1 - decay) steps; its decay begins low, so that the random start of a new
head is soon forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """The average of some parameters.

    Args:
        parameters: by name; what learns.
        decay: share of the old average that a step leaves; None to keep none.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float | None) -> None:
        self.parameters, self.decay = parameters, decay
        self.values: dict[str, Tensor] = (
            {} if decay is None else {name: each.detach().clone() for name, each in parameters.items()}
        )

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move towards the weights after step `step`, from 0."""
        if self.decay is not None:
            weights = [self.parameters[name].data for name in self.values]
            torch._foreach_lerp_(list(self.values.values()), weights, 1 - decay_at(step, self.decay))

    def swap(self) -> None:
        """The average in place of the weights, or the other way round; nothing is copied."""
        for name, value in self.values.items():
            parameter = self.parameters[name]
            self.values[name], parameter.data = parameter.data, value

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The average in place of the weights, inside the block."""
        self.swap()
        try:
            yield
        finally:
            self.swap()

    def restore(self, values: Mapping[str, Tensor]) -> None:
        """Go on with what a checkpoint kept."""
        for name, value in values.items():
            self.values[name].copy_(value)


def decay_at(step: int, decay: float) -> float:
    """The decay of step `step`, from 0: min(decay, (1 + step) / (10 + step)).

    As TensorFlow's ExponentialMovingAverage does with `num_updates`.
    """
    return min(decay, (1 + step) / (10 + step))
