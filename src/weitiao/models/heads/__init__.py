"""The Head seam: hidden states -> Outputs and loss; one file a kind of answer.

A head's loss is a sum and its divisor, never a mean, so that steps can be split over micro-batches and processes
exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from weitiao.models.batch import Batch
from weitiao.tables import Table

HEADS = Table("head", {"classify": "weitiao.models.heads.classify:ClassifyHead"})


@dataclass(frozen=True, slots=True)
class Loss:
    """A sum of row losses and what to divide it by.

    Args:
        total: scalar with gradient.
        weight: scalar without; 0 when nothing in the batch had a target.
    """

    total: Tensor
    weight: Tensor


class Head(Protocol):
    """What a head must answer; `hidden` is what the backbone returned."""

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Named arrays with one entry a row, such as {"logits": [B, C]}."""
        ...

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """The loss over the rows with a target."""
        ...
