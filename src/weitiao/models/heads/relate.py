"""The relation of two marked spans, from the mean of each and of the whole text (after R-BERT, Wu & He 2019).

Notation: B rows, T tokens, H hidden, C classes.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec
from weitiao.models.heads.classify import ClassifyHead, mean_pool, span_mean


class RelateHead(ClassifyHead):
    """Classification of [head span, tail span, text], whose losses are those of one label a row."""

    stock: ClassVar[str] = ""
    first_token: ClassVar[bool] = False

    @classmethod
    def of(cls, spec: HeadSpec) -> RelateHead:
        """The head of a `HeadSpec`."""
        assert spec.size is not None  # there is no stock class
        return cls(
            len(spec.classes),
            class_weights=spec.class_weights,
            label_smoothing=spec.label_smoothing,
            pooled_size=3 * spec.size,
            dropout=spec.dropout,
            initializer_range=spec.initializer_range,
        )

    def read(self, answer: Any) -> Tensor:
        """The hidden states, [B, T, H]."""
        return answer.last_hidden_state  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"logits": [B, C]}."""
        spans = [span_mean(hidden, batch.places[name]) for name in ("head", "tail")]  # 2 of [B, H]
        return {"logits": self.layers(torch.cat([*spans, mean_pool(hidden, batch)], dim=-1))}
