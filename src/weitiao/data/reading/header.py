"""Whether the first row of a table names its columns, and what the columns are called.

Evidence, strongest first: the names the caller looks for; numbers under a word; values that repeat below a cell that
never does. Used by every format that has rows of bare cells.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from weitiao.errors import Problem
from weitiao.messages import _

SAMPLE = 1000  # rows that are looked at
NUMBER = re.compile(r"\s*[-+]?\d+([.,]\d+)*%?\s*")
NAME = re.compile(r"[^\W\d][\w .()/#-]{0,39}")  # what a column is usually called


@dataclass(frozen=True, slots=True)
class Header:
    """The columns of a table.

    Args:
        columns: their names; '1', '2', ... where the table names none.
        present: whether the first row is the header.
        how: one sentence: how that was told.
        repeated: names that the file gives to several columns.
    """

    columns: list[str]
    present: bool
    how: str
    repeated: tuple[str, ...] = ()

    def problems(self, file: str) -> list[Problem]:
        """A warning where two columns have one name."""
        if not self.repeated:
            return []
        message = _("several columns are named {names}; the later ones are called {example} and so on").format(
            names=", ".join(f"'{name}'" for name in self.repeated), example=f"'{self.repeated[0]}#2'"
        )
        return [Problem("repeated-column", message, file=file, line=1, severity="warning")]


def choose_header(rows: Sequence[Sequence[str]], told: bool | None, names: frozenset[str]) -> Header:
    """The header of a table of cells, which may have rows of several widths."""
    if not rows:
        return Header([], False, "")
    rows = rows[: SAMPLE + 1]
    present, how = (told, _("`header:` says so")) if told is not None else _present(rows, names)
    if not present:
        width = Counter(map(len, rows)).most_common(1)[0][0]
        return Header([str(number) for number in range(1, width + 1)], False, how)
    columns, repeated = _named(rows[0])
    return Header(columns, True, how, repeated)


def _named(cells: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Column names: stripped, the empty ones numbered, the repeated ones told apart."""
    columns: list[str] = []
    seen: Counter[str] = Counter()
    for number, cell in enumerate(cells, start=1):
        name = cell.strip() or str(number)
        seen[name] += 1
        columns.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return columns, tuple(name for name, count in seen.items() if count > 1)


def _present(rows: Sequence[Sequence[str]], names: frozenset[str]) -> tuple[bool, str]:
    first = [cell.strip() for cell in rows[0]]
    known = [cell for cell in first if cell.casefold() in names]
    if known:
        return True, _("the first row names columns ('{name}')").format(name=known[0])
    odd = next((cell for cell in first if not NAME.fullmatch(cell)), None)
    if odd is not None:
        return False, _("no header: '{cell}' is no column name").format(cell=odd[:30])
    below = [row for row in rows[1:] if len(row) == len(first)]
    for number, name in enumerate(first):
        column = [row[number].strip() for row in below]
        if name in column:
            return False, _("no header: '{cell}' occurs again in its column").format(cell=name)
    return _by_shape(first, below)


def _by_shape(first: Sequence[str], below: Sequence[Sequence[str]]) -> tuple[bool, str]:
    """The first row looks like names and occurs nowhere else: decide by what stands under it."""
    for number, name in enumerate(first):
        column = [row[number].strip() for row in below]
        if column and all(map(NUMBER.fullmatch, column)):
            return True, _("the first row is a header: numbers stand under '{cell}'").format(cell=name)
        if len(column) > 3 and len(set(column)) <= len(column) / 2:
            return True, _("the first row is a header: the values under '{cell}' repeat, it does not").format(cell=name)
    if any("  " in cell or len(cell.split()) > 4 for cell in first):
        return False, _("no header: the first row reads like a sentence")
    return True, _("the first row is taken for a header: short names that do not occur again; else set `header: false`")
