"""The last requests of each model, and how far they are from its reference."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from weitiao.records import Prediction, Record
from weitiao.serving.drift.index import State, by_chance, stability_index, state_of
from weitiao.serving.drift.reading import Look, look, token_ids, unknown_id
from weitiao.serving.drift.reference import NUMBERS, Reference, counted, labels_of, numbers_of
from weitiao.serving.predictor import Predictor

WINDOW = 1000  # the last records that are compared
NEEDED = 200  # records below which nothing is said: chance alone moves ten bins by 0.1 then
SHOWN = 5  # labels of which the shares are told, those that moved most
ORDER: Sequence[State] = ("stable", "moderate", "large")


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that can drift.

    Args:
        name: `lengths`, `unknown`, `unseen`, `confidence`, `scores` or `labels`.
        index: the population stability index.
        state: what it says.
        reference, current: the means, or the shares of the labels that moved most.
    """

    name: str
    index: float
    state: State
    reference: float | Mapping[str, float]
    current: float | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Drift:
    """What is known of a model.

    Args:
        model: its name.
        requests: records in the window.
        needed: records that a comparison needs.
        state: the worst of its measures; `waiting` for more records; `none` where there is no reference.
        measures: empty unless there was a comparison.
    """

    model: str
    requests: int
    needed: int
    state: State | Literal["waiting", "none"]
    measures: Sequence[Measure]


class _Watched:
    """The window of one version of a model."""

    def __init__(self, predictor: Predictor, window: int) -> None:
        self.predictor = predictor
        self.reference = Reference.read(predictor.folder) if predictor.folder else None
        self.looks: deque[Look] = deque(maxlen=window)
        self._unknown = unknown_id(predictor.tokenizer)
        names = self.reference.tokens if self.reference else ()
        ids = map(predictor.tokenizer.backend.token_to_id, names)
        self._seen = frozenset(each for each in ids if each is not None)

    def take(self, records: Sequence[Record], predictions: Sequence[Prediction]) -> None:
        """Look at some records; nothing where there is nothing to compare with."""
        if self.reference is None:
            return
        ids = token_ids(self.predictor.task, self.predictor.tokenizer, records)
        self.looks.extend(
            look(own, each, unknown=self._unknown, seen=self._seen) for own, each in zip(ids, predictions, strict=True)
        )


class Watch:
    """Told of answered requests; says how far they drifted.

    Args:
        find: the predictor of a name, as it is served now; a new version begins a new window.
        window: records that are compared.
        needed: records that a comparison needs.
    """

    def __init__(self, find: Callable[[str], Predictor], *, window: int = WINDOW, needed: int = NEEDED) -> None:
        self._find, self._window, self._needed = find, window, needed
        self._watched: dict[str, _Watched] = {}
        self._lock = threading.Lock()

    def __call__(self, model: str, records: Sequence[Record], predictions: Sequence[Prediction]) -> None:
        """Take answered requests into account: what would stay in the window of them."""
        with self._lock:
            self._of(model).take(records[-self._window :], predictions[-self._window :])

    def drift(self, model: str) -> Drift:
        """How far a model's requests drifted."""
        with self._lock:
            watched = self._of(model)
            reference, looks = watched.reference, list(watched.looks)
        if reference is None:
            return Drift(model, 0, self._needed, "none", ())
        if len(looks) < self._needed:
            return Drift(model, len(looks), self._needed, "waiting", ())
        found = measures(reference, looks)
        worst: State = max((each.state for each in found), key=ORDER.index, default="stable")
        return Drift(model, len(looks), self._needed, worst, found)

    def _of(self, model: str) -> _Watched:
        predictor = self._find(model)
        if model not in self._watched or self._watched[model].predictor is not predictor:
            self._watched[model] = _Watched(predictor, self._window)
        return self._watched[model]


def measures(reference: Reference, looks: Sequence[Look]) -> list[Measure]:
    """Each measure that both sides have."""
    values = {"lengths": [float(each.length) for each in looks], **numbers_of(looks)}
    found = [
        _of_numbers(name, reference.numbers[name], values[name])
        for name in NUMBERS
        if name in reference.numbers and values[name]
    ]
    current = labels_of(looks)
    return [*found, _of_labels(reference.labels, current)] if reference.labels and current else found


def _of_numbers(name: str, bins: Any, values: Sequence[float]) -> Measure:
    now = counted(values, bins.edges)
    index = stability_index(bins.counts, now)
    chance = by_chance(sum(bins.counts), len(values), len(now))
    return Measure(name, index, state_of(index, chance), bins.mean, sum(values) / len(values))


def _of_labels(before: Mapping[str, int], now: Mapping[str, int]) -> Measure:
    labels = sorted(before.keys() | now.keys())
    then, current = [before.get(each, 0) for each in labels], [now.get(each, 0) for each in labels]
    index = stability_index(then, current)
    chance = by_chance(sum(then), sum(current), len(labels))
    shares = {each: (old / sum(then), new / sum(current)) for each, old, new in zip(labels, then, current, strict=True)}
    moved = sorted(shares, key=lambda each: -abs(shares[each][1] - shares[each][0]))[:SHOWN]
    return Measure(
        "labels", index, state_of(index, chance),
        {each: shares[each][0] for each in moved}, {each: shares[each][1] for each in moved},
    )  # fmt: skip
