"""The span head: an efficient global pointer, which scores every pair of units as first and last unit of each label.

Su et al. 2022, "Global Pointer: Novel Efficient Span-based Approach for Named Entity Recognition" (arXiv 2208.03054).
What a span looks like is learnt once for all labels (the product of two vectors that know their distance by rotary
positions), and which label it has by two weights a label; so spans may be nested, overlap or have several labels. The
units are those of the whole window (`places["tokens"]`), so that the matrix is U x U and not T x T.

Notation: B rows, T tokens, U units of the longest row, H hidden, D width of a vector, C labels, G gold spans, K
candidates of a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss

NEVER = -1e4  # score of what is no span; finite, so that nothing becomes a NaN
RARE = -3.0  # of a label's first and of its last unit: at first a pair is a span with probability 1 / 400, not 1 / 2,
# from which it takes hundreds of steps to come down (Lin et al. 2017, arXiv 1708.02002, section 3.3)
PER_UNIT = 4  # candidates that are kept, as a multiple of a row's units, or of labels; texts have far fewer spans


class SpanHead(nn.Module):
    """Scores of spans, the loss over all of them, and the best as candidates.

    Args:
        classes: C.
        hidden: H.
        size: D; even.
        max_width: most units of a span; None for any.
    """

    stock: ClassVar[str] = ""
    token_axes: ClassVar[Mapping[str, int]] = {}
    first_token: ClassVar[bool] = False

    def __init__(
        self,
        classes: int,
        hidden: int,
        *,
        size: int = 64,
        max_width: int | None = None,
    ) -> None:
        super().__init__()
        self.pointer = GlobalPointer(classes, hidden, size, max_width=max_width)

    @classmethod
    def of(cls, spec: HeadSpec) -> SpanHead:
        """The head of a `HeadSpec`."""
        return cls(
            len(spec.classes),
            spec.size or 0,
            size=spec.options["size"],
            max_width=spec.options["max_width"],
        )

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """No stock class, so no name for its loss."""

    def read(self, answer: Any) -> Tensor:
        """The hidden states, [B, T, H]."""
        return answer.last_hidden_state  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"spans": [B, K, 4]}: the best (first unit, last unit, label, score) of each row, filled with -1."""
        tokens = batch.places["tokens"]  # [B, U]
        scores = self.pointer(units_of(hidden, tokens), tokens >= 0)  # [B, C, U, U]
        least = PER_UNIT * scores.shape[1]  # so that a text of one or two units may have every label everywhere
        return {"spans": candidates(scores, tokens >= 0, PER_UNIT, least)}

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """The mean over labels of `pointer_loss`, summed over the rows with a target; the divisor is their number."""
        if not batch.targets:
            return Loss(hidden.sum() * 0.0, torch.zeros(()))
        tokens = batch.places["tokens"]  # [B, U]
        scores = self.pointer(units_of(hidden, tokens), tokens >= 0)  # [B, C, U, U]
        rows = pointer_loss(scores, batch.targets["spans"]).mean(1)  # [B]
        return Loss((rows * batch.weight).sum(), batch.weight.sum())


class GlobalPointer(nn.Module):
    """A score for each pair of units and label, pairs that stand the wrong way round or too far apart left out.

    Args:
        classes: C.
        hidden: H.
        size: D; even.
        rotary: whether a pair's score knows the distance of its units.
        max_width: most units from the first to the last; None for any.
    """

    def __init__(
        self,
        classes: int,
        hidden: int,
        size: int,
        *,
        rotary: bool = True,
        max_width: int | None = None,
    ) -> None:
        super().__init__()
        self.size, self.rotary, self.max_width = size, rotary, max_width
        self.vectors = nn.Linear(hidden, 2 * size)  # of a first and of a last unit
        self.labels = nn.Linear(2 * size, 2 * classes)  # for each label, of a first and of a last unit
        for layer in (self.vectors, self.labels):
            nn.init.xavier_uniform_(layer.weight)  # a backbone's 0.02, squared in the product, hardly learns at first
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.labels.bias, RARE)

    def forward(self, units: Tensor, inside: Tensor) -> Tensor:
        """Scores [B, C, U, U] of the first unit (row) with the last one (column), `NEVER` where there is no such span.

        Args:
            units: hidden states, [B, U, H].
            inside: which units there are, [B, U].
        """
        vectors = self.vectors(units)  # [B, U, 2D]
        first, last = vectors[..., : self.size], vectors[..., self.size :]  # [B, U, D] each
        begins, ends = self.labels(vectors).transpose(1, 2).chunk(2, 1)  # [B, C, U] each
        if self.rotary:
            first, last = rotated(first), rotated(last)
        pairs = first @ last.transpose(1, 2) / self.size**0.5  # [B, U, U]
        scores: Tensor = pairs[:, None] + begins[..., None] + ends[:, :, None]  # [B, C, U, U]
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))  # half precision is too coarse for a sum
        return scores.masked_fill(~self._possible(inside)[:, None], NEVER)

    def _possible(self, inside: Tensor) -> Tensor:
        """Which pairs there are, [B, U, U]."""
        length = inside.shape[1]
        apart = torch.arange(length)[None, :] - torch.arange(length)[:, None]  # [U, U], last minus first
        ordered = (apart >= 0) & (apart < (self.max_width or length))
        possible: Tensor = inside[:, :, None] & inside[:, None, :] & ordered.to(inside.device)
        return possible


