"""The global pointer: its loss is the paper's, its candidates are the best pairs, and padding changes neither."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads.span import NEVER, GlobalPointer, SpanHead, candidates, pointer_loss, rotated

C, U, H = 3, 5, 8


def batch_of(tokens: list[list[int]], spans: list[list[tuple[int, int, int]]] | None) -> Batch:
    places = torch.tensor(tokens)
    rows = len(tokens)
    targets = {}
    if spans is not None:
        longest = max(len(each) for each in spans)
        filled = [[*each, *[(IGNORED,) * 3] * (longest - len(each))] for each in spans]
        targets = {"spans": torch.tensor(filled, dtype=torch.int64).reshape(rows, longest, 3)}
    lengths = (places >= 0).sum(1)
    return Batch({}, targets, torch.ones(rows), lengths, range(rows), places={"tokens": places})


def by_hand(scores: Tensor, gold: set[tuple[int, int, int]], label: int, units: int) -> float:
    """The loss of one row and label, term by term."""
    right, wrong = 1.0, 1.0
    for first in range(units):
        for last in range(first, units):
            score = float(scores[label, first, last])
            if (first, last, label) in gold:
                right += math.exp(-score)
            else:
                wrong += math.exp(score)
    return math.log(right) + math.log(wrong)


def test_the_loss_is_the_papers_term_by_term() -> None:
    torch.manual_seed(0)
    pointer = GlobalPointer(C, H, 4)
    inside = torch.tensor([[True] * U, [True] * 3 + [False] * 2])
    scores = pointer(torch.randn(2, U, H), inside)
    gold = [[(0, 4, 1), (0, 2, 1), (1, 2, 0), (2, 2, 2)], [(0, 0, 2)]]
    batch = batch_of([[0, 1, 2, 3, 4], [0, 1, 2, -1, -1]], gold)
    found = pointer_loss(scores, batch.targets["spans"])
    for row, units in enumerate((5, 3)):
        expected = [by_hand(scores[row].detach(), set(gold[row]), label, units) for label in range(C)]
        assert found[row].tolist() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_scores_are_the_formula() -> None:
    """q_i turned by i times k_j turned by j over the root of D, and the two weights of the label."""
    torch.manual_seed(1)
    pointer = GlobalPointer(2, H, 4)
    units = torch.randn(1, U, H)
    scores = pointer(units, torch.ones(1, U, dtype=torch.bool))
    vectors = pointer.vectors(units)
    weights = pointer.labels(vectors)[0]
    first, last = rotated(vectors[..., :4])[0], rotated(vectors[..., 4:])[0]
    for label in range(2):
        for i in range(U):
            for j in range(U):
                expected = first[i] @ last[j] / 2 + weights[i, label] + weights[j, 2 + label] if j >= i else NEVER
                assert float(scores[0, label, i, j]) == pytest.approx(float(expected), rel=1e-5)


def test_turned_vectors_know_only_their_distance() -> None:
    torch.manual_seed(2)
    one, two = torch.randn(2, 1, 1, 6).expand(-1, -1, 9, -1)
    products = rotated(one)[0] @ rotated(two)[0].T
    for distance in range(1, 4):
        same = products.diagonal(distance)
        torch.testing.assert_close(same, same[:1].expand_as(same))
    torch.testing.assert_close(rotated(one).norm(dim=-1), one.norm(dim=-1))


def test_padding_and_neighbours_change_nothing() -> None:
    torch.manual_seed(3)
    head = SpanHead(C, H, size=4)
    hidden = torch.randn(2, 7, H)
    both = batch_of([[1, 2, 4, 5, 6], [1, 3, -1, -1, -1]], [[(0, 3, 1), (1, 1, 0)], []])
    alone = [
        batch_of([[1, 2, 4, 5, 6]], [[(0, 3, 1), (1, 1, 0)]]),
        batch_of([[1, 3]], [[]]),
    ]
    losses = [head.loss(hidden[row : row + 1], each) for row, each in enumerate(alone)]
    together = head.loss(hidden, both)
    torch.testing.assert_close(together.total, losses[0].total + losses[1].total)
    assert float(together.weight) == 2
    spans = head.outputs(hidden, both)["spans"]
    for row, each in enumerate(alone):
        single = head.outputs(hidden[row : row + 1], each)["spans"][0]
        torch.testing.assert_close(spans[row, : len(single)], single)
        assert (spans[row, len(single) :] == -1).all()


def test_a_row_without_target_weighs_nothing_and_no_targets_no_loss() -> None:
    torch.manual_seed(4)
    head = SpanHead(C, H, size=4)
    hidden = torch.randn(2, 4, H)
    batch = batch_of([[0, 1, 2], [0, 1, 2]], [[(0, 1, 2)], []])
    known = Batch({}, batch.targets, torch.tensor([1.0, 0.0]), batch.lengths, range(2), places=batch.places)
    alone = head.loss(hidden[:1], batch_of([[0, 1, 2]], [[(0, 1, 2)]]))
    torch.testing.assert_close(head.loss(hidden, known).total, alone.total)
    none = head.loss(hidden, batch_of([[0, 1, 2], [0, 1, 2]], None))
    assert (float(none.total.detach()), float(none.weight)) == (0.0, 0.0)


def test_spans_wider_than_the_bound_are_never_candidates() -> None:
    torch.manual_seed(5)
    head = SpanHead(1, H, size=4, max_width=2)
    found = head.outputs(torch.randn(1, U, H), batch_of([[0, 1, 2, 3, 4]], None))["spans"][0]
    found = found[found[:, 0] >= 0]
    assert len(found) == 9  # five of one unit, four of two
    assert set((found[:, 1] - found[:, 0]).tolist()) == {0.0, 1.0}


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_candidates_are_the_best_pairs_in_order(units: int, classes: int, per_unit: int, seed: int) -> None:
    torch.manual_seed(seed)
    scores = torch.randn(1, classes, units, units).masked_fill(~torch.ones(units, units).triu().bool(), NEVER)
    found = candidates(scores, torch.ones(1, units, dtype=torch.bool), per_unit)[0]
    every = sorted(
        ((float(scores[0, c, a, b]), a, b, c) for c in range(classes) for a in range(units) for b in range(a, units)),
        reverse=True,
    )[: per_unit * units]
    kept = found[found[:, 0] >= 0].tolist()
    assert [(a, b, c) for a, b, c, _score in kept] == [(a, b, c) for _score, a, b, c in every]
    assert [score for *_span, score in kept] == pytest.approx([score for score, *_span in every])


@pytest.mark.parametrize("units", [1, 2])
def test_a_short_text_may_have_every_label_everywhere(units: int) -> None:
    head = SpanHead(7, H, size=4)
    batch = batch_of([[*range(units), *[-1] * (5 - units)], list(range(5))], None)
    found = head.outputs(torch.randn(2, 5, H), batch)["spans"][0]
    assert int((found[:, 0] >= 0).sum()) == 7 * units * (units + 1) // 2


def test_gradients_are_finite_where_every_pair_is_gold_or_none_is() -> None:
    torch.manual_seed(6)
    head = SpanHead(1, H, size=4)
    hidden = torch.randn(2, 2, H, requires_grad=True)
    loss = head.loss(hidden, batch_of([[0, -1], [0, 1]], [[(0, 0, 0)], []]))
    loss.total.backward()  # type: ignore[no-untyped-call]
    assert hidden.grad is not None and torch.isfinite(hidden.grad).all()
