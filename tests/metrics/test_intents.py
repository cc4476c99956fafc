"""Scores of intents and slots, counted by hand, and the label space of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weitiao.metrics.intents import IntentSlotLabels, intent_slot_metrics
from weitiao.records import FoundSpan, IntentSlotPrediction, IntentSlotRecord, Span

CITY, DAY = Span(start=0, end=4, label="city"), Span(start=5, end=8, label="day")


def pair(
    gold: tuple[str, ...], slots: tuple[Span, ...], answer: tuple[str, ...], found: tuple[Span, ...]
) -> tuple[IntentSlotPrediction, IntentSlotRecord]:
    spans = tuple(FoundSpan(**span.model_dump(), text="", confidence=1.0) for span in found)
    return (
        IntentSlotPrediction(spans=spans, intents=answer, confidence=1.0, scores={}),
        IntentSlotRecord(file="", line=0, group="", text="Rome now", tokens=None, intents=gold, spans=slots),
    )


def test_by_hand() -> None:
    rows = [
        pair(("a",), (CITY, DAY), ("a",), (CITY, DAY)),  # all right
        pair(("a", "b"), (CITY,), ("b", "a"), (CITY,)),  # all right, in another order
        pair(("a",), (CITY,), ("a",), (DAY,)),  # a slot wrong
        pair(("a",), (), ("b",), ()),  # the intent wrong
        pair(("a",), (), ("a", "b"), ()),  # one too many
        pair(("oos",), (), ("oos",), ()),
        pair(("oos",), (), ("a",), ()),
        pair(("b",), (), ("oos",), ()),
    ]
    labels = IntentSlotLabels(["a", "b"], ["city", "day"], several=True)
    metrics = intent_slot_metrics(labels, out_of_scope="oos")
    found = {each.name: float(each.value(np.sum([each.counts(*row) for row in rows], axis=0))) for each in metrics}
    assert found == {
        "sentence_exact": pytest.approx(3 / 8),
        "intent_accuracy": pytest.approx(4 / 8),
        "slot_f1": pytest.approx(2 * 3 / (4 + 4)),
        "slot_precision": pytest.approx(3 / 4),
        "slot_recall": pytest.approx(3 / 4),
        "in_scope_accuracy": pytest.approx(3 / 6),
        "out_of_scope_precision": pytest.approx(1 / 2),
        "out_of_scope_recall": pytest.approx(1 / 2),
    }


NAMES = st.lists(st.text(min_size=1), unique=True, max_size=4)


@given(NAMES, NAMES, st.booleans())
def test_label_spaces_come_back(intents: list[str], slots: list[str], several: bool) -> None:
    labels = IntentSlotLabels(intents, slots, several=several and bool(intents))
    assert IntentSlotLabels.of(labels.names()) == labels
