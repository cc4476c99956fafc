"""Spans in a report: what became of each, lengths, forms, units and alignment by hand; the gazetteer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.evaluation import BASELINES
from weitiao.evaluation.baselines import Splits
from weitiao.evaluation.schema import FigureTable
from weitiao.evaluation.spans import analyse, kinds_of_errors
from weitiao.metrics.spans import Found, keys
from weitiao.records import FoundSpan, Span, TagPrediction, TagRecord
from weitiao.tasks.tag import Tag


def spans(*found: Found) -> list[Span]:
    return [Span(start=start, end=end, label=label) for start, end, label in found]


def record(text: str, *found: Found, line: int = 1) -> TagRecord:
    return TagRecord(file="f", line=line, text=text, spans=tuple(spans(*found)))


def answer(*found: Found, sure: float = 0.5) -> TagPrediction:
    return TagPrediction(
        spans=tuple(FoundSpan(start=start, end=end, label=label, confidence=sure) for start, end, label in found)
    )


@pytest.mark.parametrize(
    ("said", "gold", "kinds"),
    [
        ([(0, 2, "X")], [(0, 2, "X")], {"right": 1}),
        ([(0, 2, "Y")], [(0, 2, "X")], {"wrong_label": 1}),
        ([(0, 1, "X")], [(0, 2, "X")], {"wrong_border": 1}),
        ([(0, 1, "Y")], [(0, 2, "X")], {"wrong_both": 1}),
        ([(5, 6, "X")], [(0, 2, "X")], {"spurious": 1, "missed": 1}),
        ([], [(0, 2, "X"), (3, 4, "X")], {"missed": 2}),
        ([(0, 1, "X"), (1, 2, "X")], [(0, 2, "X")], {"wrong_border": 2}),
        ([(0, 4, "X")], [(0, 2, "X"), (2, 4, "Y")], {"wrong_border": 1}),
        ([(0, 4, "X")], [(0, 4, "Y"), (0, 2, "X")], {"wrong_label": 1}),
        ([(2, 3, "X")], [(0, 2, "X")], {"spurious": 1, "missed": 1}),
        ([], [], {}),
    ],
)
def test_what_became_of_each_span(said: list[Found], gold: list[Found], kinds: dict[str, int]) -> None:
    assert {kind: count for kind, count in kinds_of_errors(spans(*said), spans(*gold)).items() if count} == kinds


FLAT = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from("XY")), max_size=5)


def laid_out(parts: Sequence[tuple[int, int, str]]) -> list[Span]:
    """Spans without overlaps, from gaps and lengths."""
    found, end = [], 0
    for gap, length, label in parts:
        found.append(Span(start=end + gap, end=end + gap + length, label=label))
        end += gap + length
    return found


@settings(max_examples=200, deadline=None)
@given(FLAT, FLAT)
def test_each_answer_is_of_one_kind_and_missed_is_what_nothing_touches(
    one: list[tuple[int, int, str]], other: list[tuple[int, int, str]]
) -> None:
    said, gold = laid_out(one), laid_out(other)
    kinds = kinds_of_errors(said, gold)
    assert kinds.total() - kinds["missed"] == len(said)
    assert kinds["right"] == len(set(keys(said)) & set(keys(gold)))
    covered = {place for span in said for place in range(span.start, span.end)}
    assert kinds["missed"] == sum(not covered & set(range(span.start, span.end)) for span in gold)


def rows(table: FigureTable) -> dict[str, tuple[int, dict[str, float]]]:
    return {
        row.label: (row.count, {name: round(value, 4) for name, value in row.figures.items()}) for row in table.rows
    }


GOLD = [
    record("Ann Lee met Bob", (0, 7, "PER"), (12, 15, "PER")),
    record("在北京的Rome", (1, 3, "LOC"), (4, 8, "LOC"), line=2),
    record("nothing here", line=3),
]
SAID = [
    answer((0, 3, "PER"), (12, 15, "PER"), sure=0.9),
    answer((1, 3, "LOC"), (4, 8, "PER"), sure=0.7),
    answer((0, 7, "LOC"), sure=0.8),
]


def test_tables_by_hand() -> None:
    train = [record("Bob", (0, 3, "PER")), record("北京", (0, 2, "LOC"))]
    found = analyse(Tag(), ["LOC", "PER"], SAID, GOLD, train=train, texts=True)
    tables = {table.name: rows(table) for table in found.tables}
    assert {name: row[0] for name, row in tables["span_errors"].items()} == {
        "right": 2, "wrong_border": 1, "wrong_label": 1, "wrong_both": 0, "spurious": 1, "missed": 0,
    }  # fmt: skip
    assert tables["spans_by_length"] == {
        "1": (2, {"precision": 0.25, "recall": 0.5, "f1": 0.3333}),  # Ann, Bob, Rome as PER, nothing
        "2": (2, {"precision": 1.0, "recall": 0.5, "f1": 0.6667}),
    }
    assert tables["spans_by_form"] == {
        "seen_form": (2, {"precision": 1.0, "recall": 1.0, "f1": 1.0}),
        "unseen_form": (2, {"precision": 0.0, "recall": 0.0, "f1": 0.0}),
    }
    # units: Ann Lee met Bob | 在 北 京 的 Rome | nothing here; Lee, Rome and nothing are wrong
    assert tables["by_unit"]["units"][0] == 11
    assert tables["by_unit"]["units"][1]["token_accuracy"] == round(8 / 11, 4)
    per, loc, outside = 2 * 2 / (3 + 3), 2 * 2 / (3 + 3), 2 * 4 / (5 + 5)
    assert tables["by_unit"]["units"][1]["macro_f1_with_outside"] == round((per + loc + outside) / 3, 4)
    assert {name: row[0] for name, row in tables["span_alignment"].items()} == {
        "fits": 4, "border_in_unit": 0, "overlapping_span": 0,
    }  # fmt: skip
    scores = {each.label: (each.precision, each.recall, each.support, each.answers) for each in found.per_class}
    assert scores == {"LOC": (0.5, 0.5, 2, 2), "PER": (1 / 3, 0.5, 2, 3)}


def test_mistakes_are_the_surest_and_without_texts_told_by_place() -> None:
    found = analyse(Tag(), ["LOC", "PER"], SAID, GOLD, train=[], texts=True)
    assert [(each.place, each.confidence, each.gold, each.predicted) for each in found.mistakes] == [
        ("f:1", 0.9, ["PER: Ann Lee"], ["PER: Ann"]),
        ("f:3", 0.8, [], ["LOC: nothing"]),
        ("f:2", 0.7, ["LOC: Rome"], ["PER: Rome"]),
    ]
    assert "spans_by_form" not in {table.name for table in found.tables}, "without training rows none is known"
    (first, *_rest) = analyse(Tag(), ["LOC", "PER"], SAID, GOLD, train=[], texts=False).mistakes
    assert (first.gold, first.predicted, first.text) == (["PER 0-7"], ["PER 0-3"], None)


def test_what_tags_cannot_give_is_counted() -> None:
    gold = [record("good films", (5, 9, "X"), (0, 4, "X")), record("the good film", (0, 13, "X"), (4, 8, "Y"))]
    found = analyse(Tag(), ["X"], [answer(), answer()], gold, train=[], texts=True)
    (table,) = (table for table in found.tables if table.name == "span_alignment")
    assert {row.label: row.count for row in table.rows} == {"fits": 2, "border_in_unit": 1, "overlapping_span": 1}
    assert found.unseen == 1


def found_by(train: Sequence[TagRecord], text: str) -> list[Found]:
    answers = BASELINES["gazetteer"](Tag(), Splits(train, [], [record(text)], []))
    (said,) = answers.predictions
    assert all(text[each.start : each.end] == each.text for each in said.spans)
    return [(each.start, each.end, each.label) for each in said.spans]


def test_the_gazetteer_takes_the_longest_form_from_left_to_right() -> None:
    train = [record("New York", (0, 8, "LOC")), record("York", (0, 4, "PER")), record("York City", (0, 9, "ORG"))]
    train += [record("York", (0, 4, "PER"))] * 2
    assert found_by(train, "New York City") == [(0, 8, "LOC")]
    assert found_by(train, "York City, York") == [(0, 9, "ORG"), (11, 15, "PER")]


def test_a_form_must_be_marked_more_often_than_not() -> None:
    marked, bare = record("may", (0, 3, "PER")), record("may")
    assert found_by([marked, marked, bare], "may") == [(0, 3, "PER")]
    assert found_by([marked, bare], "may") == []


def test_the_commonest_label_of_a_form_counts() -> None:
    train = [record("Ann", (0, 3, "ORG")), *[record("Ann", (0, 3, "PER"))] * 2]
    assert found_by(train, "Ann") == [(0, 3, "PER")]
    answers = BASELINES["gazetteer"](Tag(), Splits(train, [], [record("Ann")], []))
    assert answers.predictions[0].spans[0].confidence == pytest.approx(2 / 3)
    assert answers.settings == {"forms": 1.0}


def test_forms_begin_and_end_at_units() -> None:
    train = [record("美国", (0, 2, "LOC")), record("Art", (0, 3, "X")), record("Artful", (0, 3, "Y"))]
    assert found_by(train, "在美国Art") == [(1, 3, "LOC"), (3, 6, "X")]
    assert found_by(train, "Artful Dodger") == []
    assert found_by([], "anything") == []
