"""Semantic roles in columns (CoNLL-2009 shared task): a word a line, a column for each predicate's arguments.

A sentence becomes a Row: `text`, `tokens`, and `events`, one for each predicate: its sense is the type, its word the
trigger, and each word that its column names is an argument with that role (Hajič et al. 2009, "The CoNLL-2009 Shared
Task: Syntactic and Semantic Dependencies in Multiple Languages").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.messages import _
from weitiao.records import Row
from weitiao.text import join_tokens

SUFFIXES = (".conll09", ".conll2009")
FORM, FILLPRED, PRED, FIXED = 1, 12, 13, 14  # columns, from 0, and how many stand before those of the predicates
EMPTY = "_"
SAMPLE = 200  # lines by which a file is told

Line = tuple[int, list[str]]  # number from 1, cells


class Conll2009:
    """Words in columns with predicates, their senses and their arguments (CoNLL-2009)."""

    def sniff(self, source: Source) -> float:
        return 0.9 if has_predicate_columns(source) else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:  # noqa: ARG002 - one signature for all readers
        rows = [_row(lines, source.name) for lines in _sentences(source.decoded.text)]
        if not any(not row.problem for row in rows):
            message = _("no sentence has the {count} columns of CoNLL-2009").format(count=FIXED)
            raise refusal("no-columns", message, source.name, rows[0].line if rows else 0)
        how = _("; ").join((source.decoded.how, _("{sentences} sentences with predicates").format(sentences=len(rows))))
        encoding = source.decoded.encoding
        file = FileReading(source.name, source.sha256, "conll2009", len(rows), encoding, how, header=False)
        return Reading(file, union_of_keys(rows), rows, source.text_problems())


def has_predicate_columns(source: Source) -> bool:
    """Whether the name says so, or each line has the fixed columns, with a number first and a mark of predicates."""
    if source.suffix in SUFFIXES:
        return True
    lines = islice(source.decoded.text.splitlines(), SAMPLE)
    words = [cells for sentence in _sentences("\n".join(lines)) for _number, cells in sentence]
    return bool(words) and all(
        len(cells) >= FIXED and cells[0].isdecimal() and cells[FILLPRED] in ("Y", EMPTY) for cells in words
    )


def _sentences(text: str) -> Iterator[list[Line]]:
    lines: list[Line] = []
    for number, line in enumerate(re.split("\r\n|\n|\r", text), start=1):
        if line.strip("\ufeff \t"):
            lines.append((number, line.lstrip("\ufeff").split("\t")))
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


def _row(lines: Sequence[Line], file: str) -> Row:
    first = lines[0][0]
    predicates = sum(len(cells) > PRED and cells[PRED] != EMPTY for _number, cells in lines)
    for number, cells in lines:
        if len(cells) != FIXED + predicates or not cells[FORM]:
            message = _("line {line} has {got} columns; with {predicates} predicates, {expected} are expected").format(
                line=number, got=len(cells), predicates=predicates, expected=FIXED + predicates
            )
            return Row({}, file, first, message)
    table = [cells for _number, cells in lines]
    tokens = [cells[FORM] for cells in table]
    text = join_tokens(tokens)
    return Row({"text": text, "tokens": tokens, "events": _events(table, _bounds(text, tokens))}, file, first)


def _bounds(text: str, tokens: Sequence[str]) -> list[tuple[int, int]]:
    """(start, end) of each token in the text that they make."""
    bounds, end = [], 0
    for token in tokens:
        start = text.index(token, end)
        end = start + len(token)
        bounds.append((start, end))
    return bounds


def _events(table: Sequence[Sequence[str]], bounds: Sequence[tuple[int, int]]) -> list[dict[str, object]]:
    """One event for each predicate, in order; the n-th has the n-th column of arguments."""
    predicates = [place for place, cells in enumerate(table) if cells[PRED] != EMPTY]
    return [
        {
            "type": table[place][PRED],
            "trigger": list(bounds[place]),
            "arguments": [
                [*bounds[word], cells[FIXED + column]]
                for word, cells in enumerate(table)
                if cells[FIXED + column] != EMPTY
            ],
        }
        for column, place in enumerate(predicates)
    ]
