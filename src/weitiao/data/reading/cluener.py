"""CLUENER 2020: `{"text", "label": {type: {surface: [[start, end]]}}}` a line, where `end` is the last character.

Every span is proven by the surface that it stands under; columns other than the two are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weitiao.data.reading.generic import plain_rows
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, union_of_keys
from weitiao.messages import _
from weitiao.records import Row


class Cluener:
    """CLUENER's JSON lines, whose ends are inclusive."""

    def sniff(self, source: Source) -> float:
        labels = [row["label"] for row in source.first_objects if isinstance(row.get("text"), str) and "label" in row]
        return 0.95 if any(map(_is_label, labels)) and all(isinstance(each, dict) for each in labels) else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:
        plain = plain_rows(source, options)
        rows = [_row(row) for row in plain.rows]
        how = _("; ").join((plain.file.how, _("ends are inclusive, and proven by the surfaces")))
        file = FileReading(source.name, source.sha256, "cluener", len(rows), plain.file.encoding, how)
        return Reading(file, union_of_keys(rows), rows, plain.problems)


def _is_label(value: object) -> bool:
    """Whether a value is {type: {surface: [[start, end]]}} with at least one span."""
    return isinstance(value, dict) and bool(value) and all(map(_are_surfaces, value.values()))


def _are_surfaces(value: object) -> bool:
    if not isinstance(value, dict) or not all(isinstance(found, list) for found in value.values()):
        return False
    return all(isinstance(each, list) and len(each) == 2 for found in value.values() for each in found)


def _row(row: Row) -> Row:
    if row.problem:
        return row
    text, label = row.fields.get("text"), row.fields.get("label")
    rest = {key: value for key, value in row.fields.items() if key != "label"}
    if not isinstance(text, str):
        return Row(rest, row.file, row.line, _("no text"))
    if label is None:
        return Row(rest, row.file, row.line)
    try:
        spans = list(_spans(text, label))
    except (AttributeError, TypeError):
        return Row(rest, row.file, row.line, _("expected spans as {type: {surface: [[start, end]]}}"))
    except ValueError as fault:
        return Row(rest, row.file, row.line, str(fault))
    spans.sort(key=lambda span: (span["start"], span["end"], span["label"]))
    return Row({"text": text, "spans": spans, **rest}, row.file, row.line)


def _spans(text: str, label: Any) -> Iterator[dict[str, Any]]:
    surfaces: Mapping[str, Any]
    for name, surfaces in label.items():
        for surface, found in surfaces.items():
            for start, last in found:
                if start < 0 or text[start : last + 1] != surface:
                    message = _(
                        "the span {start}-{end} ({label}) is '{piece}' in the text and '{surface}' in its own words"
                    )
                    piece = text[start : last + 1][:30]
                    raise ValueError(
                        message.format(start=start, end=last + 1, label=name, piece=piece, surface=surface[:30])
                    )
                yield {"start": start, "end": last + 1, "label": name, "text": surface}
