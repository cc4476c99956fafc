"""Sequences of tags from scores: the best one that the rules allow, and the probability of each tag in it.

Scores of units and of transitions go in. A linear head has no transitions of its own: what is allowed scores 0, what is
not minus infinity. Notation: U units, C tags; row and column C of the transitions are the text's borders.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from weitiao.records import FloatArray, IntArray


def rules(allowed: npt.NDArray[np.bool_]) -> FloatArray:
    """Transitions that say only what may follow what, [C + 1, C + 1]."""
    return np.where(allowed, 0.0, -np.inf)


def best_tags(emissions: FloatArray, transitions: FloatArray) -> IntArray:
    """The tags with the highest sum of scores, [U] (Viterbi 1967).

    Args:
        emissions: score of each tag at each unit, [U, C].
        transitions: score of each tag behind each, [C + 1, C + 1].
    """
    units, border = emissions.shape
    if not units:
        return np.zeros(0, dtype=np.int64)
    inner = transitions[:border, :border].T.copy()  # [C, C], to the tag of the row from the tag of the column
    score = transitions[border, :border] + emissions[0]  # [C]
    came_from = np.zeros((units, border), dtype=np.int64)
    for unit in range(1, units):
        ways = inner + score  # [C, C]
        came_from[unit] = ways.argmax(1)
        score = ways.max(1) + emissions[unit]
    tags = np.zeros(units, dtype=np.int64)
    tags[-1] = (score + transitions[:border, border]).argmax()
    for unit in range(units - 1, 0, -1):
        tags[unit - 1] = came_from[unit, tags[unit]]
    return tags


def tag_probabilities(emissions: FloatArray, transitions: FloatArray | None) -> FloatArray:
    """Probability of each tag at each unit, [U, C]: a softmax, or with learnt transitions the chain's marginals.

    Args:
        transitions: of a CRF; None for a linear head.
    """
    if transitions is None or not len(emissions):
        return _softmax(emissions)
    units, border = emissions.shape
    inner = transitions[:border, :border]
    ahead, behind = np.zeros((units, border)), np.zeros((units, border))  # log of the sums over all ways in and out
    ahead[0] = transitions[border, :border]
    behind[-1] = transitions[:border, border]
    for unit in range(1, units):
        ahead[unit] = _logsumexp((ahead[unit - 1] + emissions[unit - 1])[:, None] + inner, 0)
        behind[-1 - unit] = _logsumexp(inner + emissions[-unit] + behind[-unit], 1)
    return _softmax(ahead + emissions + behind)


def _softmax(scores: FloatArray) -> FloatArray:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: FloatArray = powers / powers.sum(-1, keepdims=True)
    return shares


def _logsumexp(scores: FloatArray, axis: int) -> FloatArray:
    highest = scores.max(axis, keepdims=True)
    found: FloatArray = np.squeeze(highest, axis) + np.log(np.exp(scores - highest).sum(axis))
    return found
