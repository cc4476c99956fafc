"""The event head: its loss is that of three global pointers, and links have no direction and know no distance."""

from __future__ import annotations

import torch

from tests.models.test_span_head import C, H, batch_of
from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads.event import EventHead
from weitiao.models.heads.span import pointer_loss, units_of


def linked_batch() -> Batch:
    batch = batch_of([[0, 1, 2, 3, 4], [1, 2, 3, -1, -1]], [[(0, 1, 0), (3, 3, 2)], []])
    links = torch.tensor([[[0, 3, 0], [1, 3, 1]], [[IGNORED] * 3] * 2])
    return Batch({}, {**batch.targets, "links": links}, batch.weight, batch.lengths, range(2), places=batch.places)


def test_the_loss_is_the_mean_of_spans_first_and_last_links() -> None:
    torch.manual_seed(0)
    head, hidden, batch = EventHead(C, H, size=4), torch.randn(2, 5, H), linked_batch()
    tokens = batch.places["tokens"]
    units = units_of(hidden, tokens)
    spans = pointer_loss(head.pointer(units, tokens >= 0), batch.targets["spans"])  # [B, C]
    links = pointer_loss(head.links(units, tokens >= 0), batch.targets["links"])  # [B, 2]
    expected = (spans.mean(1) + links[:, 0] + links[:, 1]).sum() / 3
    found = head.loss(hidden, batch)
    torch.testing.assert_close(found.total, expected)
    assert float(found.weight) == 2


def test_rows_without_target_weigh_nothing() -> None:
    torch.manual_seed(1)
    head, hidden, batch = EventHead(C, H, size=4), torch.randn(2, 5, H), linked_batch()
    known = Batch({}, batch.targets, torch.tensor([1.0, 0.0]), batch.lengths, range(2), places=batch.places)
    first = {name: value[:1] for name, value in batch.targets.items()}
    alone = Batch({}, first, torch.ones(1), batch.lengths[:1], range(1), places={"tokens": batch.places["tokens"][:1]})
    torch.testing.assert_close(head.loss(hidden, known).total, head.loss(hidden[:1], alone).total)
    none = head.loss(hidden, Batch({}, {}, torch.zeros(2), batch.lengths, range(2), places=batch.places))
    assert (float(none.total.detach()), float(none.weight)) == (0.0, 0.0)


def test_spans_and_links_are_kept_in_order_and_links_forget_places() -> None:
    torch.manual_seed(2)
    head, batch = EventHead(C, H, size=4), linked_batch()
    same = torch.randn(1, 1, H).expand(2, 5, -1)
    found = head.outputs(same, batch)
    assert {name: value.shape[0] for name, value in found.items()} == {"spans": 2, "links": 2}
    links = found["links"][0]
    links = links[links[:, 0] >= 0]
    assert bool((links[:, 0] <= links[:, 1]).all())
    for kind in (0, 1):
        scores = links[links[:, 2] == kind, 3]
        torch.testing.assert_close(scores, scores[:1].expand_as(scores))
