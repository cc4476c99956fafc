"""WSC of CLUE and SuperGLUE: does a pronoun mean a noun? Two spans of a text, under `target`, and a label.

    {"text", "target": {"span1_index", "span1_text", "span2_index", "span2_text"}, "label"}

A row has both spans as `head` and `tail`, as the task `relate` takes them. CLUE counts characters, SuperGLUE words
between spaces; whichever it is, each span is proven by the words that it repeats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from weitiao.data.reading.generic import plain_rows
from weitiao.data.reading.offsets import Bounds
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, union_of_keys
from weitiao.messages import _
from weitiao.records import Row

KEYS = frozenset({"span1_index", "span1_text", "span2_index", "span2_text"})
FIELDS = {"head": "span1", "tail": "span2"}


class Wsc:
    """JSON lines of texts, each with two spans under `target`."""

    def sniff(self, source: Source) -> float:
        return 0.95 if any(map(_is_pair, source.first_objects)) else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:
        plain = plain_rows(source, options)
        rows = [_row(row) for row in plain.rows]
        file = FileReading(source.name, source.sha256, "wsc", len(rows), plain.file.encoding, plain.file.how)
        return Reading(file, union_of_keys(rows), rows, plain.problems)


def _is_pair(row: Mapping[str, Any]) -> bool:
    target = row.get("target")
    return isinstance(row.get("text"), str) and isinstance(target, dict) and target.keys() >= KEYS


def _row(row: Row) -> Row:
    if row.problem:
        return row
    rest = {key: value for key, value in row.fields.items() if key != "target"}
    if not _is_pair(row.fields):
        return Row(rest, row.file, row.line, _("expected `text` and `target` with an index and a text of two spans"))
    try:
        spans = {name: _span(row.fields, key) for name, key in FIELDS.items()}
    except ValueError as fault:
        return Row(rest, row.file, row.line, str(fault))
    return Row({**rest, **spans}, row.file, row.line)


def _span(row: Mapping[str, Any], name: str) -> Bounds:
    """Where the span stands.

    Raises:
        ValueError: its words do not stand at its index, however that is counted.
    """
    text, index, words = row["text"], row["target"][f"{name}_index"], row["target"][f"{name}_text"]
    if isinstance(words, str) and words and isinstance(index, int) and index >= 0:
        starts = [index, *(each.start() for each in list(re.finditer(r"\S+", text))[index : index + 1])]
        start = next((each for each in starts if text.startswith(words, each)), None)
        if start is not None:
            return start, start + len(words)
    message = _("{name}: '{words}' does not stand at {index} in the text")
    raise ValueError(message.format(name=name, words=words, index=index))
