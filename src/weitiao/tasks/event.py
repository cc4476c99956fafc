"""Event: what happens in a text (triggers, each with a type), and who or what takes part (arguments, each with a role).

Fields `text` and `events` become an `EventRecord`. Triggers and arguments are spans of one label space: `TYPE` and
`TYPE / ROLE` (or `* / ROLE`, where all types share their roles); the head `event` scores them, and which of them belong
together. A trigger's arguments are those linked to it; where not all of them are linked to each other, the trigger
tells of several events, one for each largest group that is. Notation: U units, N spans of a window, P pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.metrics import Metric, value_of
from weitiao.metrics.events import event_metrics, whole_events
from weitiao.recipe import Finding, TrainingSpec
from weitiao.records import (
    Event,
    EventPrediction,
    EventRecord,
    Feature,
    FloatArray,
    FoundEvent,
    FoundSpan,
    IntArray,
    Outputs,
    Span,
)
from weitiao.tasks import FieldSpec, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.classify import HALF
from weitiao.tasks.cliques import maximal_cliques
from weitiao.tasks.events import SEPARATOR, in_order, places, read_events
from weitiao.tasks.label_audit import LabelCounts, audit_spans, unanswerable
from weitiao.tasks.labels import in_natural_order
from weitiao.tasks.marked import TEXT, TOKENS, UnitOptions, read_text
from weitiao.tasks.pointers import (
    Keys,
    Reading,
    calibrated,
    candidates,
    features_of,
    marks_of,
    pairs_of,
    probability,
    readings,
    span_keys,
    without_smoothing,
)
from weitiao.tasks.spans import covering, misalignment_problems
from weitiao.tasks.units import Bounds
from weitiao.tasks.windows import Window
from weitiao.text import Tokenizer

CERTAIN = 10.0  # score of a span or link that is surely there
TRIGGERS, ARGUMENTS, LINKS = "trigger_threshold", "argument_threshold", "link_threshold"  # keys of the settings
LINK_THRESHOLDS = (0.1, 0.2, 0.3, 0.4, HALF)  # that are tried on dev
ANY = "*"  # stands for the type where all types share their roles
EVENTS = FieldSpec("events", required=False, only_labelled=True, aliases=("events", "event_list", "事件"))
BoolArray = npt.NDArray[np.bool_]


class EventOptions(UnitOptions):
    """What a recipe may say under `task: {name: event, ...}`."""

    roles: Literal["own", "shared"] = Field(
        default="own",
        description="own: a role belongs to its type of event; shared: it means the same in every type, as those of "
        "semantic roles do, and is learnt once for all",
    )
    size: int = Field(
        default=64, ge=2, multiple_of=2, description="width of the vectors by which units are compared"
    )  # Su et al. 2022 (arXiv 2208.03054), settings of the experiments


class EventTask(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "event"
    options_model: ClassVar[type[EventOptions]] = EventOptions
    record: ClassVar[type[EventRecord]] = EventRecord
    prediction: ClassVar[type[EventPrediction]] = EventPrediction
    head: ClassVar[str] = "event"
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, TOKENS, EVENTS)
    baselines: ClassVar[Sequence[str]] = ("event_gazetteer",)

    def __init__(self, options: EventOptions | None = None) -> None:
        self.options = options or EventOptions()

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> EventRecord:
        text, tokens = read_text(fields)
        events = read_events(text, fields.get("events"))
        if labelled and events is None:
            raise RowFault(_("no events"))
        return EventRecord(file=file, line=line, group=group, text=text, events=events, tokens=tokens)

    def surface(self, record: EventRecord) -> str:
        return record.text

    def answer(self, record: EventRecord) -> str:
        return " | ".join(
            f"{event.type} {event.start}-{event.end} "
            f"({', '.join(f'{role} {start}-{end}' for start, end, role in places(event.arguments))})"
            for event in record.events or ()
        )

    def label_space(self, records: Sequence[EventRecord]) -> Sequence[str]:
        return in_natural_order(span.label for record in records for span in self.spans(record.events))

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return labels

    def head_options(self) -> Mapping[str, Any]:
        return {"size": self.options.size}

    def spans(self, events: Sequence[Event] | None) -> list[Span]:
        """Triggers and arguments as spans of the label space, by event; what events share stands in each."""
        return [span for event in events or () for span in self.pieces(event)]

    def pieces(self, event: Event) -> list[Span]:
        """The trigger and the arguments of an event as spans of the label space."""
        scope = event.type if self.options.roles == "own" else ANY
        return [
            Span(start=event.start, end=event.end, label=event.type),
            *(
                Span(start=each.start, end=each.end, label=f"{scope}{SEPARATOR}{each.label}")
                for each in event.arguments
            ),
        ]

    def audit(self, splits: Mapping[str, Sequence[EventRecord]], labels: Sequence[str]) -> list[Problem]:
        found = audit_spans({split: self._counts(records) for split, records in splits.items()}, labels, fixed=False)
        for split, records in splits.items():
            texts = [(record, list(set(self.spans(record.events))), self.units(record)) for record in records]
            found += misalignment_problems(split, texts)
            found += self._mixed(split, records)
        return found

    def _mixed(self, split: str, records: Sequence[EventRecord]) -> Iterator[Problem]:
        """A warning about texts whose events even a perfect model would not give back."""
        rows = tuple(RowPlace(record.file, record.line) for record in records if self.mixes(record))
        if rows:
            message = ngettext(
                "the events of {count} of {total} rows of {split} share spans so that links cannot tell them apart; "
                "even perfect answers mix them, which costs event_f1",
                "the events of {count} of {total} rows of {split} share spans so that links cannot tell them apart; "
                "even perfect answers mix them, which costs event_f1",
                len(rows),
            ).format(count=len(rows), total=len(records), split=split)
            yield Problem("mixed-events", message, rows[0].file, rows[0].line, "warning", rows)

    def mixes(self, record: EventRecord) -> bool:
        """Whether perfect spans and links would not give back the events of a text.

        Links join spans whatever their role, so that a span with a role in each of two events of one type has both in
        both; and of events with one trigger, one that is part of another cannot be told.
        """
        events, units = record.events or (), self.units(record)
        if len(events) < 2:
            return False
        labels = self.label_space([record])
        whole = Window(0, len(units), 0, len(units))
        window = Reading(whole, np.zeros(0, dtype=np.int64), None, np.arange(len(units)), 0)
        marks = marks_of(covering(self.spans(events), units), {label: place for place, label in enumerate(labels)})
        links = _links(window, self._linked(events, units))["links"]
        output = {
            name: np.column_stack([rows, np.full(len(rows), CERTAIN)])
            for name, rows in (("spans", marks), ("links", links))
        }
        found = self.decode(record, [window.feature(0, {})], [output], labels, {})
        return self._told(found.events, units) != self._told(events, units)

    def _told(self, events: Sequence[Event], units: Sequence[Bounds]) -> set[tuple[Any, ...]]:
        """The events by the units of their triggers and arguments."""
        pieces = [self.pieces(event) for event in events]
        return {(*covering(each[:1], units), frozenset(covering(each[1:], units))) for each in pieces}

    def unanswerable(self, records: Sequence[EventRecord], labels: Sequence[str]) -> list[Problem]:
        return unanswerable(self._counts(records), labels)

    def _counts(self, records: Sequence[EventRecord]) -> LabelCounts:
        return LabelCounts.of(
            ([span.label for span in self.spans(record.events)], record.file, record.line) for record in records
        )

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        return without_smoothing(training, self.name)

    def units(self, record: EventRecord) -> Sequence[Bounds]:
        """(start, end) of the units of a text, in order."""
        return self.options.of(record.text, record.tokens)

    def encode(
        self, records: Sequence[EventRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        units = [self.units(record) for record in records]
        texts = [(record.text, each) for record, each in zip(records, units, strict=True)]
        index = {label: place for place, label in enumerate(labels)}
        features: list[Feature] = []
        for group, windows in enumerate(readings(texts, tokenizer, max_length)):
            gold = self.spans(records[group].events)
            if records[group].events is None or any(span.label not in index for span in gold):
                features += features_of(group, windows, None)
                continue
            linked = self._linked(records[group].events or (), units[group])
            marks = marks_of(covering(gold, units[group]), index)
            apart = len(linked) - len(set().union(*(_within(window, linked).tolist() for window in windows)))
            features += features_of(group, windows, marks, partial(_links, linked=linked), lost=apart)
        return features

    def _linked(self, events: Sequence[Event], units: Sequence[Bounds]) -> IntArray:
        """First and last units of any two pieces of one event, [P, 4]."""
        found = set()
        for event in events:
            pieces = covering(self.pieces(event), units)
            found |= {(a, b - 1, c, d - 1) for (a, b, _one), (c, d, _two) in combinations(pieces, 2)}
        return np.array(sorted(found), dtype=np.int64).reshape(-1, 4)

    def decode(
        self,
        record: EventRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> EventPrediction:
        units, least = self.units(record), settings.get(TRIGGERS, HALF)
        found: set[FoundEvent] = set()
        answered = candidates(features, outputs, len(units))
        for feature, output, own in zip(features, outputs, answered, strict=True):
            seen = _Window(feature, output, labels, settings)
            for trigger in _held(own, least):
                if SEPARATOR not in labels[int(trigger[2])]:
                    found |= set(self._events(record.text, units, seen, trigger))
        return EventPrediction(events=in_order(found))

    def _events(self, text: str, units: Sequence[Bounds], window: _Window, trigger: FloatArray) -> Iterator[FoundEvent]:
        """The events that one trigger tells of."""
        label = window.labels[int(trigger[2])]
        mine = window.arguments(trigger, label if self.options.roles == "own" else ANY)  # [N, 4]
        pieces = [_piece(text, units, each, window.labels[int(each[2])].partition(SEPARATOR)[2]) for each in mine]
        whole = _piece(text, units, trigger, label)
        for group in maximal_cliques(window.linked(mine, mine)):
            arguments = sorted((pieces[place] for place in group), key=lambda each: (*each.bounds, each.label))
            yield FoundEvent(
                type=label, start=whole.start, end=whole.end, text=whole.text, confidence=whole.confidence,
                arguments=tuple(arguments),
            )  # fmt: skip

    def calibrate(
        self,
        records: Sequence[EventRecord],
        features: Sequence[Sequence[Feature]],
        outputs: Sequence[Sequence[Outputs]],
        labels: Sequence[str],
    ) -> Settings:
        """Thresholds of triggers and of arguments, each with its best F1 on dev; with them, of links, for arguments."""
        known = [row for row in zip(records, features, outputs, strict=True) if row[0].events is not None]
        if not known:
            return {}
        texts: dict[str, list[tuple[FloatArray, Keys]]] = {TRIGGERS: [], ARGUMENTS: []}
        for record, own, said in known:
            units = self.units(record)
            every = np.concatenate(candidates(own, said, len(units)))  # [N, 4]
            for name, each in texts.items():
                index = {label: at for at, label in enumerate(labels) if (SEPARATOR in label) == (name == ARGUMENTS)}
                mine = every[np.isin(every[:, 2], list(index.values()))]
                each.append((mine, span_keys(self.spans(record.events), units, index)))
        found: Settings = {name: calibrated(each) for name, each in texts.items()}

        def gained(link: float) -> float:
            answers = [self.decode(*row, labels, {**found, LINKS: link}) for row in known]
            return value_of(event_metrics()[0], answers, [record for record, _own, _said in known])

        return {**found, LINKS: max(LINK_THRESHOLDS, key=lambda link: (gained(link), link))}

    def right(self, prediction: EventPrediction, record: EventRecord) -> bool:
        return whole_events(prediction.events) == whole_events(record.events or ())

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:  # noqa: ARG002
        return event_metrics()


class _Window:
    """What the head said of one window: its spans, and which units are linked."""

    def __init__(self, feature: Feature, output: Outputs, labels: Sequence[str], settings: Settings) -> None:
        self.labels = labels
        self.start, length = int(feature.places["units"][0]), len(feature.places["units"])
        self.spans = _held(pairs_of(feature, output["spans"]), settings.get(ARGUMENTS, HALF))  # [N, 4]
        self.links = np.zeros((2, length, length), dtype=np.bool_)  # kind, unit, unit
        linked = pairs_of(feature, output["links"])
        for row, column, kind, _score in _held(linked, settings.get(LINKS, HALF)).astype(np.int64):
            pair = (row - self.start, column - self.start)
            self.links[kind][pair] = self.links[kind][pair[::-1]] = True

    def arguments(self, trigger: FloatArray, scope: str) -> FloatArray:
        """The arguments that are linked to a trigger, of its type or of any, [N, 4]."""
        opening = scope + SEPARATOR
        fits = np.array([self.labels[int(label)].startswith(opening) for label in self.spans[:, 2]], dtype=np.bool_)
        mine: FloatArray = self.spans[fits & self.linked(trigger[None], self.spans)[0]]
        return mine

    def linked(self, one: FloatArray, two: FloatArray) -> BoolArray:
        """Which spans belong together: [N, 4] and [M, 4] -> [N, M]."""
        first, second = (each[:, :2].astype(np.int64) - self.start for each in (one, two))
        heads, tails = (self.links[kind][first[:, kind, None], second[None, :, kind]] for kind in (0, 1))
        both: BoolArray = heads & tails
        return both


def _held(pairs: FloatArray, least: float) -> FloatArray:
    """Those that are likely enough."""
    return pairs[probability(pairs[:, 3]) >= least]


def _within(window: Reading, linked: IntArray) -> IntArray:
    """Which pairs a window reads whole."""
    return window.holds(linked[:, ::2].min(1), linked[:, 1::2].max(1))


def _links(window: Reading, linked: IntArray) -> dict[str, IntArray]:
    """{"links": (earlier unit, later unit, kind)}: of first units 0, of last units 1; of what a window reads."""
    own = linked[_within(window, linked)] - window.window.start  # [P, 4]
    rows = {(*sorted(each[kind::2].tolist()), kind) for each in own for kind in (0, 1)}
    return {"links": np.array(sorted(rows), dtype=np.int64).reshape(-1, 3)}


def _piece(text: str, units: Sequence[Bounds], pair: FloatArray, label: str) -> FoundSpan:
    start, end = units[int(pair[0])][0], units[int(pair[1])][1]
    return FoundSpan(
        start=start, end=end, label=label, text=text[start:end], confidence=float(probability(pair[3:])[0])
    )