def units_of(hidden: Tensor, tokens: Tensor) -> Tensor:
    """Hidden states of the tokens that open a unit, [B, T, H] at [B, U] -> [B, U, H]; padding reads the first token."""
    places = tokens.clamp_min(0)[:, :, None].expand(-1, -1, hidden.shape[-1])  # [B, U, H]
    return hidden.gather(1, places)


def rotated(vectors: Tensor) -> Tensor:
    """Vectors [B, U, D] turned by their place: products then know the distance (RoPE, Su et al. 2021, section 3.2)."""
    length, half = vectors.shape[1], vectors.shape[2] // 2
    rates = 10000.0 ** (-torch.arange(half, device=vectors.device) / half)  # [D / 2]
    angles = torch.arange(length, device=vectors.device)[:, None] * rates  # [U, D / 2]
    sin, cos = angles.sin().to(vectors.dtype), angles.cos().to(vectors.dtype)
    one, two = vectors[..., :half], vectors[..., half:]
    return torch.cat([one * cos - two * sin, one * sin + two * cos], -1)


def pointer_loss(scores: Tensor, gold: Tensor) -> Tensor:
    """log(1 + sum over gold pairs of exp(-s)) + log(1 + sum over the others of exp(s)) of each row and label, [B, C].

    Su et al. 2022 (arXiv 2208.03054): a row has a handful of spans among thousands of pairs, and this loss needs no
    weights for them. It asks for scores above 0 of gold pairs and below 0 of the others.

    Args:
        scores: [B, C, U, U].
        gold: (row, column, class) of each gold pair, each once, [B, G, 3]; negative where a row has fewer.
    """
    known = gold[:, :, 2] >= 0  # [B, G]
    row, entry = known.nonzero(as_tuple=True)  # [N] each
    first, last, label = gold[row, entry].unbind(-1)
    right = scores.new_full((*scores.shape[:2], max(gold.shape[1], 1)), NEVER)  # [B, C, G], of minus the gold scores
    right[row, label, entry] = -scores[row, label, first, last]
    wrong = scores.index_put((row, label, first, last), scores.new_tensor(NEVER)).flatten(2)  # [B, C, U * U]
    return F.softplus(right.logsumexp(-1)) + F.softplus(wrong.logsumexp(-1))


def candidates(scores: Tensor, inside: Tensor, per_unit: int, least: int = 0) -> Tensor:
    """The best pairs of each row as (first, last, class, score), best first, filled with -1: [B, K, 4].

    A row has at most `per_unit` times its units of them, or `least` where that is more, whatever the rows beside it.

    Args:
        scores: [B, C, U, U].
        inside: which units there are, [B, U].
        per_unit: a row's candidates, as a multiple of its units.
        least: what a short row may have all the same; K is this and `per_unit` times the units of the longest row.
    """
    length = scores.shape[2]
    count = per_unit * length + least  # K
    nothing = scores.new_full((scores.shape[0], count), NEVER)  # so that there are K of them: a size is never a minimum
    best, places = torch.cat([scores.flatten(1), nothing], 1).topk(count, 1)  # [B, K]
    label = places // (length * length)
    pair = places - label * (length * length)  # and not %, which is not exported
    first = pair // length
    whole = torch.stack([first, pair - first * length, label], -1)  # [B, K, 3]
    found = torch.cat([whole.to(best.dtype), best[..., None]], -1)  # [B, K, 4]
    rank = torch.arange(found.shape[1], device=scores.device)
    most = (per_unit * inside.sum(1, keepdim=True)).clamp_min(least)  # [B, 1]
    kept = (best > NEVER / 2) & (rank < most)  # [B, K]
    return found.where(kept[..., None], -1.0)
