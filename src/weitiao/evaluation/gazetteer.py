"""The cheap answer to spans: what was marked in the training rows is marked again, wherever it stands.

A surface form is taken where it was marked more often than not; where spans do not overlap, the longer of two counts.

Notation: U units of a text.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from weitiao.evaluation.baselines import Answers, Splits
from weitiao.records import FoundSpan, Span, TagPrediction
from weitiao.tasks.units import Bounds

Surface = tuple[str, ...]  # the units of a form, so that '\u7f8e\u56fd' is not found in the middle of a word
Forms = Mapping[Surface, Mapping[str, float]]  # -> label -> share of its occurrences that have it
Marked = tuple[str, Sequence[Bounds], Sequence[Span]]  # a text, its units, its gold spans


def gazetteer(task: Any, splits: Splits) -> Answers:
    """The forms of the training rows; where spans may overlap, those within others too."""
    forms = forms_of([(record.text, task.units(record), record.spans or ()) for record in splits.train])
    answers = [
        TagPrediction(spans=tuple(spans_in(record.text, task.units(record), forms, overlaps=task.overlaps)))
        for record in splits.rows
    ]
    return Answers(answers, {"forms": float(len(forms))})


def forms_of(texts: Sequence[Marked]) -> Forms:
    """Form -> the labels that more than half of its occurrences have, and how many do."""
    marked: dict[Surface, Counter[str]] = defaultdict(Counter)
    for text, units, spans in texts:
        starts = {start: index for index, (start, _end) in enumerate(units)}
        ends = {end: index + 1 for index, (_start, end) in enumerate(units)}
        for span in spans:
            if span.start in starts and span.end in ends:
                marked[_form(text, units[starts[span.start] : ends[span.end]])][span.label] += 1
    seen = _occurrences(texts, marked)
    found = {
        form: {label: times / max(seen[form], times) for label, times in labels.items() if 2 * times > seen[form]}
        for form, labels in marked.items()
    }
    return {form: labels for form, labels in found.items() if labels}


def _form(text: str, units: Sequence[Bounds]) -> Surface:
    return tuple(text[start:end] for start, end in units)


def _occurrences(texts: Sequence[Marked], forms: Mapping[Surface, Any]) -> Counter[Surface]:
    """How often each form stands in the texts, marked or not."""
    lengths = sorted({len(form) for form in forms})
    counts: Counter[Surface] = Counter()
    for text, units, _spans in texts:
        words = _form(text, units)
        for length in lengths:
            for start in range(len(words) - length + 1):
                form = words[start : start + length]
                if form in forms:
                    counts[form] += 1
    return counts


def spans_in(text: str, units: Sequence[Bounds], forms: Forms, *, overlaps: bool) -> list[FoundSpan]:
    """The forms in a text, in order: the longest from left to right, or all of them where spans may overlap."""
    words = _form(text, units)
    longest = max(map(len, forms), default=0)
    found, start = [], 0
    while start < len(words):
        lengths = [
            each for each in range(1, min(longest, len(words) - start) + 1) if words[start : start + each] in forms
        ]
        chosen = lengths if overlaps else lengths[-1:]
        for length in chosen:
            begin, end = units[start][0], units[start + length - 1][1]
            found += [
                FoundSpan(start=begin, end=end, label=label, text=text[begin:end], confidence=share)
                for label, share in sorted(forms[words[start : start + length]].items())
            ]
        start += 1 if overlaps else max([1, *chosen])
    return found
