"""Offsets as tools count them, and where they stand in the characters of the untouched text.

JavaScript counts UTF-16 units, in which an emoji is two; some tools count CRLF as one, or everything that is drawn as
one character (a grapheme cluster: a letter with its marks, a family of joined emoji). Python counts code points.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

Counting = Literal["characters", "utf-16", "lines", "utf-16-lines", "graphemes"]
Bounds = tuple[int, int]
NOWHERE = -1  # inside a character
JOINER = "\u200d"


def places(text: str, counting: Counting) -> Sequence[int]:
    """The character at which each counted place stands, the end of the text included; `NOWHERE` inside a character."""
    if counting == "characters" or (counting != "graphemes" and _is_simple(text)):
        return range(len(text) + 1)
    if counting == "graphemes":
        return [*_clusters(text), len(text)]
    found: list[int] = []
    for index, character in enumerate(text):
        if counting != "utf-16" and character == "\n" and text[index - 1 : index] == "\r":
            continue
        found.append(index)
        if counting != "lines" and character > "\uffff":
            found.append(NOWHERE)
    return [*found, len(text)]


def counts_differ(text: str, countings: Sequence[Counting]) -> bool:
    """Whether it matters for this text which of the countings is meant."""
    return not text.isascii() and len({len(places(text, counting)) for counting in countings}) > 1


def _is_simple(text: str) -> bool:
    """Whether JavaScript and those who count CRLF as one count it as Python does."""
    return not text or (max(text) <= "\uffff" and "\r" not in text)


def located(counted: Sequence[int], start: int, end: int) -> Bounds | None:
    """(start, end) in characters of a span in counted places; None where it is none."""
    if not 0 <= start < end < len(counted) or NOWHERE in (counted[start], counted[end]):
        return None
    return counted[start], counted[end]


def counted_as(text: str, start: int, end: int, counting: Counting) -> Bounds:
    """A span in characters as a tool counts it."""
    if counting == "characters" or text.isascii():
        return start, end
    counted = places(text, counting)
    return counted.index(start), counted.index(end)


def proven(text: str, start: int, end: int, surface: str, counting: Counting) -> Bounds | None:
    """(start, end) in characters, if that is where `surface` stands; white space may differ."""
    found = located(places(text, counting), start, end)
    return found if found and same_words(text[found[0] : found[1]], surface) else None


def same_words(left: str, right: str) -> bool:
    """Whether two pieces differ in white space only; some tools write a line break as backslash and n."""
    return left == right or _words(left) == _words(right)


def _words(text: str) -> list[str]:
    return text.replace("\\n", "\n").split()


def likeliest(examples: Iterable[tuple[str, Sequence[Bounds]]], order: Sequence[Counting]) -> Counting:
    """The counting under which fewest spans are impossible, then fewest cut a word or begin or end with white space.

    Args:
        examples: texts and spans whose surfaces nobody wrote down.
        order: countings to choose from; of equals, the first.
    """
    faults = dict.fromkeys(order, (0, 0))
    for text, spans in examples:
        if not spans or not counts_differ(text, order):
            continue
        for counting, (impossible, awkward) in faults.items():
            own = _faults(text, spans, counting)
            faults[counting] = (impossible + own[0], awkward + own[1])
    return min(order, key=lambda counting: faults[counting])


def fitting(text: str, spans: Sequence[Bounds], order: Sequence[Counting]) -> list[Counting]:
    """The countings that fit the spans of one text best; all of them where the text does not tell."""
    faults = {counting: _faults(text, spans, counting) for counting in order}
    return [counting for counting in order if faults[counting] == min(faults.values())]


def _faults(text: str, spans: Sequence[Bounds], counting: Counting) -> tuple[int, int]:
    """(spans that are impossible under a counting, spans that cut a word or begin or end with white space)."""
    counted = places(text, counting)
    found = [located(counted, start, end) for start, end in spans]
    return found.count(None), sum(_is_awkward(text, *bounds) for bounds in found if bounds)


def _is_awkward(text: str, start: int, end: int) -> bool:
    piece = text[start:end]
    return piece != piece.strip() or _inside_word(text, start) or _inside_word(text, end)


def _inside_word(text: str, place: int) -> bool:
    around = text[max(place - 1, 0) : place + 1]
    return len(around) == 2 and 0 < place < len(text) and all(each.isalnum() and each < "\u2e80" for each in around)


def _clusters(text: str) -> Iterator[int]:
    """Where each grapheme cluster begins (Unicode Standard Annex 29, without the rules of Hangul and Indic scripts)."""
    flags = 0  # regional indicators in a row: two of them are one flag
    for index, character in enumerate(text):
        flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        flags = flags + 1 if flag else 0
        before = text[index - 1] if index else ""
        joined = before and (
            (before == "\r" and character == "\n")
            or before == JOINER
            or character == JOINER
            or "\U0001f3fb" <= character <= "\U0001f3ff"
            or "\U000e0020" <= character <= "\U000e007f"
            or unicodedata.category(character) in ("Mn", "Mc", "Me")
            or (flag and flags % 2 == 0)
        )
        if not joined:
            yield index
