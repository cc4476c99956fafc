"""Spans of tags as conlleval and seqeval's default mode read them, whatever the scheme; strict scores by sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.metrics import Metric
from weitiao.metrics.spans import Found, may_follow, parse_tag, span_metrics, spans_of_tags, tag_names, tags_of_spans
from weitiao.records import FoundSpan, Span, TagPrediction, TagRecord

# conlleval.pl's two tables (Tjong Kim Sang & Buchholz 2000) with the single tag S that seqeval adds: between a tag and
# the next of the same type, does a chunk end, and does one start?
ENDS = {"BB", "BS", "BO", "IB", "IS", "IO", "EB", "EI", "EE", "ES", "EO", "SB", "SI", "SE", "SS", "SO"}
STARTS = {"BB", "IB", "OB", "EB", "SB", "BS", "IS", "OS", "ES", "SS", "EE", "EI", "SE", "SI", "OE", "OI"}
LETTERS = {"M": "I", "L": "E", "U": "S", "W": "S"}


def chunks(tags: Sequence[str]) -> list[Found]:
    """The chunks of a sequence by those tables."""
    found: list[Found] = []
    begin, before, type_before = 0, "O", ""
    for place, tag in enumerate([*tags, "O"]):
        letter, _dash, kind = tag.partition("-")
        letter = LETTERS.get(letter, letter)
        other = kind != type_before
        if before != "O" and (before + letter in ENDS or other):
            found.append((begin, place, type_before))
        if letter != "O" and (before + letter in STARTS or other):
            begin = place
        before, type_before = letter, kind
    return found


SCHEMES = {"iob": "BIO", "ioe": "IEO", "bioes": "BIOES", "bilou": "BILOU", "bmes": "BMESO", "bmew": "BMEWO"}
TAGS = st.sampled_from(sorted(SCHEMES)).flatmap(
    lambda scheme: st.lists(
        st.sampled_from(["O", *(f"{letter}-{kind}" for letter in SCHEMES[scheme] if letter != "O" for kind in "XY")]),
        max_size=12,
    )
)


@settings(max_examples=800, deadline=None)
@given(TAGS)
def test_any_tags_are_read_as_conlleval_reads_them(tags: list[str]) -> None:
    assert spans_of_tags(tags) == chunks(tags)


@settings(max_examples=300, deadline=None)
@given(TAGS)
def test_as_seqeval_reads_them_in_its_default_mode(tags: list[str]) -> None:
    from seqeval.metrics import sequence_labeling

    plain = [LETTERS.get(tag[0], tag[0]) + tag[1:] for tag in tags]
    assert spans_of_tags(tags) == [(start, end + 1, kind) for kind, start, end in sequence_labeling.get_entities(plain)]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("I-X I-X O I-X", [(0, 2, "X"), (3, 4, "X")]),  # IOB1
        ("I-X B-X I-X", [(0, 1, "X"), (1, 3, "X")]),
        ("I-X E-X I-X", [(0, 2, "X"), (2, 3, "X")]),  # IOE1
        ("B-X I-Y", [(0, 1, "X"), (1, 2, "Y")]),
        ("B-X E-X S-Y O U-X W-X", [(0, 2, "X"), (2, 3, "Y"), (4, 5, "X"), (5, 6, "X")]),
        ("B_X L_X M-Y M-Y", [(0, 2, "X"), (2, 4, "Y")]),
        ("B I O S", [(0, 2, ""), (3, 4, "")]),
        ("B-a-b I-a-b", [(0, 2, "a-b")]),
        ("", []),
    ],
)
def test_by_hand(tags: str, spans: list[Found]) -> None:
    assert spans_of_tags(tags.split()) == spans


@pytest.mark.parametrize("tag", ["X", "B-", "NN", "o", "O-X", "BX", "-X", "", "SpaceAfter=No"])
def test_what_is_no_tag(tag: str) -> None:
    assert parse_tag(tag) is None
    with pytest.raises(ValueError, match=f"^{re.escape(tag)}$"):
        spans_of_tags(["O", tag])


@st.composite
def disjoint(draw: st.DrawFn) -> tuple[list[Found], int]:
    cuts = sorted(draw(st.sets(st.integers(0, 14), max_size=8)))
    pairs = [(a, b) for a, b in pairwise(cuts) if draw(st.booleans())]
    return [(a, b, draw(st.sampled_from("XY"))) for a, b in pairs], 14


@settings(max_examples=300, deadline=None)
@given(disjoint(), st.sampled_from(["bio", "bioes"]))
def test_tags_of_spans_are_allowed_and_read_back(made: tuple[list[Found], int], scheme: Any) -> None:
    spans, length = made
    tags = tags_of_spans(spans, length, scheme)
    assert spans_of_tags(tags) == spans
    names = tag_names(["X", "Y"], scheme)
    allowed, border = may_follow(names), len(names)
    path = [border, *(names.index(tag) for tag in tags), border]
    assert all(allowed[a, b] for a, b in pairwise(path))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["bio", "bioes"]), st.lists(st.integers(0, 8), max_size=7))
def test_allowed_is_what_spans_have_and_nothing_else(scheme: Any, picks: list[int]) -> None:
    names = tag_names(["X", "Y"], scheme)
    tags = [names[pick % len(names)] for pick in picks]
    allowed, border = may_follow(names), len(names)
    path = [border, *(names.index(tag) for tag in tags), border]
    follows = all(allowed[a, b] for a, b in pairwise(path))
    assert follows == (tags_of_spans(spans_of_tags(tags), len(tags), scheme) == tags)


Spans = list[Found]
SPANS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(1, 3), st.sampled_from("XYZ")).map(
        lambda each: (each[0], each[0] + each[1], each[2])
    ),
    unique=True,
    max_size=5,
)


def prediction(spans: Spans) -> TagPrediction:
    return TagPrediction(spans=tuple(FoundSpan(start=a, end=b, label=label, confidence=1.0) for a, b, label in spans))


def record(spans: Spans | None) -> TagRecord:
    return TagRecord(
        text="a" * 9, spans=None if spans is None else tuple(Span(start=a, end=b, label=label) for a, b, label in spans)
    )


def values(rows: Sequence[tuple[Spans, Spans]], metrics: Sequence[Metric]) -> dict[str, float]:
    return {
        metric.name: float(
            metric.value(np.sum([metric.counts(prediction(said), record(gold)) for said, gold in rows], axis=0))
        )
        for metric in metrics
    }


def ratios(said: set[Any], gold: set[Any]) -> tuple[float, float, float]:
    """Precision, recall and F1 of two sets."""
    hits = len(said & gold)
    precision, recall = hits / len(said) if said else 0.0, hits / len(gold) if gold else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=4))
def test_strict_scores_are_those_of_sets(rows: list[tuple[Spans, Spans]]) -> None:
    """Z is a label that training never saw: it counts in all, and its own F1 in the macro average."""
    said = {(row, *span) for row, (spans, _gold) in enumerate(rows) for span in spans}
    gold = {(row, *span) for row, (_said, spans) in enumerate(rows) for span in spans}
    found = values(rows, span_metrics(["X", "Y"]))
    precision, recall, f1 = ratios(said, gold)
    assert found["span_precision"] == pytest.approx(precision, abs=1e-9)
    assert found["span_recall"] == pytest.approx(recall, abs=1e-9)
    assert found["span_f1"] == pytest.approx(f1, abs=1e-9)
    present = sorted({span[3] for span in said | gold})
    each = [
        ratios({span for span in said if span[3] == k}, {span for span in gold if span[3] == k})[2] for k in present
    ]
    assert found["macro_span_f1"] == pytest.approx(sum(each) / len(each) if each else 0.0, abs=1e-9)
    whole = sum(sorted(spans) == sorted(own) for spans, own in rows) / len(rows)
    assert found["exact_match"] == pytest.approx(whole)


@pytest.mark.parametrize(
    ("said", "gold", "value"),
    [
        ([(0, 2, "X")], [(0, 2, "X")], 1.0),
        ([(0, 1, "X")], [(0, 2, "X")], 0.5),
        ([(0, 1, "Y")], [(0, 2, "X")], 0.0),
        ([(0, 1, "X"), (1, 2, "X")], [(0, 2, "X")], 1 / 3),  # one gold span gives credit once
        ([(0, 4, "X")], [(0, 2, "X"), (2, 4, "X")], 1 / 3),
        ([(0, 2, "X"), (1, 3, "X")], [(0, 2, "X"), (3, 4, "X")], 0.5),  # the exact one is taken first
        ([], [(0, 1, "X")], 0.0),
        ([], [], 0.0),
    ],
)
def test_partial_scores_by_hand(said: Spans, gold: Spans, value: float) -> None:
    assert values([(said, gold)], span_metrics(["X", "Y"]))["partial_span_f1"] == pytest.approx(value)


def test_equal_answers_count_once_a_gold_span() -> None:
    twice = [(0, 1, "X"), (0, 1, "X")]
    found = values([(twice, [(0, 1, "X")])], span_metrics(["X"]))
    assert (found["span_precision"], found["span_recall"]) == (0.5, 1.0)


def test_the_headline_is_strict_f1_and_unlabelled_rows_have_no_gold() -> None:
    metrics = span_metrics(["X"])
    assert metrics[0].name == "span_f1"
    assert metrics[0].counts(prediction([(0, 1, "X")]), record(None)).sum() == 1.0
