"""Tagging heads: the linear loss is transformers' own, the CRF's that of all sequences; padding changes nothing."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.models.families import folder
from weitiao.metrics.spans import may_follow, tag_names
from weitiao.models.batch import IGNORED, Batch, collate
from weitiao.models.heads import HEADS, HeadSpec
from weitiao.models.heads.tag import FORBIDDEN, LinearChain, TagHead
from weitiao.models.inference import infer
from weitiao.models.network import NetworkSpec, build
from weitiao.records import Feature

TAGS = tag_names(["A"], "bio")  # O, B-A, I-A


def batch_of(labels: list[list[int]], tokens: list[list[int]] | None = None) -> Batch:
    places = {} if tokens is None else {"tokens": torch.tensor(tokens)}
    rows = len(labels)
    return Batch({}, {"labels": torch.tensor(labels)}, torch.ones(rows), torch.ones(rows), range(rows), places=places)


def features(seed: int = 0) -> list[Feature]:
    """Rows of several lengths; units open at every second token."""
    rng = np.random.default_rng(seed)
    made = []
    for length in (9, 4, 6):
        ids = np.array([2, *rng.integers(5, 60, length - 2), 3], dtype=np.int32)
        labels = np.full(length, IGNORED, dtype=np.int64)
        places = np.arange(1, length - 1, 2)
        labels[places] = rng.integers(0, 3, len(places))
        made.append(Feature(ids, np.zeros_like(ids), {"labels": labels}, len(made), 0, {"tokens": places}))
    return made


def test_the_linear_loss_is_that_of_transformers() -> None:
    torch.manual_seed(0)
    network = build(folder("bert"), NetworkSpec("tag", "stock", TAGS, dropout=0.0)).train()
    batch = collate(features(), network.spec.pad_id)
    loss = network.loss(batch)
    theirs = network.backbone(**batch.inputs, labels=batch.targets["labels"]).loss
    torch.testing.assert_close(loss.total / loss.weight, theirs)
    assert float(loss.weight) == sum(len(each.places["tokens"]) for each in features())


def test_class_weights_and_smoothing_are_torch_s() -> None:
    torch.manual_seed(0)
    logits, weights = torch.randn(2, 5, 3), torch.tensor([0.2, 1.0, 3.0])
    labels = [[IGNORED, 0, 1, 2, IGNORED], [IGNORED, 2, IGNORED, IGNORED, IGNORED]]
    head = TagHead.of(HeadSpec(TAGS, class_weights=weights, label_smoothing=0.1))
    loss = head.loss(logits, batch_of(labels))
    theirs = torch.nn.CrossEntropyLoss(weight=weights, label_smoothing=0.1)
    torch.testing.assert_close(loss.total / loss.weight, theirs(logits.flatten(0, 1), torch.tensor(labels).flatten()))


def path_score(
    scores: Tensor, emissions: Tensor, tags: tuple[int, ...], ends: tuple[bool, bool] = (True, True)
) -> Tensor:
    """Sum along one sequence, those of its borders included that are the text's own."""
    path = [*[len(scores) - 1] * ends[0], *tags, *[len(scores) - 1] * ends[1]]
    steps = torch.stack([scores[a, b] for a, b in pairwise(path)]).sum()
    return steps + torch.stack([emissions[unit, tag] for unit, tag in enumerate(tags)]).sum()


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_the_chain_s_loss_is_that_of_all_sequences(scheme: str) -> None:
    tags = tag_names(["A"], scheme)  # type: ignore[arg-type]
    torch.manual_seed(1)
    chain = LinearChain(torch.from_numpy(may_follow(tags)))
    with torch.no_grad():
        chain.transitions.normal_()
    emissions = torch.randn(3, 4, len(tags))
    gold = torch.tensor([[1, 2, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]])
    if scheme == "bioes":
        gold = torch.tensor([[1, 3, 0, 4], [4, 0, 0, 0], [0, 0, 0, 0]])  # B E O S, S O, nothing
    lengths = [4, 2, 0]
    inside = torch.arange(4)[None] < torch.tensor(lengths)[:, None]
    expected = torch.zeros(())
    for row, length in enumerate(lengths):
        if length:
            own = [
                path_score(chain.scores(), emissions[row], each) for each in product(range(len(tags)), repeat=length)
            ]
            expected = expected + torch.logsumexp(torch.stack(own), 0)
            expected = expected - path_score(chain.scores(), emissions[row], tuple(gold[row, :length].tolist()))
    torch.testing.assert_close(chain(emissions, gold, inside), expected)


