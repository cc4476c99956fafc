"""What a report on events shows beyond its metrics, and the cheap answer to them: forms of the training rows.

Triggers and arguments are looked at as spans of the label space (`TYPE`, `TYPE / ROLE`), with what evaluation/spans.py
says of spans: scores by label, kinds of errors, the surest mistakes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.evaluation.baselines import Answers, Splits
from weitiao.evaluation.gazetteer import Forms, forms_of, spans_in
from weitiao.evaluation.schema import Analysis, FigureRow, FigureTable
from weitiao.evaluation.spans import class_scores, errors, in_units, mistakes
from weitiao.metrics.events import event_metrics
from weitiao.records import Event, EventPrediction, EventRecord, FoundEvent, FoundSpan, Span, TagPrediction, TagRecord
from weitiao.tasks.events import SEPARATOR, in_order

Predictions = Sequence[EventPrediction]
Records = Sequence[EventRecord]
BY_EVENTS = ("argument_f1", "linked_argument_f1", "event_f1")  # metrics of texts by their number of events


def analyse(
    task: Any,
    labels: Sequence[str],
    predictions: Predictions,
    records: Records,
    *,
    train: Records,  # noqa: ARG001 - one signature for all analyses
    texts: bool,
) -> Analysis:
    """The parts of the report that only events have."""
    known = set(labels)
    said, gold = _views(task, predictions, records, lambda _span: True)
    triggers = _views(task, predictions, records, lambda span: SEPARATOR not in span.label)
    arguments = _views(task, predictions, records, lambda span: SEPARATOR in span.label)
    return Analysis(
        per_class=class_scores(said, gold, labels),
        unseen=sum(span.label not in known for record in gold for span in record.spans or ()),
        mistakes=mistakes(said, gold, texts=texts),
        tables=[
            errors(*triggers, name="trigger_errors"),
            errors(*arguments, name="argument_errors"),
            _by_events(predictions, records),
            in_units(task, gold),
            *_mixed(task, records),
        ],
    )


def _views(
    task: Any, predictions: Predictions, records: Records, chosen: Callable[[Span], bool]
) -> tuple[list[TagPrediction], list[TagRecord]]:
    """The chosen pieces of the events as spans, each once a text: what was found, and what is marked."""
    said = [TagPrediction(spans=_found(task, each.events, chosen)) for each in predictions]
    gold = []
    for record in records:
        spans = sorted(filter(chosen, set(task.spans(record.events))), key=lambda each: (*each.bounds, each.label))
        own = record.model_dump(exclude={"events"})
        gold.append(TagRecord(**own, spans=tuple(spans)))
    return said, gold


def _found(task: Any, events: Sequence[FoundEvent], chosen: Callable[[Span], bool]) -> tuple[FoundSpan, ...]:
    """The pieces of found events, with the confidence of the surest where several share one."""
    sure: dict[Span, float] = {}
    for event in events:
        confidences = (event.confidence, *(each.confidence for each in event.arguments))
        for span, confidence in zip(task.pieces(event), confidences, strict=True):
            if chosen(span):
                sure[span] = max(confidence, sure.get(span, 0.0))
    return tuple(
        FoundSpan(**span.model_dump(), confidence=confidence)
        for span, confidence in sorted(sure.items(), key=lambda each: (*each[0].bounds, each[0].label))
    )


def _by_events(predictions: Predictions, records: Records) -> FigureTable:
    """Scores of texts with one event, several, and several that one trigger of one type tells of."""
    members: dict[str, list[int]] = {"one_event": [], "several_events": [], "shared_trigger": []}
    for place, record in enumerate(records):
        events = record.events or ()
        if events:
            members["one_event" if len(events) == 1 else "several_events"].append(place)
        if len({(event.type, event.start, event.end) for event in events}) < len(events):
            members["shared_trigger"].append(place)
    rows = [
        FigureRow(label=name, count=len(own), figures=_figures(predictions, records, own))
        for name, own in members.items()
        if own
    ]
    return FigureTable(name="by_events", rows=rows)


def _mixed(task: Any, records: Records) -> list[FigureTable]:
    """Texts whose events perfect spans and links give back, and those whose events they mix."""
    told = [task.mixes(record) for record in records if record.events]
    counts = {"fits": len(told) - sum(told), "mixed_events": sum(told)}
    rows = [
        FigureRow(label=name, count=count, figures={"share": count / len(told)})
        for name, count in counts.items()
        if told
    ]
    return [FigureTable(name="event_alignment", rows=rows)] if rows else []


def _figures(predictions: Predictions, records: Records, rows: Sequence[int]) -> dict[str, float]:
    metrics = [metric for metric in event_metrics() if metric.name in BY_EVENTS]
    return {
        each.name: float(each.value(np.sum([each.counts(predictions[row], records[row]) for row in rows], axis=0)))
        for each in metrics
    }


def event_gazetteer(task: Any, splits: Splits) -> Answers:
    """Triggers by the forms of the training rows; to each, for every role that its type had, the nearest form of it."""
    triggers = _forms(task, splits.train, lambda event: [Span(start=event.start, end=event.end, label=event.type)])
    arguments = _forms(task, splits.train, lambda event: event.arguments)
    roles: dict[str, set[str]] = defaultdict(set)
    for record in splits.train:
        for event in record.events or ():
            roles[event.type] |= {each.label for each in event.arguments}
    answers = [EventPrediction(events=_told(task, record, triggers, arguments, roles)) for record in splits.rows]
    return Answers(answers, {"forms": float(len(triggers) + len(arguments))})


def _forms(task: Any, train: Records, pieces: Callable[[Event], Sequence[Span]]) -> Forms:
    texts = []
    for record in train:
        spans = {span for event in record.events or () for span in pieces(event)}
        texts.append((record.text, task.units(record), sorted(spans, key=lambda each: (*each.bounds, each.label))))
    return forms_of(texts)


def _told(
    task: Any, record: EventRecord, triggers: Forms, arguments: Forms, roles: Mapping[str, set[str]]
) -> tuple[FoundEvent, ...]:
    units = task.units(record)
    pieces = spans_in(record.text, units, arguments, overlaps=False)
    events = set()
    for trigger in spans_in(record.text, units, triggers, overlaps=False):
        own = [_nearest(trigger, [each for each in pieces if each.label == role]) for role in roles[trigger.label]]
        mine = sorted((each for each in own if each), key=lambda each: (*each.bounds, each.label))
        values = trigger.model_dump(exclude={"label"})
        events.add(FoundEvent(type=trigger.label, arguments=tuple(mine), **values))
    return in_order(events)


def _nearest(trigger: Span, pieces: Sequence[FoundSpan]) -> FoundSpan | None:
    """The piece with the fewest characters between it and the trigger; the earlier of equals."""
    return min(pieces, key=lambda each: max(each.start - trigger.end, trigger.start - each.end), default=None)
