"""CoNLL-U from rows: those that its reader gave become the same lines again, others get what they have.

`form` or `tokens` are the words; `lemma`, `upos`, `xpos`, `feats`, `heads`, `deprels`, `deps` and `misc` their columns,
each `_` where a row lacks it. Without `comments` the row's `document`, `sent_id` and `text` are written; without `misc`
the text tells where no space follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from weitiao.artifact import replacing
from weitiao.data.reading.conllu import COLUMNS, SPACELESS, standing
from weitiao.data.writing import InnerRow
from weitiao.data.writing.losses import Losses
from weitiao.messages import ngettext

KNOWN = frozenset({"sent_id", "document", "text", "tokens", "bounds", "comments", "others", *COLUMNS})
BREAKS = str.maketrans("\t\n\r", "   ")  # what ends a cell or a line, as a space
LINE_BREAKS = str.maketrans("\n\r", "  ")
NOTHING = "_"


class ConlluWriter:
    """CoNLL-U: a word a line in ten columns, comments above."""

    tokenised: ClassVar[bool] = True

    def write(self, rows: Iterable[InnerRow], path: Path) -> list[str]:
        lost = _Lost()
        document = ""
        with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="\n") as stream:
            for row in rows:
                lines = _sentence(row, document, lost)
                document = str(row.get("document") or document)
                stream.write("".join(f"{line}\n" for line in [*lines, ""]) if lines else "")
        return lost.sentences()


class _Lost:
    """What did not go into the file."""

    def __init__(self) -> None:
        self.wordless = 0
        self.broken = 0
        self.losses = Losses()
        self.unequal: Counter[str] = Counter()

    def sentences(self) -> list[str]:
        """One a kind."""
        found = self.losses.sentences()
        for column, count in self.unequal.items():
            message = ngettext(
                "the column {column} of {count} row does not have one value a token, and is left out",
                "the column {column} of {count} rows does not have one value a token, and is left out",
                count,
            )
            found.append(message.format(column=column, count=f"{count:,}"))
        if self.wordless:
            message = ngettext(
                "{count} row without tokens is left out", "{count} rows without tokens are left out", self.wordless
            )
            found.append(message.format(count=f"{self.wordless:,}"))
        if self.broken:
            message = ngettext(
                "a tab or line break inside {count} cell or text became a space",
                "tabs or line breaks inside {count} cells or texts became spaces",
                self.broken,
            )
            found.append(message.format(count=f"{self.broken:,}"))
        return found

    def cell(self, value: object) -> str:
        """The value inside a column."""
        return self._plain("" if value is None else str(value), BREAKS)

    def line(self, value: object) -> str:
        """The value inside a comment."""
        return self._plain(str(value), LINE_BREAKS)

    def _plain(self, text: str, breaks: Mapping[int, int]) -> str:
        plain = text.translate(breaks)
        self.broken += plain != text
        return self.losses.encodable(plain)


def _sentence(row: InnerRow, document: str, lost: _Lost) -> list[str]:
    """The lines of a row; none where it has no words."""
    words = _listed(row.get("form")) or _listed(row.get("tokens"))
    if not words:
        lost.wordless += 1
        return []
    lost.losses.leave(name for name, value in row.items() if name not in KNOWN and value not in (None, "", [], ()))
    columns = [words, *(_column(row, name, len(words), lost) for name in COLUMNS[1:-1]), _misc(row, words, lost)]
    lines = [
        "\t".join([str(number), *(lost.cell(cell) or NOTHING for cell in cells)])
        for number, cells in enumerate(zip(*columns, strict=True), start=1)
    ]
    for before, cells in reversed(_others(row)):
        lines.insert(before, "\t".join(map(lost.cell, cells)))
    return [*_comments(row, document, lost), *lines]


def _listed(value: object) -> list[object]:
    if isinstance(value, str):
        return list(value.split())
    return list(value) if isinstance(value, Sequence) else []


def _column(row: InnerRow, name: str, length: int, lost: _Lost) -> list[object]:
    value = row.get(name)
    cells = _listed(value)
    if value is not None and len(cells) != length:
        lost.unequal[name] += 1
    return cells if len(cells) == length else [NOTHING] * length


def _misc(row: InnerRow, words: Sequence[object], lost: _Lost) -> list[object]:
    """The last column; where the row has none, what its text tells of spaces."""
    if row.get("misc") is not None:
        return _column(row, "misc", len(words), lost)
    bounds = _bounds(row, words)
    followed = pairwise(bounds)
    spaceless: list[object] = [SPACELESS if left[1] == right[0] else NOTHING for left, right in followed]
    return [*spaceless, NOTHING] if len(bounds) == len(words) else [NOTHING] * len(words)


def _bounds(row: InnerRow, words: Sequence[object]) -> Sequence[Sequence[int]]:
    told = row.get("bounds")
    if isinstance(told, Sequence) and len(told) == len(words):
        return told
    text = row.get("text")
    return (standing(text, [str(word) for word in words]) or []) if isinstance(text, str) else []


def _others(row: InnerRow) -> list[tuple[int, Sequence[object]]]:
    """Ranges and empty nodes as the reader gives them: behind how many words, and the cells."""
    value = row.get("others")
    return [(int(before), cells) for before, cells in value] if isinstance(value, Sequence) else []


def _comments(row: InnerRow, document: str, lost: _Lost) -> list[str]:
    given = row.get("comments")
    if given is not None:
        return [lost.line(line) for line in _listed(given)]
    own = row.get("document")
    return [
        *([f"# newdoc id = {lost.line(own)}"] if own and own != document else []),
        *([f"# sent_id = {lost.line(row['sent_id'])}"] if row.get("sent_id") else []),
        *([f"# text = {lost.line(row['text'])}"] if row.get("text") else []),
    ]
