"""The event head: a global pointer for triggers and arguments, and another for what belongs to one event.

Su 2022, "GPLinker: joint event extraction based on GlobalPointer" (kexue.fm/archives/8926): two pieces are of one event
where the link between their first units and that between their last units both score above 0. Links have no direction:
the earlier unit is the row. So one forward pass gives any number of events, with arguments that several share.

Notation: B rows, T tokens, U units of the longest row, H hidden, C labels, K candidates of a row.
"""

from __future__ import annotations

import torch
from torch import Tensor

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.span import GlobalPointer, SpanHead, candidates, pointer_loss, units_of

KINDS = 2  # of links: between first units, between last units
PER_UNIT = 8  # links that are kept, as a multiple of a row's units


class EventHead(SpanHead):
    """Scores of spans and of links, the loss over both, and the best of each as candidates.

    Args:
        classes: C.
        hidden: H.
        size: width of the vectors that are compared; even.
    """

    def __init__(self, classes: int, hidden: int, *, size: int = 64) -> None:
        super().__init__(classes, hidden, size=size)
        self.links = GlobalPointer(KINDS, hidden, size, rotary=False)

    @classmethod
    def of(cls, spec: HeadSpec) -> EventHead:
        """The head of a `HeadSpec`."""
        return cls(len(spec.classes), spec.size or 0, size=spec.options["size"])

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"spans": [B, K, 4], "links": [B, K, 4]}: the best, as (row, column, label or kind of link, score)."""
        tokens = batch.places["tokens"]  # [B, U]
        links = self.links(units_of(hidden, tokens), tokens >= 0)  # [B, 2, U, U]
        return {**super().outputs(hidden, batch), "links": candidates(links, tokens >= 0, PER_UNIT)}

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """The mean of three losses: of spans, as in `SpanHead`, and of both kinds of links."""
        spans = super().loss(hidden, batch)
        if not batch.targets:
            return spans
        tokens = batch.places["tokens"]  # [B, U]
        scores = self.links(units_of(hidden, tokens), tokens >= 0)  # [B, 2, U, U]
        links = pointer_loss(scores, batch.targets["links"]).sum(1)  # [B]
        return Loss((spans.total + torch.dot(links, batch.weight)) / (1 + KINDS), spans.weight)
