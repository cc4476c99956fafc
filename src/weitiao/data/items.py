"""An Item: the little of a Record by which rows are split, compared and fingerprinted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple


class Item(NamedTuple):
    """One usable row.

    Args:
        file: its source.
        line: its first line.
        surface: the text by which duplicates are told.
        answer: its gold answer as one string.
        group: rows of one group stay in one split; empty for none.
        beside: what else tells it from a row with the same surface and answer.
    """

    file: str
    line: int
    surface: str
    answer: str
    group: str = ""
    beside: str = ""

    @property
    def place(self) -> str:
        """`FILE:LINE`, for messages."""
        return f"{self.file}:{self.line}"


def fingerprint(items: Iterable[Item]) -> str:
    """sha256 of surfaces and answers, in order."""
    digest = hashlib.sha256()
    for item in items:
        surface, answer = item.surface.encode("utf-8", "surrogatepass"), item.answer.encode("utf-8", "surrogatepass")
        digest.update(b"%d %d\n%b%b" % (len(surface), len(answer), surface, answer))
    return digest.hexdigest()
