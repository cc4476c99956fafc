"""Spans as sources write them, as the units of a text can hold them, and what stands in the way.

Rows' values go in, `Span`s of the untouched text come out, or a `RowFault` that says what is wrong with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.metrics.spans import Found
from weitiao.recipe import shown
from weitiao.records import Record, Span, TagRecord
from weitiao.tasks import RowFault
from weitiao.tasks.label_audit import LabelCounts
from weitiao.tasks.units import Bounds
from weitiao.tasks.values import is_blank, json_list_of, list_of, text_of
from weitiao.text import join_tokens

STARTS = ("start", "start_offset", "begin", "from")
ENDS = ("end", "end_offset", "stop", "to")
LABELS = ("label", "labels", "type", "entity", "entity_group", "tag")
SURFACES = ("text", "word", "surface", "value", "name")
SHOWN = 30  # characters of a surface that a message quotes

MarkedText = tuple[Record, Sequence[Span], Sequence[Bounds]]  # a text, its gold spans, its units


def read_tokens(text: str | None, tokens: object) -> tuple[str | None, tuple[Bounds, ...] | None]:
    """The text and the bounds of its tokens; the text of tokens alone is put together from them.

    Raises:
        RowFault: a token does not stand in the text.
    """
    listed = list_of(tokens, "tokens")
    if listed is None:
        return text, None
    words = [text_of(token) or "" for token in listed]
    if not words or any(not word for word in words):
        raise RowFault(_("an empty token"))
    text = join_tokens(words) if text is None else text
    bounds, end = [], 0
    for word in words:
        start = text.find(word, end)
        if start < 0:
            raise RowFault(_("the token '{token}' does not stand in the text").format(token=word[:SHOWN]))
        end = start + len(word)
        bounds.append((start, end))
    return text, tuple(bounds)


def read_spans(text: str, value: object) -> tuple[Span, ...] | None:
    """The spans of a row, in order; None where the row says nothing of them, which `[]` is not.

    Raises:
        RowFault: one is no span of this text.
    """
    listed = json_list_of(value, "spans")
    if listed is None:
        return None
    found = {_span(text, each) for each in listed}
    return tuple(sorted(found, key=lambda span: (span.start, span.end, span.label)))


def _span(text: str, value: Any) -> Span:
    """One span: `[start, end, label]`, or an object whose keys say so; white space at its borders is left out."""
    if isinstance(value, Mapping):
        start, end, label = (first_of(value, names) for names in (STARTS, ENDS, LABELS))
        surface = first_of(value, SURFACES)
    elif isinstance(value, list | tuple) and len(value) == 3:
        (start, end, label), surface = value, None
    else:
        raise RowFault(_("expected a span as [start, end, label]; got {got}").format(got=shown(value, SHOWN)))
    if isinstance(label, list | tuple) and len(label) == 1:
        (label,) = label
    name = text_of(label)
    if not name:
        raise RowFault(_("a span without a label"))
    if start is None or end is None:
        raise RowFault(_("a span ({label}) without both `start` and `end`").format(label=name))
    return checked(text, whole_number(start), whole_number(end), name, surface if isinstance(surface, str) else None)


def checked(text: str, start: int, end: int, label: str, surface: str | None = None) -> Span:
    """The span, if it is one of this text; white space at its borders is left out.

    Raises:
        RowFault: it lies outside the text, is empty, or is not what the source says that it is.
    """
    if 0 <= end <= start:
        raise RowFault(
            _("the span {start}-{end} ({label}) holds nothing; `end` is the offset behind its last character").format(
                start=start, end=end, label=label
            )
        )
    if not 0 <= start < end <= len(text):
        raise RowFault(
            _("the span {start}-{end} ({label}) lies outside the text of {length} characters").format(
                start=start, end=end, label=label, length=len(text)
            )
        )
    piece = text[start:end]
    if surface is not None and surface != piece and surface.strip() != piece.strip():
        raise RowFault(
            _("the span {start}-{end} ({label}) is '{piece}' in the text and '{surface}' in its own words").format(
                start=start, end=end, label=label, piece=piece[:SHOWN], surface=surface[:SHOWN]
            )
        )
    if is_blank(piece):
        raise RowFault(_("the span {start}-{end} ({label}) is blank").format(start=start, end=end, label=label))
    start += len(piece) - len(piece.lstrip())
    end -= len(piece) - len(piece.rstrip())
    return Span(start=start, end=end, label=label.strip())


def first_of(value: Mapping[str, Any], names: Sequence[str]) -> Any:
    """What the first of `names` that says anything says."""
    return next((value[name] for name in names if value.get(name) is not None), None)


def whole_number(value: object) -> int:
    """An offset; numbers of other libraries and whole floats as what they are.

    Raises:
        RowFault: it is none.
    """
    text = text_of(value)
    try:
        return int(text or "")
    except ValueError as error:
        raise RowFault(_("'{got}' is no offset").format(got=text)) from error


def without_overlaps(spans: Iterable[Span]) -> list[Span]:
    """Spans of which no two overlap: the longer of two, the earlier of equals."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda each: (each.start - each.end, each.start, each.label)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda each: each.start)


