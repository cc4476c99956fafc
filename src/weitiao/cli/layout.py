"""Text laid out in the columns of a terminal, where a Chinese character takes two: lines and tables."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache

GAP = 2  # columns between those of a table
NARROWEST = 8  # columns to which a table's column is squeezed


def page_width() -> int:
    """Columns to fill: those of the terminal, at most 100."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, 100))


def columns(text: str) -> int:
    """Terminal columns of `text`: wide East Asian characters take two."""
    return sum(_columns_of(character) for character in text)


@lru_cache(maxsize=4096)
def _columns_of(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrap(text: str, width: int, indent: int = 0) -> list[str]:
    """Lines of at most `width` columns: broken at spaces, and between Chinese characters; later lines are indented."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line.strip() and columns(line) + columns(piece.rstrip()) > width:
            lines.append(line.rstrip())
            line = " " * indent
            piece = piece.lstrip()
        line += piece
    return [*lines, line.rstrip()]


NEVER_FIRST = "，。；：？！、）》」』】”’…,.;:?!)"


def _pieces(text: str) -> Iterable[str]:
    """What may not be broken: words with the space before them, single wide characters with their closing mark."""
    piece = ""
    for character in text:
        wide = _columns_of(character) == 2
        after_wide = bool(piece) and _columns_of(piece[-1]) == 2
        if piece and character not in NEVER_FIRST and (character == " " or wide or after_wide):
            yield piece
            piece = ""
        piece += character
    yield piece


def table(rows: Sequence[Sequence[str]], width: int, right: Collection[int] = ()) -> Iterator[str]:
    """Lines of a table that is at most `width` columns wide; long cells are wrapped.

    Args:
        right: columns to align right, from 0.
    """
    widths = _squeezed([max(map(_cell_columns, column)) for column in zip(*rows, strict=True)], width)
    for row in rows:
        parts = [_folded(cell, space) for cell, space in zip(row, widths, strict=True)]
        for line in range(max(map(len, parts))):
            texts = [part[line] if line < len(part) else "" for part in parts]
            padded = [_padded(text, widths[index], index in right) for index, text in enumerate(texts)]
            yield (" " * GAP).join(padded).rstrip()


def _cell_columns(cell: str) -> int:
    return max(map(columns, cell.split("\n")))


def _squeezed(widths: Sequence[int], width: int) -> list[int]:
    """The widest columns made narrower until all fit."""
    room = width - GAP * (len(widths) - 1)
    squeezed = [min(each, room) for each in widths]
    while sum(squeezed) > room and max(squeezed) > NARROWEST:
        squeezed[squeezed.index(max(squeezed))] -= 1
    return squeezed


def _folded(cell: str, width: int) -> list[str]:
    """Lines of a cell; a word wider than the column is broken inside."""
    lines: list[str] = []
    for paragraph in cell.split("\n"):
        for line in wrap(paragraph, width):
            lines += _broken(line, width)
    return lines


def _broken(line: str, width: int) -> Iterator[str]:
    part, used = "", 0
    for character in line:
        takes = _columns_of(character)
        if used + takes > width:
            yield part
            part, used = "", 0
        part, used = part + character, used + takes
    yield part


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - columns(text))
    return space + text if right else text + space
