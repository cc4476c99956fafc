"""Which of many candidates to take so that they stand for the rest and not for each other.

Vectors are of length 1, so that a product is the cosine of an angle.

Notation: N candidates, K already labelled texts, H width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from weitiao.data.dedup import near_duplicates
from weitiao.records import FloatArray

NEIGHBOURS = 10
BLOCK = 1024  # candidates that are compared with all at a time
DIGITS = 5  # decimals by which scores differ: beyond them are the rows beside a text in a batch, not the text


def density(vectors: FloatArray, neighbours: int = NEIGHBOURS) -> FloatArray:
    """Mean cosine of each vector with its nearest neighbours, not below 0: [N, H] -> [N]."""
    count = min(neighbours, len(vectors) - 1)
    if count < 1:
        return np.ones(len(vectors))
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        alike = vectors[start : start + BLOCK] @ vectors.T  # [block, N]
        rows = np.arange(len(alike))
        alike[rows, start + rows] = -np.inf  # itself is no neighbour
        found[start : start + BLOCK] = np.partition(alike, -count, axis=1)[:, -count:].mean(1)
    return np.maximum(found, 0.0)


def k_center(vectors: FloatArray, worth: FloatArray, number: int, labelled: FloatArray | None = None) -> list[int]:
    """Places of `number` candidates, best first: each is far from all before it and from what is labelled.

    The greedy choice of Sener & Savarese 2018, algorithm 1, which takes what lies farthest from its nearest centre;
    here that distance is weighed with what a candidate is worth by itself, for alone it prefers outliers.

    Args:
        vectors: of the candidates, [N, H].
        worth: [N]; not below 0.
        number: wanted; all where there are no more. Of equals, to `DIGITS` decimals, the first is taken.
        labelled: of texts that are labelled already, [K, H].
    """
    far = np.full(len(vectors), 2.0)
    if labelled is not None and len(labelled):
        for start in range(0, len(vectors), BLOCK):
            far[start : start + BLOCK] = 1 - (vectors[start : start + BLOCK] @ labelled.T).max(1)
    left: npt.NDArray[np.bool_] = np.ones(len(vectors), dtype=bool)
    chosen: list[int] = []
    while len(chosen) < min(number, len(vectors)):
        best = int(np.where(left, (worth * np.maximum(far, 0.0)).round(DIGITS), -1.0).argmax())
        chosen.append(best)
        left[best] = False
        far = np.minimum(far, 1 - vectors @ vectors[best])
    return chosen


def distinct(texts: Sequence[str], known: Sequence[str]) -> list[int]:
    """Places of the texts, in order, that are no near-duplicate of a known one or of one before them.

    Args:
        texts, known: folded, see `data.dedup.fold`; short texts count as duplicates where they are equal.
    """
    seen = set(known)
    again = {left for left, _right, _share in near_duplicates(texts, known)} if known else set()
    before: dict[int, list[int]] = {}
    for first, second, _share in near_duplicates(texts):
        before.setdefault(second, []).append(first)
    kept: list[int] = []
    inside: set[int] = set()
    for place, text in enumerate(texts):
        if text in seen or place in again or any(each in inside for each in before.get(place, ())):
            continue
        seen.add(text)
        inside.add(place)
        kept.append(place)
    return kept