def fitting(spans: Sequence[Span], units: Sequence[Bounds]) -> list[Found]:
    """The units that each span covers or touches, as (first, behind the last, label); no unit goes to two spans.

    Args:
        spans: in order, without overlaps.
        units: in order.
    """
    found: list[Found] = []
    unit = 0
    for span in spans:
        while unit < len(units) and units[unit][1] <= span.start:
            unit += 1
        first = unit
        while unit < len(units) and units[unit][0] < span.end:
            unit += 1
        if unit > first:
            found.append((first, unit, span.label))
    return found


def covering(spans: Iterable[Span], units: Sequence[Bounds]) -> list[Found]:
    """As `fitting`, of spans that may overlap, in any order; each for itself."""
    starts = np.array([start for start, _end in units], dtype=np.int64)  # [U]
    ends = np.array([end for _start, end in units], dtype=np.int64)  # [U]
    found = []
    for span in spans:
        first = int(np.searchsorted(ends, span.start, side="right"))
        behind = int(np.searchsorted(starts, span.end, side="left"))
        if behind > first:
            found.append((first, behind, span.label))
    return found


def misaligned(spans: Sequence[Span], units: Sequence[Bounds]) -> list[Span]:
    """Spans that begin or end inside a unit, which no tags can mark."""
    starts, ends = {start for start, _end in units}, {end for _start, end in units}
    return [span for span in spans if span.start not in starts or span.end not in ends]


def nested(spans: Sequence[Span]) -> list[Span]:
    """Spans that overlap a longer one."""
    ordered = sorted(spans, key=lambda each: each.start)
    if all(left.end <= right.start for left, right in pairwise(ordered)):
        return []
    kept = set(without_overlaps(spans))
    return [span for span in spans if span not in kept]


def span_label_counts(records: Sequence[TagRecord]) -> LabelCounts:
    """How often each label marks a span, and where."""
    return LabelCounts.of(([span.label for span in record.spans or ()], record.file, record.line) for record in records)


def alignment_problems(
    splits: Mapping[str, Sequence[TagRecord]], units_of: Callable[[TagRecord], Sequence[Bounds]]
) -> Iterator[Problem]:
    """Warnings about gold spans that tags over the units cannot give."""
    for split, records in splits.items():
        over: list[RowPlace] = []
        others: list[MarkedText] = []
        for record in records:
            spans = list(record.spans or ())
            overlapping = nested(spans)
            over += [_place(record, span) for span in overlapping]
            others.append((record, [span for span in spans if span not in overlapping], units_of(record)))
        if over:
            message = ngettext(
                "{count} span of {split} overlaps one that is kept (the longer, of equals the first by label), and "
                "flat tags cannot give it, but the task `span` can: {place}",
                "{count} spans of {split} overlap others that are kept (the longer, of equals the first by label), and "
                "flat tags cannot give them, but the task `span` can; the first: {place}",
                len(over),
            )
            yield _unreachable("overlapping-spans", message, split, over)
        yield from misalignment_problems(split, others)


def misalignment_problems(split: str, texts: Iterable[MarkedText]) -> Iterator[Problem]:
    """A warning about gold spans that begin or end inside a unit."""
    inside = [_place(record, span) for record, spans, units in texts for span in misaligned(spans, units)]
    if inside:
        message = ngettext(
            "{count} span of {split} begins or ends inside a word, and cannot be found exactly: {place}",
            "{count} spans of {split} begin or end inside a word, and cannot be found exactly; the first: {place}",
            len(inside),
        )
        yield _unreachable("misaligned-spans", message, split, inside)


def width_problems(split: str, texts: Iterable[MarkedText], widest: int) -> Iterator[Problem]:
    """A warning about gold spans of more than `widest` units."""
    wide = [
        _place(record, span)
        for record, spans, units in texts
        for span in spans
        for first, behind, _label in covering([span], units)
        if behind - first > widest
    ]
    if wide:
        message = ngettext(
            "{count} span of {split} has more than {widest} units, and cannot be found: {place}; raise task.max_width",
            "{count} spans of {split} have more than {widest} units, and cannot be found; the first: {place}; "
            "raise task.max_width",
            len(wide),
        )
        yield _unreachable("wide-spans", message, split, wide, widest=widest)


def _place(record: Record, span: Span) -> RowPlace:
    return RowPlace(record.file, record.line, note=f"{span.label} {span.start}-{span.end}")


def _unreachable(code: str, message: str, split: str, rows: Sequence[RowPlace], **values: int) -> Problem:
    text = message.format(count=len(rows), split=split, place=rows[0].note, **values)
    return Problem(code, text, file=rows[0].file, line=rows[0].line, severity="warning", rows=tuple(rows))
