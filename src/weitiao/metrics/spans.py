"""Spans in sequences of tags, and the strict scores of spans.

A span is right only with both borders and its label. Tags are read as conlleval reads them, whatever their scheme:
IOB1, BIO, IOE, BIOES, BILOU and BMES differ in which borders they mark, never in what a marked border means, so one set
of rules reads them all, invalid transitions included (Tjong Kim Sang & Buchholz 2000; seqeval's default mode).

Notation: U units (tokens or characters) of a text, C labels, S = C + 1 slots (the last one 'unseen').
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from weitiao.metrics import Metric
from weitiao.metrics.classification import RATIOS, LabelTally, averaged, divide, f1, summed
from weitiao.records import FloatArray, Span, TagPrediction, TagRecord

Scheme = Literal["bio", "bioes"]
OUTSIDE = "O"
TAG = re.compile(r"(?P<place>[BIOESMLUW])(?:[-_](?P<label>.+))?")
SAME = {"M": "I", "L": "E", "U": "S", "W": "S"}  # BMES and BILOU name the same places by other letters
BoolArray = npt.NDArray[np.bool_]
Found = tuple[int, int, str]  # first unit, unit behind the last, label


@lru_cache(maxsize=4096)  # a corpus has few tags, and each of its tokens asks
def parse_tag(tag: str) -> tuple[str, str] | None:
    """(B, I, E, S or O; label) of a tag, None where it is no tag of a span; the label is empty where there is none."""
    found = TAG.fullmatch(tag)
    if found is None or (found["place"] == OUTSIDE and found["label"]):
        return None
    return SAME.get(found["place"], found["place"]), found["label"] or ""


def spans_of_tags(tags: Iterable[str]) -> list[Found]:
    """The spans that tags mark, in order.

    Raises:
        ValueError: with the first tag that is none.
    """
    spans: list[Found] = []
    begin, before, label = 0, OUTSIDE, ""
    index = -1
    for index, tag in enumerate(tags):
        parsed = parse_tag(tag)
        if parsed is None:
            raise ValueError(tag)
        place, own = parsed
        if before != OUTSIDE and (place in "BSO" or before in "ES" or own != label):
            spans.append((begin, index, label))
            before = OUTSIDE
        if place != OUTSIDE and before == OUTSIDE:
            begin = index
        before, label = place, own
    if before != OUTSIDE:
        spans.append((begin, index + 1, label))
    return spans


def tags_of_spans(spans: Iterable[Found], length: int, scheme: Scheme = "bio") -> list[str]:
    """Tags of `length` units for spans that do not overlap."""
    tags = [OUTSIDE] * length
    for start, end, label in spans:
        tags[start:end] = [f"I-{label}"] * (end - start)
        tags[start] = f"B-{label}"
        if scheme == "bioes":
            tags[end - 1] = f"E-{label}" if end - start > 1 else f"S-{label}"
    return tags


def tag_names(labels: Sequence[str], scheme: Scheme = "bio") -> list[str]:
    """Every tag of a scheme, O first."""
    places = "BI" if scheme == "bio" else "BIES"
    return [OUTSIDE, *(f"{place}-{label}" for label in labels for place in places)]


def may_follow(tags: Sequence[str]) -> BoolArray:
    """Which tag may stand behind which, [C + 1, C + 1]; the last row and column are the borders of the text."""
    places = [*((tag[0], tag[2:]) for tag in tags), (OUTSIDE, "")]
    closes = any(place == "E" for place, _label in places)
    allowed = np.zeros((len(places), len(places)), dtype=np.bool_)
    for row, (before, label) in enumerate(places):
        for column, (place, own) in enumerate(places):
            inside = before in "BI" and own == label
            allowed[row, column] = inside if place in "IE" else not (closes and before in "BI")
    return allowed


def span_metrics(labels: Sequence[str]) -> list[Metric]:
    """Strict scores of spans, headline (micro F1 over all spans) first."""
    return [
        *(SpanMetric(f"span_{name}", labels, summed(ratio)) for name, ratio in RATIOS.items()),
        SpanMetric("macro_span_f1", labels, averaged(f1)),
        PartialF1(),
        ExactMatch(),
    ]


class SpanMetric(LabelTally):
    """A metric of the spans found, answered and marked, by label."""

    def counts(self, prediction: TagPrediction, record: TagRecord) -> FloatArray:
        """Hits, answers and gold spans of the text, by label: [3 * S]."""
        return span_counts(prediction.spans, record.spans or (), self.slots)


def span_counts(answers: Collection[Span], gold: Collection[Span], slots: Mapping[str, int]) -> FloatArray:
    """Hits, answers and gold spans of one text, by label: [3 * S]; equal spans count as often as they stand."""
    counts = np.zeros((3, len(slots) + 1))
    wanted = Counter(keys(gold))
    for start, end, label in keys(answers):
        slot = slots.get(label, len(slots))
        counts[1, slot] += 1
        if wanted[start, end, label] > 0:
            wanted[start, end, label] -= 1
            counts[0, slot] += 1
    for _start, _end, label in keys(gold):
        counts[2, slots.get(label, len(slots))] += 1
    return counts.ravel()


def keys(spans: Iterable[Span]) -> list[Found]:
    """(start, end, label) of each."""
    return [(span.start, span.end, span.label) for span in spans]


class PartialF1:
    """F1 that counts a span with the right label and a wrong border by half.

    Half a point for a part is MUC's rule (Chinchor & Sundheim 1993). SemEval 2013 task 9 has it too, as 'partial', but
    there the label does not matter; here it must be right, as in its 'type'.
    """

    name = "partial_span_f1"

    def counts(self, prediction: TagPrediction, record: TagRecord) -> FloatArray:
        """[credit, answers, gold]; each gold span gives credit to one answer."""
        left = set(keys(record.spans or ()))
        found = keys(prediction.spans)
        exact = [span for span in found if span in left]
        left -= set(exact)
        credit = float(len(exact))
        for start, end, label in (span for span in found if span not in exact):
            over = (each for each in sorted(left) if each[0] < end and start < each[1] and each[2] == label)
            touched = next(over, None)
            if touched is not None:
                left.discard(touched)
                credit += 0.5
        return np.array([credit, len(found), len(record.spans or ())], dtype=np.float64)

    def value(self, total: FloatArray) -> FloatArray:
        return divide(2 * total[..., 0], total[..., 1] + total[..., 2])


class ExactMatch:
    """Share of the texts with every span right and none too many."""

    name = "exact_match"

    def counts(self, prediction: TagPrediction, record: TagRecord) -> FloatArray:
        """[right, 1]."""
        return np.array([sorted(keys(prediction.spans)) == sorted(keys(record.spans or ())), 1.0])

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])
