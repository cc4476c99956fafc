"""Intents and slots from the same hidden states (JointBERT, Chen et al. 2019, without its CRF).

The intents are read from the mean over a row's tokens, which suits the starters better than the first token that the
paper takes; each token gets a tag. A row's loss is that of its intents plus the mean over its units of that of their
tags, so that the divisor is the number of rows, however long they are.

Notation: B rows, T tokens, H hidden, I intents, C tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.metrics.intents import IntentSlotLabels
from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.classify import mean_pool, wide
from weitiao.models.heads.divergence import binary, categorical


class IntentSlotHead(nn.Module):
    """Logits of the intents of each row and of the tag of each token.

    Args:
        intents: I.
        tags: C.
        several: a sigmoid an intent instead of one softmax.
        size: H.
        label_smoothing: share of the target mass spread over all intents and tags.
        dropout: rate before both layers.
        initializer_range: standard deviation of the new weights.
    """

    stock: ClassVar[str] = ""
    token_axes: ClassVar[Mapping[str, int]] = {"logits": 1}
    first_token: ClassVar[bool] = False

    def __init__(
        self,
        intents: int,
        tags: int,
        *,
        several: bool,
        size: int,
        label_smoothing: float = 0.0,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
    ) -> None:
        super().__init__()
        self.several = several
        self.label_smoothing = label_smoothing
        self.dropout = nn.Dropout(dropout)
        self.intents = _linear(size, intents, initializer_range)
        self.tags = _linear(size, tags, initializer_range)

    @classmethod
    def of(cls, spec: HeadSpec) -> IntentSlotHead:
        """The head of a `HeadSpec`, whose classes are the intents with their prefix and the tags."""
        known = IntentSlotLabels.of(spec.classes)
        assert spec.size is not None  # there is no stock class
        return cls(
            len(known.intents),
            len(spec.classes) - len(known.intents),
            several=known.several,
            size=spec.size,
            label_smoothing=spec.label_smoothing,
            dropout=spec.dropout,
            initializer_range=spec.initializer_range,
        )

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """There is no stock class."""

    def read(self, answer: Any) -> Tensor:
        """The hidden states, [B, T, H]."""
        return answer.last_hidden_state  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"intents": [B, I], "logits": [B, T, C]}."""
        intents = self.intents(self.dropout(mean_pool(hidden, batch)))  # [B, I]
        return {"intents": intents, "logits": self.tags(self.dropout(hidden))}

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """The sum over rows with a target of both losses; the divisor is the number of these rows."""
        return self.loss_of(self.outputs(hidden, batch), batch)

    def loss_of(self, outputs: Mapping[str, Tensor], batch: Batch) -> Loss:
        """The same, from the outputs."""
        intents, tags = (wide(outputs[name]) for name in ("intents", "logits"))
        if not batch.targets:
            return Loss((intents.sum() + tags.sum()) * 0.0, torch.zeros(()))
        rows = self._intent_loss(intents, batch.targets["intents"]) + self._tag_loss(tags, batch.targets["labels"])
        return Loss((rows * batch.weight).sum(), batch.weight.sum())

    def divergence(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Of the distributions of two passes, over intents and units as in the loss, summed over rows: []."""
        intents, tags = ([wide(each[name]) for each in (first, second)] for name in ("intents", "logits"))
        known = batch.targets["labels"] != IGNORED  # [B, T]
        rows = binary(*intents).sum(-1) if self.several else categorical(*intents)  # [B]
        units = (categorical(*tags) * known).sum(1) / known.sum(1).clamp_min(1)  # [B]
        return torch.dot(rows + units, batch.weight)

    def _intent_loss(self, logits: Tensor, gold: Tensor) -> Tensor:
        """The negative log-likelihood of each row's intents, [B]; with several, summed over all, held or not."""
        if not self.several:
            return F.cross_entropy(logits, gold, label_smoothing=self.label_smoothing, reduction="none")
        smoothed = gold * (1 - self.label_smoothing) + self.label_smoothing / 2  # [B, I]
        return F.binary_cross_entropy_with_logits(logits, smoothed, reduction="none").sum(-1)

    def _tag_loss(self, logits: Tensor, gold: Tensor) -> Tensor:
        """The mean over each row's units of their tags' cross-entropy, [B]."""
        each = F.cross_entropy(
            logits.transpose(1, 2), gold, ignore_index=IGNORED, label_smoothing=self.label_smoothing, reduction="none"
        )  # [B, T], 0 where a token opens no unit
        return each.sum(1) / (gold != IGNORED).sum(1).clamp_min(1)


def _linear(size: int, width: int, initializer_range: float) -> nn.Linear:
    layer = nn.Linear(size, width)
    nn.init.normal_(layer.weight, std=initializer_range)
    nn.init.zeros_(layer.bias)
    return layer
