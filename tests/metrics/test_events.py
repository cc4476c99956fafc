"""Strict scores of events, counted by hand: what is shared counts once, and a link or a span that is off costs."""

from __future__ import annotations

import numpy as np
import pytest

from weitiao.metrics.events import event_metrics
from weitiao.records import Event, EventPrediction, EventRecord, FoundEvent, FoundSpan, Span

Told = tuple[str, int, int, list[tuple[int, int, str]]]  # type, trigger, arguments

GOLD: list[Told] = [
    ("buy", 4, 6, [(0, 2, "who"), (6, 9, "what")]),
    ("buy", 10, 12, [(0, 2, "who"), (12, 14, "what")]),
    ("say", 20, 21, []),
]
SAID: list[Told] = [
    ("buy", 4, 6, [(0, 2, "who"), (6, 9, "what")]),
    ("buy", 10, 12, [(0, 2, "who"), (6, 9, "what")]),  # linked to the wrong trigger
    ("sell", 20, 21, [(12, 14, "what")]),  # a wrong type makes trigger and argument wrong
]


def record_of(events: list[Told]) -> EventRecord:
    return EventRecord(
        text="x" * 30,
        events=tuple(
            Event(type=name, start=a, end=b, arguments=tuple(Span(start=c, end=d, label=e) for c, d, e in arguments))
            for name, a, b, arguments in events
        ),
    )


def prediction_of(events: list[Told]) -> EventPrediction:
    return EventPrediction(
        events=tuple(
            FoundEvent(
                type=name, start=a, end=b, confidence=0.9,
                arguments=tuple(FoundSpan(start=c, end=d, label=e, confidence=0.8) for c, d, e in arguments),
            )
            for name, a, b, arguments in events
        )
    )  # fmt: skip


def values(said: list[Told], gold: list[Told]) -> dict[str, float]:
    return {
        metric.name: float(metric.value(metric.counts(prediction_of(said), record_of(gold))))
        for metric in event_metrics()
    }


def test_scores_by_hand() -> None:
    found = values(SAID, GOLD)
    # arguments, each once: gold who 0-2, what 6-9, what 12-14; said who 0-2, what 6-9, (sell) what 12-14
    assert found["argument_precision"] == pytest.approx(2 / 3)
    assert found["argument_recall"] == pytest.approx(2 / 3)
    assert found["argument_f1"] == pytest.approx(2 / 3)
    assert found["trigger_f1"] == pytest.approx(2 / 3)
    # with triggers: four gold, five said, three right
    assert found["linked_argument_f1"] == pytest.approx(2 * 3 / (4 + 5))
    assert found["event_f1"] == pytest.approx(2 * 1 / (3 + 3))
    assert found["exact_match"] == 0


def test_the_order_and_the_number_of_mentions_do_not_matter() -> None:
    assert set(values([*GOLD[::-1], GOLD[0]], GOLD).values()) == {1.0}


def test_sums_over_texts_are_micro_averages() -> None:
    metric = event_metrics()[0]
    counts = [
        metric.counts(prediction_of(a), record_of(b)) for a, b in ((SAID, GOLD), ([], GOLD), (GOLD, []), ([], []))
    ]
    assert float(metric.value(np.sum(counts, axis=0))) == pytest.approx(2 * 2 / (6 + 6))
    assert np.allclose(metric.value(np.stack(counts)), [2 / 3, 0, 0, 0])
