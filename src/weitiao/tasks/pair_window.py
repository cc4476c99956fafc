"""A text with two spans as the model reads it: marks around both, and of a long text what stands around them.

The marks are rare signs that the vocabulary has, as in R-BERT (Wu & He 2019), and not new tokens as in Baldini Soares
et al. 2019, whose embeddings would start from nothing. Neither says what kind of thing a span is.

Notation: U units of a text, T tokens.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from weitiao.tasks.units import Bounds, UnitTokenizer
from weitiao.text import Tokenizer

SIGNS = "$#@*^&|~<>{}+=_%;:!?-.,"  # the rarest first
MARKS = 4  # around two spans


@dataclass(frozen=True, slots=True)
class MarkedTokens:
    """Token ids with marks.

    Args:
        ids: [T].
        head, tail: bounds of the spans among them, their own marks not counted.
        cut: tokens of the text that were left out.
    """

    ids: Sequence[int]
    head: Bounds
    tail: Bounds
    cut: int


def marks_of(tokenizer: Tokenizer) -> tuple[int, int]:
    """The ids on both sides of head and tail: the two rarest signs that are one token each."""
    found = tokenizer.memo.get("marks")
    if found is None:
        pieces = UnitTokenizer.of(tokenizer)
        encoded = (pieces.encode(f" {sign}", [(1, 2)])[0] for sign in SIGNS)
        single = (ids[first] for ids, first in encoded if len(ids) == first + 1 and ids[first] != pieces.unknown)
        one, other = [*dict.fromkeys(single), pieces.unknown, pieces.unknown][:2]
        found = tokenizer.memo["marks"] = (one, other)
    return found


def marked(
    tokens: Sequence[Sequence[int]],
    units: Sequence[Bounds],
    head: Bounds,
    tail: Bounds,
    *,
    marks: tuple[int, int],
    room: int,
) -> MarkedTokens:
    """The text's tokens with marks around head and tail, at most `room` of them.

    Args:
        tokens: ids of each unit, [U].
        units: (start, end) of each in the text, [U].
        head, tail: (start, end) in the text; a unit that they touch belongs to them.
    """
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in tokens])])  # [U + 1]
    spans = [(int(starts[a]), int(starts[b])) for a, b in (_touched(units, head), _touched(units, tail))]
    parts = kept(int(starts[-1]), spans[0], spans[1], room - MARKS)
    flat = list(chain.from_iterable(tokens))
    ids = [each for a, b in parts for each in flat[a:b]]
    places = np.concatenate([np.arange(a, b) for a, b in parts])
    inside = [(int(np.searchsorted(places, a)), int(np.searchsorted(places, b))) for a, b in spans]
    return _with_marks(ids, inside, marks, len(flat) - len(ids))


def _touched(units: Sequence[Bounds], span: Bounds) -> Bounds:
    """(first unit, behind the last) of a span."""
    first = bisect_right(units, span[0], key=lambda unit: unit[1])
    return first, bisect_left(units, span[1], key=lambda unit: unit[0])


def kept(total: int, one: Bounds, other: Bounds, room: int) -> list[Bounds]:
    """The parts of so many tokens that are read: all, one around both spans, or one around each.

    The first token of both spans is always there; a span longer than half the room loses its end, where the room does
    not hold all that is between.
    """
    if total <= room:
        return [(0, total)]
    low, high = min(one[0], other[0]), max(one[1], other[1])
    if high - low <= room:
        return [_around(low, high, total, room)]
    half = max(room // 2, 1)
    (a, b), (c, d) = sorted(_around(start, min(end, start + half), total, half) for start, end in (one, other))
    return [_around(a, max(b, d), total, room)] if c <= b else [(a, b), (c, d)]


def _around(start: int, end: int, total: int, room: int) -> Bounds:
    """`start` to `end` with what there is room for on both sides, in halves where both have enough."""
    slack = room - (end - start)
    left = min(start, slack // 2)
    right = min(total - end, slack - left)
    return start - min(start, slack - right), end + right


def _with_marks(ids: Sequence[int], spans: Sequence[Bounds], marks: tuple[int, int], cut: int) -> MarkedTokens:
    """Each span between two marks of its own; of nested spans the inner one's marks are inside."""
    opening = [(start, True, -end, which) for which, (start, end) in enumerate(spans)]
    closing = [(end, False, -start, which) for which, (start, end) in enumerate(spans)]
    found: list[int] = []
    bounds = [[0, 0], [0, 0]]
    last = 0
    for place, opens, _order, which in sorted([*opening, *closing]):
        found += ids[last:place]
        last = place
        if not opens:
            bounds[which][1] = len(found)
        found.append(marks[which])
        if opens:
            bounds[which][0] = len(found)
    (a, b), (c, d) = bounds
    return MarkedTokens([*found, *ids[last:]], (a, b), (c, d), cut)
