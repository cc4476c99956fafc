"""Texts that are longer than the model reads, as overlapping windows, so that nothing of them is lost.

Notation: U parts of a text (units), each with some tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from weitiao.tasks.units import Encoded

OVERLAP = 4  # neighbouring windows share this part of the room: a quarter


@dataclass(frozen=True, slots=True)
class Window:
    """Parts `start` to `end` are read together; of them `first` to `last` are answered here, the others elsewhere."""

    start: int
    end: int
    first: int
    last: int


def windows(sizes: Sequence[int], room: int, overlap: int) -> list[Window]:
    """The windows of a text; each part is answered in one of them, as far from its borders as can be.

    Args:
        sizes: tokens of each part, [U]; a part alone may be larger than the room, and is then cut by the caller.
        room: tokens that the model reads of the text at once.
        overlap: tokens that neighbouring windows share, about.
    """
    bounds = np.concatenate([[0], np.cumsum(np.asarray(sizes, dtype=np.int64))])  # [U + 1]
    if bounds[-1] <= room:
        return [Window(0, len(sizes), 0, len(sizes))]
    spans: list[tuple[int, int]] = []
    start = 0
    while True:
        end = max(int(np.searchsorted(bounds, bounds[start] + room, side="right")) - 1, start + 1)
        spans.append((start, end))
        if end == len(sizes):
            break
        start = max(int(np.searchsorted(bounds, bounds[end] - overlap)), start + 1)
    cuts = [0, *((right[0] + left[1] + 1) // 2 for left, right in pairwise(spans)), len(sizes)]
    return [Window(*span, first, last) for span, (first, last) in zip(spans, pairwise(cuts), strict=True)]


def tokens_of(window: Window, encoded: Encoded, room: int) -> tuple[list[int], list[int], int]:
    """(token ids, place of the token that opens each unit, ids left out) of what a window reads.

    Only a single unit that is longer than the room loses ids.
    """
    ids: list[int] = []
    opening: list[int] = []
    for own, first in encoded[window.start : window.end]:
        opening.append(len(ids) + first)
        ids += own
    return ids[:room], opening, max(len(ids) - room, 0)
