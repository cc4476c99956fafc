"""Texts as windows in which every pair of units is scored: what the tasks with a global pointer share.

Units and gold spans of a text go in, `Feature`s come out whose `places` say which unit stands where. The head's
candidates come back as spans of the whole text, each from the one window that sees most around it, so that what a
window's border leaves of a longer span is no span.

Notation: U units of a text, W windows, G gold spans, N candidates, K rows of the head's `spans`, filled with -1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from weitiao.messages import _
from weitiao.metrics.spans import Found
from weitiao.recipe import Finding, TrainingSpec
from weitiao.records import Feature, FloatArray, IntArray, Outputs, Span
from weitiao.tasks.classify import HALF, best_threshold
from weitiao.tasks.spans import covering
from weitiao.tasks.units import Bounds, UnitTokenizer
from weitiao.tasks.windows import OVERLAP, Window, tokens_of, windows
from weitiao.text import Tokenizer

Keys = set[tuple[int, int, int]]  # first unit, last unit, label


@dataclass(frozen=True, slots=True)
class Reading:
    """One window of a text on its way to a Feature.

    Args:
        window: its units.
        ids: token ids, [T], special tokens included.
        types: segment ids, [T], where the model takes them.
        tokens: the token that opens each unit of the window, [U].
        cut: tokens of a single unit that is longer than the room.
    """

    window: Window
    ids: IntArray
    types: IntArray | None
    tokens: IntArray
    cut: int

    def holds(self, first: IntArray, last: IntArray) -> IntArray:
        """Which pieces the window reads whole, as their places."""
        return np.flatnonzero((first >= self.window.start) & (last < self.window.end))

    def feature(self, group: int, targets: Mapping[str, IntArray], lost: int = 0) -> Feature:
        """The Feature; `lost` counts the gold spans and pairs of the text that no window holds."""
        places = {"tokens": self.tokens, "units": np.arange(self.window.start, self.window.end)}
        return Feature(self.ids, self.types, targets, group, self.cut, places, lost)


def readings(
    texts: Sequence[tuple[str, Sequence[Bounds]]], tokenizer: Tokenizer, max_length: int
) -> Iterator[list[Reading]]:
    """The windows of each text, given with its units; neighbouring windows overlap by a quarter."""
    wrapping = tokenizer.wrapping()
    room = max_length - len(wrapping)
    for encoded in UnitTokenizer.of(tokenizer).encode_all(texts):
        found = []
        for window in windows([len(ids) for ids, _first in encoded], room, room // OVERLAP):
            own, opening, cut = tokens_of(window, encoded, room)
            ids, types = wrapping.wrap(own)
            tokens = np.minimum(np.array(opening, dtype=np.int64) + len(wrapping.before), len(ids) - 1)  # [U]
            found.append(Reading(window, ids, types if tokenizer.segments else None, tokens, cut))
        yield found


def marks_of(spans: Iterable[Found], index: Mapping[str, int]) -> IntArray:
    """Gold spans as (first unit, last unit, label), [G, 3]; each once."""
    rows = sorted({(first, behind - 1, index[label]) for first, behind, label in spans})
    return np.array(rows, dtype=np.int64).reshape(-1, 3)


def features_of(
    group: int,
    windows: Sequence[Reading],
    marks: IntArray | None,
    more: Callable[[Reading], Mapping[str, IntArray]] = lambda _window: {},
    lost: int = 0,
) -> list[Feature]:
    """The Features of one text.

    Args:
        group: its record.
        windows: of the text.
        marks: its gold spans, [G, 3]; None where it teaches nothing. Those that no window holds count as lost.
        more: further targets of a window.
        lost: what else of the gold no window holds.
    """
    if marks is None:
        return [window.feature(group, {}) for window in windows]
    held = [window.holds(marks[:, 0], marks[:, 1]) for window in windows]
    lost += len(np.setdiff1d(np.arange(len(marks)), np.concatenate(held)))
    features = []
    for place, (window, own) in enumerate(zip(windows, held, strict=True)):
        shift = np.array([window.window.start, window.window.start, 0], dtype=np.int64)
        targets = {"spans": marks[own] - shift, **more(window)}
        features.append(window.feature(group, targets, 0 if place else lost))
    return features


def candidates(features: Sequence[Feature], outputs: Sequence[Outputs], length: int) -> list[FloatArray]:
    """The spans that each window answers, of those its head found possible: [N, 4] a window.

    A row is (first unit, last unit, label, score), units counted in the text, `length` of them; best first.
    """
    borders = np.array([(each.places["units"][0], each.places["units"][-1] + 1) for each in features]).reshape(-1, 2)
    found = []
    for row, (feature, output) in enumerate(zip(features, outputs, strict=True)):
        own = pairs_of(feature, output["spans"])
        found.append(own[home(own[:, :2], borders, length) == row])
    return found


def pairs_of(feature: Feature, said: FloatArray) -> FloatArray:
    """The pairs of units that a head found possible, without filling, units counted in the text: [K, 4] -> [N, 4]."""
    own = np.asarray(said, dtype=np.float64)
    own = own[own[:, 0] >= 0]
    own[:, :2] += feature.places["units"][0]
    return own


def home(spans: FloatArray, borders: IntArray, length: int) -> IntArray:
    """The window that answers each span: the one that reads most on its narrower side; the earlier of equals.

    Args:
        spans: first and last unit, [N, 2].
        borders: first unit of each window, and the one behind its last, [W, 2].
        length: units of the text; nothing is missing beyond its own borders.
    """
    before = np.where(borders[:, 0] == 0, length, spans[:, :1] - borders[:, 0])  # [N, W]
    behind = np.where(borders[:, 1] == length, length, borders[:, 1] - 1 - spans[:, 1:])  # [N, W]
    outside = (spans[:, :1] < borders[:, 0]) | (spans[:, 1:] >= borders[:, 1])
    widest: IntArray = np.where(outside, -1, np.minimum(before, behind)).argmax(1)
    return widest


def probability(scores: FloatArray) -> FloatArray:
    """The sigmoid: one half at the score that parts spans from others, 0 (Su et al. 2022)."""
    return np.exp(-np.logaddexp(0.0, -scores))


def calibrated(texts: Iterable[tuple[FloatArray, Keys]]) -> float:
    """The probability from which a span holds that gives the best F1 over all texts.

    Args:
        texts: candidates [N, 4] and gold spans of each.
    """
    scores: list[FloatArray] = [np.zeros(0)]
    right = [np.zeros(0, dtype=np.bool_)]
    missing = 0
    for found, gold in texts:
        hits = np.array([(int(a), int(b), int(c)) in gold for a, b, c, _score in found], dtype=np.bool_)
        scores.append(probability(found[:, 3]))
        right.append(hits)
        missing += len(gold) - int(hits.sum())
    if not any(each.any() for each in right):
        return HALF
    every = np.concatenate([*scores, np.zeros(missing)])  # gold spans that no threshold brings back count as missed
    return best_threshold(every, np.concatenate([*right, np.ones(missing, dtype=np.bool_)]))


def span_keys(spans: Iterable[Span], units: Sequence[Bounds], index: Mapping[str, int]) -> Keys:
    """The spans that the label space knows, as (first unit, last unit, label)."""
    known = [span for span in spans if span.label in index]
    return {(first, behind - 1, index[label]) for first, behind, label in covering(known, units)}


def without_smoothing(training: TrainingSpec, task: str) -> Iterator[Finding]:
    """A finding where the recipe smooths labels, which the loss of a global pointer cannot do."""
    if training.label_smoothing:
        message = _("`training.label_smoothing` does not go with the task '{task}'; remove it").format(task=task)
        yield Finding("misfit", ("training", "label_smoothing"), message)
