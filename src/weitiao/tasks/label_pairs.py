"""Pairs of texts made from their labels: of one label, or of two; what contrastive fitting learns from.

Each text is paired with so many of its own label and so many of others (Tunstall et al. 2022, section 3.1), each pair
once; then the rarer kind is repeated until both are as many. A dozen texts so give a hundred examples.

Notation: N texts, M pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from weitiao.records import IntArray


def label_pairs(answers: Sequence[int], *, each: int, most: int, seed: int) -> tuple[IntArray, IntArray]:
    """(pairs [M, 2] of places in `answers`, whether both have one label [M]), shuffled.

    Args:
        answers: label of each text, N of them.
        each: partners of each kind that a text is given, as far as there are so many.
        most: pairs at most, of both kinds together.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    gold = np.asarray(answers)
    kinds = [_unique(_drawn(gold, each, rng, alike=alike)) for alike in (True, False)]
    wanted = min(max(map(len, kinds)), most // 2)
    drawn = [_repeated(pairs, wanted, rng) for pairs in kinds]
    same = np.repeat([1, 0], [len(pairs) for pairs in drawn])
    order = rng.permutation(len(same))
    return np.concatenate(drawn)[order], same[order]


def _drawn(gold: IntArray, each: int, rng: np.random.Generator, *, alike: bool) -> IntArray:
    """Partners of one kind for every text, [*, 2]."""
    found: list[tuple[int, int]] = []
    for index, label in enumerate(gold):
        partners = np.flatnonzero(gold == label if alike else gold != label)
        partners = partners[partners != index]
        chosen = rng.choice(partners, min(each, len(partners)), replace=False)
        found += [(min(index, other), max(index, other)) for other in chosen.tolist()]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _unique(pairs: IntArray) -> IntArray:
    found: IntArray = np.unique(pairs, axis=0)
    return found


def _repeated(pairs: IntArray, wanted: int, rng: np.random.Generator) -> IntArray:
    """So many of the pairs: some, or all again and again; none where there are none."""
    if not len(pairs):
        return pairs
    rounds = [rng.permutation(len(pairs)) for _round in range(-(-wanted // len(pairs)))]
    chosen: IntArray = pairs[np.concatenate([*rounds, np.array([], dtype=np.int64)])[:wanted]]
    return chosen
