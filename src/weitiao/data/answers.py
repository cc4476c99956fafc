"""Where in its text an answer stands: as the source says, else where its words are found.

Sources count offsets in bytes, in tokens or in another version of the text, and annotators add a full stop. What comes
out is a piece of the text itself, or None: then these words do not stand in it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

Bounds = tuple[int, int]  # half-open, in characters


def place(text: str, answer: str, stated: int | None) -> tuple[Bounds, bool] | None:
    """((start, end), whether this is certain) of an answer without white space around it; None where it stands nowhere.

    Certain is a place that the source tells rightly, or, where it tells none, the only one. Where the source is wrong
    the nearest occurrence is taken, where it tells none the first: word for word, else by letters and digits alone.

    Args:
        stated: the offset that the source tells; None where it tells none.
    """
    if stated is not None and stated >= 0 and text[stated : stated + len(answer)] == answer:
        return _trimmed(text, (stated, stated + len(answer))), True
    found = list(_occurrences(text, answer.strip())) or list(_by_letters(text, answer))
    if not found:
        return None
    nearest = found[0] if stated is None else min(found, key=lambda each: abs(each[0] - stated))
    return nearest, stated is None and len(found) == 1


def _trimmed(text: str, bounds: Bounds) -> Bounds:
    start, end = bounds
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


def _occurrences(text: str, words: str) -> Iterator[Bounds]:
    start = text.find(words) if words else -1
    while start >= 0:
        yield start, start + len(words)
        start = text.find(words, start + 1)


def _by_letters(text: str, answer: str) -> Iterator[Bounds]:
    """Pieces of the text that differ from the answer only by punctuation, white space, case or width."""
    wanted, _places = _letters(answer)
    letters, places = _letters(text)
    for start, end in _occurrences(letters, wanted):
        yield places[start], places[end - 1] + 1


@lru_cache(maxsize=64)
def _letters(text: str) -> tuple[str, Sequence[int]]:
    """Letters and digits in one case and width, and the character that each comes from."""
    letters, places = [], []
    for index, character in enumerate(text):
        for each in unicodedata.normalize("NFKC", character).casefold():
            if each.isalnum():
                letters.append(each)
                places.append(index)
    return "".join(letters), places
