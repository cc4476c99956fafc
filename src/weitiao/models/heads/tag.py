"""Tagging heads: a linear layer over each token (`stock`: the family's own), and by option a CRF over the units' tags.

The linear head learns each tag by itself; what may follow what is kept when tags are read (tasks/sequences.py). The CRF
also learns which tag follows which. A unit (a Chinese character, an English word) is tagged at its first token. A row
may be a window of a long text; an end of it that is no end of the text says nothing of the tags there.

Notation: B rows, T tokens, U units of the longest row, C tags; row and column C of the transitions are the text's
borders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.metrics.spans import may_follow
from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.classify import wide
from weitiao.models.heads.divergence import categorical

FORBIDDEN = -1e4  # score of a transition that no text has; finite, so that a gold tag against the rules is no NaN


class TagHead(nn.Module):
    """Logits of every token, and the loss over those that open a unit.

    Args:
        classes: C.
        class_weights: [C], or None for equal weights; without a CRF.
        label_smoothing: share of the target mass spread over all tags; without a CRF.
        allowed: [C + 1, C + 1], which tag may follow which; None without a CRF.
    """

    stock: ClassVar[str] = "AutoModelForTokenClassification"
    token_axes: ClassVar[Mapping[str, int]] = {"logits": 1}
    first_token: ClassVar[bool] = False

    def __init__(
        self,
        classes: int,
        *,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        allowed: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.classes = classes
        self.label_smoothing = label_smoothing
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.crf = None if allowed is None else LinearChain(allowed)

    @classmethod
    def of(cls, spec: HeadSpec) -> TagHead:
        """The head of a `HeadSpec`."""
        allowed = torch.from_numpy(may_follow(spec.classes)) if spec.options.get("crf") else None
        return cls(
            len(spec.classes),
            class_weights=spec.class_weights,
            label_smoothing=spec.label_smoothing,
            allowed=allowed,
        )

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """Token classification has one loss."""

    def read(self, answer: Any) -> Tensor:
        """The logits, [B, T, C]."""
        return answer.logits  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:  # noqa: ARG002 - one signature for all heads
        """{"logits": [B, T, C]}, and with a CRF {"transitions": [B, C + 1, C + 1]}."""
        found = {"logits": hidden}
        if self.crf is not None:
            found["transitions"] = self.crf.scores().expand(hidden.shape[0], -1, -1)
        return found

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """Cross-entropy over the units of the rows with a target; with a CRF, over the rows' whole sequences.

        The divisor is the number of units, as in transformers' token classification, or their weight.
        """
        return self.loss_of({"logits": hidden}, batch)

    def loss_of(self, outputs: Mapping[str, Tensor], batch: Batch) -> Loss:
        """The same, from the outputs."""
        logits = wide(outputs["logits"])
        if not batch.targets:
            return Loss(logits.sum() * 0.0, torch.zeros(()))
        labels = batch.targets["labels"]  # [B, T]
        if self.crf is not None:
            return self._sequences(logits, labels, batch.places["tokens"], batch.places.get("ends"))
        known = labels != IGNORED  # [B, T]
        chosen, gold = logits[known], labels[known]  # [N, C], [N]
        each = F.cross_entropy(
            chosen, gold, weight=self.class_weights, label_smoothing=self.label_smoothing, reduction="sum"
        )
        weight = known.sum() if self.class_weights is None else self.class_weights[gold].sum()
        return Loss(each, weight.to(each.dtype).detach())

    def divergence(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Of the distributions of two passes, summed over units and weighed as in the loss; without a CRF: []."""
        labels = batch.targets["labels"]  # [B, T]
        known = labels != IGNORED
        one, other = (wide(each["logits"][known]) for each in (first, second))  # [N, C] each
        apart = categorical(one, other)  # [N]
        return apart.sum() if self.class_weights is None else torch.dot(apart, self.class_weights[labels[known]])

    def _sequences(self, logits: Tensor, labels: Tensor, tokens: Tensor, ends: Tensor | None) -> Loss:
        places = tokens.clamp_min(0)  # [B, U]
        gold = labels.gather(1, places)  # [B, U]
        inside = (tokens >= 0) & (gold != IGNORED)
        emissions = logits.gather(1, places[:, :, None].expand(-1, -1, self.classes))  # [B, U, C]
        assert self.crf is not None
        total = self.crf(emissions, gold.clamp_min(0), inside, None if ends is None else ends > 0)
        return Loss(total, inside.sum().to(emissions.dtype))


class LinearChain(nn.Module):
    """A linear-chain conditional random field (Lafferty et al. 2001; over a neural network, Lample et al. 2016).

    Args:
        allowed: [C + 1, C + 1]; forbidden transitions never occur.
    """

    def __init__(self, allowed: Tensor) -> None:
        super().__init__()
        self.allowed: Tensor
        self.register_buffer("allowed", allowed, persistent=False)
        self.transitions = nn.Parameter(torch.zeros(allowed.shape))

    def scores(self) -> Tensor:
        """[C + 1, C + 1], from the tag of the row to the tag of the column."""
        return self.transitions.masked_fill(~self.allowed, FORBIDDEN)

    def forward(self, emissions: Tensor, tags: Tensor, inside: Tensor, ends: Tensor | None = None) -> Tensor:
        """The negative log-likelihood of the rows' tags, summed.

        Args:
            emissions: score of each tag at each unit, [B, U, C].
            tags: the gold tags, [B, U].
            inside: which units there are, [B, U]; a row's units stand together at its beginning.
            ends: whether a row begins, and whether it ends, where its text does, [B, 2]; None where all do. At a cut
                every tag may stand, with score 0.
        """
        scores, border = self.scores(), emissions.shape[-1]
        ends = ends if ends is not None else inside.new_ones(len(tags), 2)
        lengths = inside.sum(1)  # [B]
        rows = torch.arange(len(tags))[lengths > 0]
        emissions, tags, inside, lengths = emissions[rows], tags[rows], inside[rows], lengths[rows]
        opening = scores[border, :border] * ends[rows, :1]  # [B, C]
        closing = scores[:border, border] * ends[rows, 1:]  # [B, C]
        gold = (emissions.gather(2, tags[:, :, None])[:, :, 0] * inside).sum(1)  # [B]
        gold = gold + (scores[tags[:, :-1], tags[:, 1:]] * inside[:, 1:]).sum(1)
        gold = gold + opening.gather(1, tags[:, :1])[:, 0]
        gold = gold + closing.gather(1, tags.gather(1, lengths[:, None] - 1))[:, 0]
        alpha = opening + emissions[:, 0]  # [B, C]
        for unit in range(1, emissions.shape[1]):
            following = torch.logsumexp(alpha[:, :, None] + scores[:border, :border], 1) + emissions[:, unit]
            alpha = torch.where(inside[:, unit, None], following, alpha)
        return (torch.logsumexp(alpha + closing, 1) - gold).sum()
