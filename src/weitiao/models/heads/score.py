"""One number for a text or a pair: the family's own class with one output (`stock`), or mean pooling (`mean`).

Losses over the rows with a target. `mse`: squared error, transformers' loss of one output. `ranking`: that, and of each
two rows of a step with different targets the logistic loss that the higher one is put higher (RankNet, Burges et al.
2005, section 3); it needs a whole step in one batch. `bce`: binary cross-entropy with a target from 0 to 1, for
relevance. The head's layers are those of classification.

Notation: B rows, T tokens, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.classify import ClassifyHead, wide
from weitiao.models.heads.divergence import binary


class ScoreHead(nn.Module):
    """One logit and its loss.

    Args:
        spec: with one class; `options["loss"]` is mse, ranking or bce.
    """

    stock: ClassVar[str] = "AutoModelForSequenceClassification"
    token_axes: ClassVar[Mapping[str, int]] = {}
    first_token: ClassVar[bool] = True

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__()
        self.logit = ClassifyHead.of(spec)
        self.kind: str = spec.options.get("loss", "mse")

    @classmethod
    def of(cls, spec: HeadSpec) -> ScoreHead:
        """The head of a `HeadSpec`."""
        return cls(spec)

    @property
    def coupled(self) -> bool:
        """Whether the loss compares the rows of a step."""
        return self.kind == "ranking"

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> str:
        """As transformers names what has the same loss."""
        return "multi_label_classification" if options.get("loss") == "bce" else "regression"

    def read(self, answer: Any) -> Tensor:
        """The logits, [B, 1]."""
        return answer.logits  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"logits": [B, 1]} from `hidden`: [B, T, H] for a mean head, the logits themselves for a stock one."""
        return self.logit.outputs(hidden, batch)

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """The loss over the rows with a target; of `ranking` the mean, for it is never split."""
        return self.loss_of(self.outputs(hidden, batch), batch)

    def loss_of(self, outputs: Mapping[str, Tensor], batch: Batch) -> Loss:
        """The same, from the outputs."""
        logits = wide(outputs["logits"][:, 0])  # [B]
        if not batch.targets:
            return Loss(logits.sum() * 0.0, torch.zeros(()))
        known = batch.weight > 0  # [B]
        scores, gold = logits[known], batch.targets["score"][known].to(logits.dtype)
        if self.kind == "bce":
            return Loss(F.binary_cross_entropy_with_logits(scores, gold, reduction="sum"), batch.weight.sum())
        squared = F.mse_loss(scores, gold, reduction="sum")
        if self.kind == "mse":
            return Loss(squared, batch.weight.sum())
        return Loss(squared / len(gold) + ordered(scores, gold), torch.ones(()))

    def divergence(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Of two passes, the squared difference of their numbers, of `bce` the divergence; summed over rows: []."""
        one, other = (wide(each["logits"][:, 0]) for each in (first, second))  # [B] each
        return torch.dot(binary(one, other) if self.kind == "bce" else (one - other).square(), batch.weight)


def ordered(scores: Tensor, gold: Tensor) -> Tensor:
    """Mean logistic loss over all pairs of which one has a higher gold score: each [B] -> []."""
    higher = gold[:, None] > gold[None, :]  # [B, B]
    gaps = (scores[:, None] - scores[None, :])[higher]
    return F.softplus(-gaps).mean() if len(gaps) else scores.sum() * 0.0
