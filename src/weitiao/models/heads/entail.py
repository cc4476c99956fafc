"""Whether the second text follows from the first, by the family's own class of natural-language inference, whole.

One logit a row: of 'entailment' against all else that the class can say. Trained as binary cross-entropy.

Notation: B rows, K classes of the pretrained class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.families import entailment
from weitiao.models.heads import HeadSpec, Loss


class EntailHead(nn.Module):
    """One logit and its loss; nothing in it learns.

    Args:
        index: of 'entailment' among the K classes.
    """

    stock: ClassVar[str] = "AutoModelForSequenceClassification"
    token_axes: ClassVar[Mapping[str, int]] = {}
    first_token: ClassVar[bool] = True
    pretrained: ClassVar[bool] = True

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    @classmethod
    def of(cls, spec: HeadSpec) -> EntailHead:
        """The head of a `HeadSpec`."""
        return cls(entailment(spec.told) or 0)

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """What the folder says stays."""

    def read(self, answer: Any) -> Tensor:
        """The logits, [B, K]."""
        return answer.logits  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """{"logits": [B]}."""
        return {"logits": self._odds(hidden)}

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """Binary cross-entropy, summed over the rows with a target."""
        odds = self._odds(hidden)
        if not batch.targets:
            return Loss(odds.sum() * 0.0, torch.zeros(()))
        rows = F.binary_cross_entropy_with_logits(odds, batch.targets["score"].to(odds.dtype), reduction="none")
        return Loss((rows * batch.weight).sum(), batch.weight.sum())

    def _odds(self, logits: Tensor) -> Tensor:
        """[B, K] -> [B]."""
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # half precision is too coarse for a sum
        others = [index for index in range(logits.shape[1]) if index != self.index]
        return logits[:, self.index] - logits[:, others].logsumexp(-1)
