"""Heads of numbers and vectors: losses equal torch's and ones written out pair by pair."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.embed import EmbedHead
from weitiao.models.heads.score import ScoreHead, ordered
from weitiao.tasks.embed import ANCHOR, NEGATIVE, PAIR

GOLD = torch.tensor([0.3, 0.9, 0.3, 0.0, 1.0])


def scored(gold: Tensor, known: list[bool] | None = None) -> Batch:
    weight = torch.tensor([float(each) for each in known or [True] * len(gold)])
    return Batch({}, {"score": gold}, weight, torch.ones(len(gold), dtype=torch.int64), range(len(gold)))


def mean(loss: Loss) -> Tensor:
    return loss.total / loss.weight


@pytest.fixture
def logits() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(5, 1, requires_grad=True)


@pytest.mark.parametrize(("kind", "reference"), [("mse", nn.MSELoss()), ("bce", nn.BCEWithLogitsLoss())])
def test_one_number_has_the_loss_of_torch(kind: str, reference: nn.Module, logits: Tensor) -> None:
    head = ScoreHead(HeadSpec(["score"], options={"loss": kind}))
    assert not head.coupled
    torch.testing.assert_close(mean(head.loss(logits, scored(GOLD))), reference(logits[:, 0], GOLD))
    known = [True, False, True, True, False]
    some, alone = head.loss(logits, scored(GOLD, known)), head.loss(logits[known], scored(GOLD[known]))
    torch.testing.assert_close((some.total, some.weight), (alone.total, alone.weight))
    none = head.loss(logits, Batch({}, {}, torch.zeros(5), torch.ones(5, dtype=torch.int64), range(5)))
    assert (float(none.total.detach()), float(none.weight)) == (0.0, 0.0)


def test_ranking_looks_at_all_pairs(logits: Tensor) -> None:
    head = ScoreHead(HeadSpec(["score"], options={"loss": "ranking"}))
    assert head.coupled
    scores = logits[:, 0].tolist()
    pairs = [
        math.log1p(math.exp(b - a))
        for a, x in zip(scores, GOLD, strict=True)
        for b, y in zip(scores, GOLD, strict=True)
        if x > y
    ]
    expected = F.mse_loss(logits[:, 0], GOLD) + sum(pairs) / len(pairs)
    torch.testing.assert_close(mean(head.loss(logits, scored(GOLD))), expected)
    assert float(ordered(logits[:, 0], torch.ones(5)).detach()) == 0


RECORDS = [(ANCHOR, PAIR, NEGATIVE), (ANCHOR, PAIR), (ANCHOR,), (ANCHOR, PAIR, NEGATIVE, NEGATIVE)]


def texts(
    records: list[tuple[int, ...]], *, same: tuple[int, int] | None = None, score: Any = None
) -> tuple[Tensor, Batch]:
    """Hidden states [B, 3, 6] and the batch of them; records without a second text do not learn."""
    torch.manual_seed(1)
    rows = [(number, role) for number, record in enumerate(records) for role in record]
    ids = torch.arange(3 * len(rows)).view(-1, 3)
    if same:
        ids[same[1]] = ids[same[0]]
    learns = torch.tensor([float(PAIR in records[number]) for number, _role in rows])
    gold = torch.tensor([float(score[number]) if score else 1.0 for number, _role in rows])
    inputs = {"input_ids": ids, "attention_mask": torch.ones(len(rows), 3, dtype=torch.int64)}
    places = {"role": torch.tensor([[role] for _number, role in rows])}
    length = torch.full((len(rows),), 3)
    hidden = torch.randn(len(rows), 3, 6, requires_grad=True)
    return hidden, Batch(inputs, {"score": gold}, learns, length, range(len(rows)), places=places)


def head(loss: str, **options: Any) -> EmbedHead:
    return EmbedHead.of(HeadSpec(["similarity"], size=6, options={"loss": loss, "scale": 5.0, **options}))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_each_text_must_find_its_own_second_text(pooling: str) -> None:
    hidden, batch = texts(RECORDS)
    pooled = hidden.mean(1) if pooling == "mean" else hidden[:, 0]
    unit = F.normalize(pooled, dim=-1)
    candidates = [1, 4, 7, 2, 8, 9]  # second texts, then hard negatives; row 5 is alone
    losses = []
    for place, anchor in enumerate([0, 3, 6]):
        scores = torch.stack([5 * unit[anchor] @ unit[each] for each in candidates])
        losses.append(-torch.log_softmax(scores, 0)[place])
    torch.testing.assert_close(mean(head("in_batch", pooling=pooling).loss(hidden, batch)), torch.stack(losses).mean())
    torch.testing.assert_close(head("in_batch", pooling=pooling).outputs(hidden, batch)["vector"], unit)


def test_the_own_text_once_more_is_no_wrong_answer() -> None:
    hidden, batch = texts([(ANCHOR, PAIR)] * 3, same=(1, 5))  # the second texts of records 0 and 2 are one
    unit = F.normalize(hidden.mean(1), dim=-1)
    cosines = 5 * unit[[0, 2, 4]] @ unit[[1, 3, 5]].T
    cosines[0, 2] = cosines[2, 0] = -torch.inf
    expected = F.cross_entropy(cosines, torch.arange(3))
    torch.testing.assert_close(mean(head("in_batch").loss(hidden, batch)), expected)


def test_another_second_text_of_an_equal_text_is_no_wrong_answer() -> None:
    hidden, batch = texts([(ANCHOR, PAIR), (ANCHOR, PAIR), (ANCHOR, PAIR, NEGATIVE)], same=(0, 4))  # texts 0 and 2
    unit = F.normalize(hidden.mean(1), dim=-1)
    cosines = 5 * unit[[0, 2, 4]] @ unit[[1, 3, 5, 6]].T
    cosines[0, 2] = cosines[2, 0] = -torch.inf
    expected = F.cross_entropy(cosines, torch.arange(3))
    torch.testing.assert_close(mean(head("in_batch").loss(hidden, batch)), expected)


def test_higher_scores_must_lie_closer() -> None:
    score = [3.0, 1.0, 1.0]
    hidden, batch = texts([(ANCHOR, PAIR)] * 3, score=score)
    unit = F.normalize(hidden.mean(1), dim=-1)
    cosines = [5 * unit[2 * row] @ unit[2 * row + 1] for row in range(3)]
    expected = torch.log(1 + torch.exp(cosines[1] - cosines[0]) + torch.exp(cosines[2] - cosines[0]))
    torch.testing.assert_close(mean(head("cosent").loss(hidden, batch)), expected)


def test_cosines_go_to_their_scores() -> None:
    score = [1.0, 0.0, 0.0]
    hidden, batch = texts([(ANCHOR, PAIR)] * 3, score=score)
    unit = F.normalize(hidden.mean(1), dim=-1)
    gaps = [unit[2 * row] @ unit[2 * row + 1] - gold for row, gold in enumerate(score)]
    torch.testing.assert_close(mean(head("cosine").loss(hidden, batch)), torch.stack(gaps).square().mean())


def test_each_text_must_find_itself_under_other_dropout() -> None:
    hidden, batch = texts([(ANCHOR, PAIR), (ANCHOR, PAIR), (ANCHOR,)])
    batch = Batch(
        batch.inputs, batch.targets, torch.tensor([1.0, 0, 1, 0, 1]), batch.lengths, batch.rows, places=batch.places
    )
    twice = batch.repeated(2)
    other = torch.randn_like(hidden)
    assert head("simcse").views == 2
    unit = F.normalize(torch.cat([hidden, other]).mean(1), dim=-1)
    expected = F.cross_entropy(5 * unit[[0, 2, 4]] @ unit[[5, 7, 9]].T, torch.arange(3))
    torch.testing.assert_close(mean(head("simcse").loss(torch.cat([hidden, other]), twice)), expected)


def test_beginnings_of_the_vector_learn_too() -> None:
    hidden, batch = texts(RECORDS)
    each = []
    for size in (6, 4, 2):
        whole = head("in_batch")
        whole.sizes = [size]
        each.append(mean(whole.loss(hidden, batch)))
    torch.testing.assert_close(mean(head("in_batch", dimensions=(4, 2)).loss(hidden, batch)), torch.stack(each).mean())


@pytest.mark.parametrize("loss", ["in_batch", "cosine", "cosent", "simcse"])
def test_a_batch_in_which_nothing_learns_weighs_nothing(loss: str) -> None:
    hidden, batch = texts([(ANCHOR,), (ANCHOR,)])
    found = head(loss).loss(hidden, batch)
    assert (float(found.total.detach()), float(found.weight)) == (0.0, 0.0)