@pytest.mark.parametrize("ends", list(product([True, False], repeat=2)))
def test_a_window_s_cut_says_nothing_of_the_tags_there(ends: tuple[bool, bool]) -> None:
    """Of all sequences of three units; a span that goes on behind a cut costs what its tags cost."""
    tags = tag_names(["A"], "bioes")  # O, B-A, I-A, E-A, S-A
    torch.manual_seed(4)
    chain = LinearChain(torch.from_numpy(may_follow(tags)))
    with torch.no_grad():
        chain.transitions.normal_()
    emissions, inside = torch.randn(1, 3, 5), torch.ones(1, 3, dtype=torch.bool)
    gold = (0 if ends[0] else 2, 0 if ends[0] else 3, 0 if ends[1] else 1)  # (O O | I E), (O | B)
    every = [path_score(chain.scores(), emissions[0], each, ends) for each in product(range(5), repeat=3)]
    expected = torch.logsumexp(torch.stack(every), 0) - path_score(chain.scores(), emissions[0], gold, ends)
    found = chain(emissions, torch.tensor([gold]), inside, torch.tensor([ends]))
    torch.testing.assert_close(found, expected)
    assert float(found.detach()) < 30


def test_what_the_rules_forbid_has_no_probability_and_no_gradient() -> None:
    chain = LinearChain(torch.from_numpy(may_follow(TAGS)))
    assert float(chain.scores()[0, 2].detach()) == FORBIDDEN, "I behind O"
    loss = chain(torch.zeros(1, 2, 3), torch.tensor([[1, 2]]), torch.ones(1, 2, dtype=torch.bool))
    loss.backward()
    assert chain.transitions.grad is not None
    assert float(chain.transitions.grad[0, 2]) == 0.0
    assert float(loss.detach()) == pytest.approx(np.log(5)), "OO, OB, BO, BB, BI"


def test_the_crf_reads_units_and_not_tokens() -> None:
    """Logits of tokens that open no unit, and of padding, do not matter."""
    torch.manual_seed(2)
    head = TagHead.of(HeadSpec(TAGS, options={"crf": True}))
    logits = torch.randn(2, 6, 3)
    labels = [[IGNORED, 1, IGNORED, 2, 0, IGNORED], [IGNORED, 0, IGNORED, IGNORED, IGNORED, IGNORED]]
    tokens = [[1, 3, 4], [1, -1, -1]]
    loss = head.loss(logits, batch_of(labels, tokens))
    assert float(loss.weight) == 4.0
    changed = logits.clone()
    changed[0, [0, 2, 5]] += 7
    changed[1, [0, 2, 3, 4, 5]] -= 7
    torch.testing.assert_close(head.loss(changed, batch_of(labels, tokens)).total, loss.total)
    alone = [
        head.loss(logits[row : row + 1], batch_of([labels[row]], [[each for each in tokens[row] if each >= 0]])).total
        for row in range(2)
    ]
    torch.testing.assert_close(alone[0] + alone[1], loss.total)


@pytest.mark.parametrize("crf", [False, True])
def test_a_row_alone_answers_as_among_others(crf: bool) -> None:
    torch.manual_seed(3)
    network = build(folder("bert"), NetworkSpec("tag", "stock", TAGS, options={"crf": crf}))
    rows = features()
    together = infer(network, rows)
    for row, answer in zip(rows, together, strict=True):
        (alone,) = infer(network, [row])
        assert answer["logits"].shape == (len(row), 3)
        np.testing.assert_allclose(answer["logits"], alone["logits"], atol=1e-5)
        assert set(answer) == ({"logits", "transitions"} if crf else {"logits"})
    if crf:
        assert together[0]["transitions"].shape == (4, 4)


def test_rows_without_a_target_weigh_nothing() -> None:
    head = TagHead.of(HeadSpec(TAGS))
    nothing = Batch({}, {}, torch.zeros(2), torch.ones(2), range(2))
    loss = head.loss(torch.randn(2, 4, 3), nothing)
    assert (float(loss.total), float(loss.weight)) == (0.0, 0.0)
    every = TagHead.of(HeadSpec(TAGS, options={"crf": True}))
    none = batch_of([[IGNORED, IGNORED]], [[1]])
    assert float(every.loss(torch.randn(1, 2, 3), none).weight) == 0.0


def test_it_is_in_the_table() -> None:
    assert HEADS["tag"] is TagHead and TagHead.problem_type({}) is None
