"""The head of extractive question answering: where in the tokens the answer begins, and where it ends.

The family's own class scores every token twice; a window without the answer points at its first token for both
(Devlin et al. 2019, section 4.3). Padding takes no part: the loss is transformers' own on rows of one length, and that
of a row does not depend on the others.

Notation: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.classify import wide
from weitiao.models.heads.divergence import categorical


class AnswerHead(nn.Module):
    """Logits of every token as the first and as the last of the answer, and the loss of pointing at the right two."""

    stock: ClassVar[str] = "AutoModelForQuestionAnswering"
    token_axes: ClassVar[Mapping[str, int]] = {"start": 1, "end": 1}
    first_token: ClassVar[bool] = False

    @classmethod
    def of(cls, spec: HeadSpec) -> AnswerHead:  # noqa: ARG003  (the two outputs need no options)
        """The head of a `HeadSpec`."""
        return cls()

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """Question answering has one loss."""

    def read(self, answer: Any) -> Tensor:
        """The logits of both ends, [B, T, 2]."""
        return torch.stack([answer.start_logits, answer.end_logits], dim=-1)

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002
        """{"start": [B, T], "end": [B, T]}."""
        return {"start": hidden[..., 0], "end": hidden[..., 1]}

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """Mean of the two cross-entropies over a row's tokens, summed over the rows with a target."""
        return self.loss_of(self.outputs(hidden, batch), batch)

    def loss_of(self, outputs: Mapping[str, Tensor], batch: Batch) -> Loss:
        """The same, from the outputs."""
        if not batch.targets:
            return Loss((outputs["start"].sum() + outputs["end"].sum()) * 0.0, torch.zeros(()))
        logits = _inside(outputs, batch)  # [B, T, 2]
        gold = torch.stack([batch.targets["start"], batch.targets["end"]], dim=-1)  # [B, 2]
        each = F.cross_entropy(logits, gold, reduction="none").mean(-1)  # [B]
        return Loss((each * batch.weight).sum(), batch.weight.sum())

    def divergence(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Of two passes, the mean of both ends' divergences over a row's tokens, summed over the rows: []."""
        one, other = (_inside(each, batch).transpose(1, 2) for each in (first, second))  # [B, 2, T] each
        return torch.dot(categorical(one, other).mean(-1), batch.weight)


def _inside(outputs: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """Logits of both ends, -inf behind a row's last token: [B, T, 2]."""
    logits = wide(torch.stack([outputs["start"], outputs["end"]], dim=-1))
    inside = torch.arange(logits.shape[1])[None, :] < batch.lengths[:, None]  # [B, T]
    return logits.masked_fill(~inside[:, :, None], float("-inf"))
