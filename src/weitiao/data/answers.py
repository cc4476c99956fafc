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
    Where the words stand only inside other words ('art' in 'party'), that is not certain.

    Args:
        stated: the offset that the source tells; None where it tells none.
    """
    if stated is not None and stated >= 0 and text[stated : stated + len(answer)] == answer:
        return _trimmed(text, (stated, stated + len(answer))), True
    exact, loose = list(_occurrences(text, answer.strip())), list(_by_letters(text, answer))
    whole = _whole(text, exact) or _whole(text, loose)
    found = whole or exact or loose
    if not found:
        return None
    nearest = found[0] if stated is None else min(found, key=lambda each: abs(each[0] - stated))
    return nearest, stated is None and len(whole) == 1


def _whole(text: str, found: Sequence[Bounds]) -> list[Bounds]:
    """Those that neither begin nor end inside a word or number."""
    return [each for each in found if not any(_inside(text, border) for border in each)]


def _inside(text: str, border: int) -> bool:
    """Whether a border parts a run of letters or digits, or a sign from its mark; Chinese characters stand alone."""
    if not 0 < border < len(text):
        return False
    before, behind = text[border - 1], text[border]
    if unicodedata.category(behind).startswith("M"):
        return True
    return all(map(str.isdigit, before + behind)) or all(map(_is_letter, before + behind))


def _is_letter(character: str) -> bool:
    return character.isalpha() and unicodedata.east_asian_width(character) != "W"


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
