"""The cheap answer to spans: what was marked in the training rows is marked again, wherever it stands.

A surface form is taken where it was marked more often than not; where spans do not overlap, the longer of two counts.

Notation: U units of a text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.evaluation.baselines import Answers, Splits
from weitiao.records import FoundSpan, TagPrediction, TagRecord

Surface = tuple[str, ...]  # the units of a form, so that '\u7f8e\u56fd' is not found in the middle of a word
Forms = Mapping[Surface, tuple[str, float]]  # -> label, share of its occurrences that have it


def gazetteer(task: Any, splits: Splits) -> Answers:
    """The forms of the training rows; where spans may overlap, those within others too."""
    forms = forms_of(task, splits.train)
    answers = [TagPrediction(spans=tuple(spans_in(task, record, forms))) for record in splits.rows]
    return Answers(answers, {"forms": float(len(forms))})


def forms_of(task: Any, train: Sequence[TagRecord]) -> Forms:
    """Form -> its commonest label, and in which share of its occurrences it has that label."""
    marked: dict[Surface, Counter[str]] = defaultdict(Counter)
    texts = [(record, task.units(record)) for record in train]
    for record, units in texts:
        starts = {start: index for index, (start, _end) in enumerate(units)}
        ends = {end: index + 1 for index, (_start, end) in enumerate(units)}
        for span in record.spans or ():
            if span.start in starts and span.end in ends:
                form = _form(record.text, units[starts[span.start] : ends[span.end]])
                marked[form][span.label] += 1
    seen = _occurrences(texts, marked)
    found = {}
    for form, labels in marked.items():
        label, times = labels.most_common(1)[0]
        if 2 * times > seen[form]:
            found[form] = (label, times / max(seen[form], times))
    return found


def _form(text: str, units: Sequence[tuple[int, int]]) -> Surface:
    return tuple(text[start:end] for start, end in units)


def _occurrences(texts: Sequence[tuple[TagRecord, Any]], forms: Mapping[Surface, Any]) -> Counter[Surface]:
    """How often each form stands in the texts, marked or not."""
    lengths = sorted({len(form) for form in forms})
    counts: Counter[Surface] = Counter()
    for record, units in texts:
        words = _form(record.text, units)
        for length in lengths:
            for start in range(len(words) - length + 1):
                form = words[start : start + length]
                if form in forms:
                    counts[form] += 1
    return counts


def spans_in(task: Any, record: TagRecord, forms: Forms) -> list[FoundSpan]:
    """The forms in a text, in order: the longest from left to right, or all of them where spans may overlap."""
    units = task.units(record)
    words = _form(record.text, units)
    longest = max(map(len, forms), default=0)
    found, start = [], 0
    while start < len(words):
        lengths = [
            each for each in range(1, min(longest, len(words) - start) + 1) if words[start : start + each] in forms
        ]
        chosen = lengths if task.overlaps else lengths[-1:]
        for length in chosen:
            label, share = forms[words[start : start + length]]
            begin, end = units[start][0], units[start + length - 1][1]
            found.append(FoundSpan(start=begin, end=end, label=label, text=record.text[begin:end], confidence=share))
        start += 1 if task.overlaps else max([1, *chosen])
    return found
