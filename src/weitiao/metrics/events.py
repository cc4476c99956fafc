"""Strict scores of events: triggers, arguments, and whole events, each thing of a text once.

A trigger is right with its span and type; an argument with its span, role and event type, as ACE 2005 (Li et al. 2013)
and FewFC (Sheng et al. 2021) are scored; linked, also with its trigger; an event with all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from weitiao.metrics import Metric
from weitiao.metrics.classification import RATIOS, Tally, divide
from weitiao.records import Event, EventPrediction, EventRecord, FloatArray

Things = Callable[[Iterable[Event]], set[tuple[object, ...]]]


def triggers(events: Iterable[Event]) -> set[tuple[object, ...]]:
    """(type, start, end)."""
    return {(event.type, event.start, event.end) for event in events}


def arguments(events: Iterable[Event]) -> set[tuple[object, ...]]:
    """(type, role, start, end)."""
    return {(event.type, each.label, each.start, each.end) for event in events for each in event.arguments}


def linked_arguments(events: Iterable[Event]) -> set[tuple[object, ...]]:
    """(type, start and end of the trigger, role, start, end)."""
    return {
        (event.type, event.start, event.end, each.label, each.start, each.end)
        for event in events
        for each in event.arguments
    }


def whole_events(events: Iterable[Event]) -> set[tuple[object, ...]]:
    """(type, start and end of the trigger, all arguments)."""
    return {
        (event.type, event.start, event.end, frozenset((each.label, each.start, each.end) for each in event.arguments))
        for event in events
    }


def event_metrics() -> list[Metric]:
    """Strict scores of events, headline (F1 of the arguments) first."""
    return [
        *(EventMetric(f"argument_{name}", arguments, ratio) for name, ratio in RATIOS.items()),
        *(EventMetric(f"trigger_{name}", triggers, ratio) for name, ratio in RATIOS.items()),
        EventMetric("linked_argument_f1", linked_arguments, RATIOS["f1"]),
        EventMetric("event_f1", whole_events, RATIOS["f1"]),
        ExactEvents(),
    ]


class EventMetric:
    """A ratio of the things found, answered and marked.

    Args:
        name: as in reports.
        things: what of events counts.
        tally: (hits, answers, gold), each [...] -> [...].
    """

    def __init__(self, name: str, things: Things, tally: Tally) -> None:
        self.name, self.things, self.tally = name, things, tally

    def counts(self, prediction: EventPrediction, record: EventRecord) -> FloatArray:
        """[hits, answers, gold]."""
        said, gold = self.things(prediction.events), self.things(record.events or ())
        return np.array([len(said & gold), len(said), len(gold)], dtype=np.float64)

    def value(self, total: FloatArray) -> FloatArray:
        return self.tally(total[..., 0], total[..., 1], total[..., 2])


class ExactEvents:
    """Share of the texts with every event right and none too many."""

    name = "exact_match"

    def counts(self, prediction: EventPrediction, record: EventRecord) -> FloatArray:
        """[right, 1]."""
        return np.array([whole_events(prediction.events) == whole_events(record.events or ()), 1.0])

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])
