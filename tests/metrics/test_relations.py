"""Relation scores against the official SemEval-2010 formula, written anew here, and cases counted by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from weitiao.metrics import Metric
from weitiao.metrics.relations import graph_metrics, likely_nothing, relation_metrics, type_of
from weitiao.records import (
    ClassifyPrediction,
    FoundRelation,
    FoundSpan,
    GraphPrediction,
    GraphRecord,
    RelateRecord,
    Relation,
    Span,
)

CE, EC, CW, WC, OTHER = (
    "Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Component-Whole(e1,e2)", "Component-Whole(e2,e1)", "Other"
)  # fmt: skip
LABELS = [CE, EC, CW, WC, OTHER]


def scores(metrics: Sequence[Metric], pairs: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Of (gold, answer) pairs."""
    rows = [
        (
            ClassifyPrediction(labels=(answer,), confidence=1.0, scores={}, abstained=False),
            RelateRecord(
                file="", line=0, group="", text="a b", labels=(gold,), head=(0, 1), tail=(2, 3), guessed=False
            ),
        )
        for gold, answer in pairs
    ]
    return {each.name: float(each.value(np.sum([each.counts(*row) for row in rows], axis=0))) for each in metrics}


def official(pairs: Sequence[tuple[str, str]]) -> float:
    """The macro F1 of semeval2010_task8_scorer-v1.2.pl, step by step as that script takes them, 0 to 1."""
    confusion: Counter[tuple[str, str]] = Counter()
    proposed: Counter[str] = Counter()
    wrong_direction: Counter[str] = Counter()
    for gold, answer in pairs:
        if gold != answer and type_of(gold) == type_of(answer):
            wrong_direction[type_of(gold)] += 1
        else:
            confusion[type_of(answer), type_of(gold)] += 1
            proposed[type_of(answer)] += 1
    actual = Counter(type_of(gold) for gold, _answer in pairs)
    total, types = 0.0, [each for each in actual if each != OTHER]
    for each in types:
        right = confusion[each, each]
        precision = right / (proposed[each] + wrong_direction[each]) if proposed[each] else 0.0
        recall = right / actual[each]
        total += 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return total / len(types) if types else 0.0


@given(st.lists(st.sampled_from(list(product(LABELS, LABELS))), min_size=1, max_size=25))
def test_the_macro_f1_is_the_official_one(pairs: list[tuple[str, str]]) -> None:
    assert scores(relation_metrics(LABELS, OTHER), pairs)["relation_macro_f1"] == pytest.approx(official(pairs))


def test_by_hand() -> None:
    """Cause-Effect: 2 right of 4 answers and 3 gold: 4/7. Component-Whole: 1 right of 1 answer and 2 gold: 2/3."""
    pairs = [(CE, CE), (EC, EC), (CE, EC), (CW, CW), (WC, OTHER), (OTHER, CE), (OTHER, OTHER)]
    found = scores(relation_metrics(LABELS, OTHER), pairs)
    assert found == {
        "relation_macro_f1": pytest.approx((4 / 7 + 2 / 3) / 2),
        "relation_f1": pytest.approx(2 * 3 / (5 + 5)),
        "relation_precision": pytest.approx(3 / 5),
        "relation_recall": pytest.approx(3 / 5),
        "accuracy": pytest.approx(4 / 7),
    }


@given(st.lists(st.sampled_from(list(product("xyz", "xyz"))), min_size=1, max_size=25))
def test_without_directions_it_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    gold, answers = zip(*pairs, strict=True)
    found = scores(relation_metrics(["x", "y", "z"], "z"), pairs)
    micro = f1_score(gold, answers, labels=["x", "y"], average="micro", zero_division=0)
    assert found["relation_f1"] == pytest.approx(micro)
    there = sorted({label for label in gold if label != "z"})
    macro = f1_score(gold, answers, labels=there, average="macro", zero_division=0) if there else 0.0
    assert found["relation_macro_f1"] == pytest.approx(macro)


def test_gold_relations_that_train_lacks_cost_recall() -> None:
    found = scores(relation_metrics([CE, OTHER], OTHER), [(CE, CE), ("New-Type(e1,e2)", OTHER)])
    assert found["relation_recall"] == 0.5
    assert found["relation_macro_f1"] == 0.5


@pytest.mark.parametrize(
    ("labels", "nothing"),
    [
        (["Other", "x"], "Other"),
        (["unknown", "\u5408\u5e76"], "unknown"),
        (["NA", "x"], "NA"),
        (["no_relation", "x"], "no_relation"),
        (["\u65e0\u5173\u7cfb", "x"], "\u65e0\u5173\u7cfb"),
        (["Other", "unknown"], None),
        (["x", "y"], None),
    ],
)
def test_the_label_that_says_no_relation(labels: list[str], nothing: str | None) -> None:
    assert likely_nothing(labels) == nothing


GOLD = (Span(start=0, end=4, label="PER"), Span(start=9, end=13, label="ORG"))


def found_spans(*spans: tuple[int, int, str]) -> tuple[FoundSpan, ...]:
    return tuple(FoundSpan(start=a, end=b, label=label, text="", confidence=1.0) for a, b, label in spans)


@pytest.mark.parametrize(
    ("spans", "relation", "right"),
    [
        (((0, 4, "PER"), (9, 13, "ORG")), (0, 1, "works_at"), True),
        (((9, 13, "ORG"), (0, 4, "PER")), (1, 0, "works_at"), True),  # in another order
        (((0, 4, "PER"), (9, 13, "ORG")), (1, 0, "works_at"), False),  # direction
        (((0, 4, "PER"), (9, 13, "ORG")), (0, 1, "owns"), False),  # label
        (((0, 3, "PER"), (9, 13, "ORG")), (0, 1, "works_at"), False),  # border of the head
        (((0, 4, "PER"), (9, 14, "ORG")), (0, 1, "works_at"), False),  # border of the tail
        (((0, 4, "PER"), (9, 13, "LOC")), (0, 1, "works_at"), False),  # label of the tail
    ],
)
def test_strict_relations(spans: tuple[tuple[int, int, str], ...], relation: tuple[int, int, str], right: bool) -> None:
    record = GraphRecord(
        file="", line=0, group="", text="", tokens=None, spans=GOLD,
        relations=(Relation(head=0, tail=1, label="works_at"),),
    )  # fmt: skip
    head, tail, label = relation
    prediction = GraphPrediction(
        spans=found_spans(*spans), relations=(FoundRelation(head=head, tail=tail, label=label, confidence=1.0),)
    )
    metrics = {each.name: each for each in graph_metrics()}
    assert next(iter(metrics)) == "strict_relation_f1"
    assert metrics["strict_relation_f1"].value(metrics["strict_relation_f1"].counts(prediction, record)) == float(right)


def test_repeated_answers_are_right_once() -> None:
    record = GraphRecord(
        file="", line=0, group="", text="", tokens=None, spans=GOLD,
        relations=(Relation(head=0, tail=1, label="x"),),
    )  # fmt: skip
    twice = FoundRelation(head=0, tail=1, label="x", confidence=1.0)
    prediction = GraphPrediction(spans=found_spans((0, 4, "PER"), (9, 13, "ORG")), relations=(twice, twice))
    values = {each.name: float(each.value(each.counts(prediction, record))) for each in graph_metrics()}
    assert values["strict_relation_precision"] == 0.5
    assert values["strict_relation_recall"] == values["strict_span_f1"] == 1.0
