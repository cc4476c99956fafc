"""The population stability index of two counts, and from which value on it says something.

PSI = sum over bins of (q - p) ln(q / p), with p the shares of the reference and q those of now; it is symmetric. Below
0.1 a population counts as stable, from 0.25 on as changed (Siddiqi 2006, Credit Risk Scorecards, chapter 9). Those
bounds forget how many were counted: of two samples of one population PSI / (1/N + 1/M) is about chi-square with
bins - 1 degrees of freedom (Yurdakul and Naranjo 2020, Statistical properties of the population stability index,
section 3), so few requests or few reference rows drift by chance alone. Here an index counts only where chance would
reach it once in a hundred comparisons or more rarely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Literal

MODERATE, LARGE = 0.1, 0.25  # Siddiqi 2006, chapter 9
CHANCE = 0.01
SMOOTHING = 0.5  # added to each count, so that an empty bin has a logarithm (Jeffreys' prior of a share)
State = Literal["stable", "moderate", "large"]


def stability_index(reference: Sequence[float], current: Sequence[float]) -> float:
    """The index of two lists of counts over the same bins."""
    before, now = _shares(reference), _shares(current)
    return sum((q - p) * math.log(q / p) for p, q in zip(before, now, strict=True))


def by_chance(reference: float, current: float, bins: int) -> float:
    """What the index exceeds in one of a hundred comparisons of two samples of one population.

    Args:
        reference, current: how many were counted.
        bins: over how many bins.
    """
    return chi_square(bins - 1) * (1 / reference + 1 / current) if bins > 1 else 0.0


def chi_square(degrees: int) -> float:
    """The value that chi-square exceeds by `CHANCE` (Wilson and Hilferty 1931, good to a few per mille)."""
    spread = 2 / (9 * degrees)
    return degrees * float(1 - spread + NormalDist().inv_cdf(1 - CHANCE) * math.sqrt(spread)) ** 3


def state_of(index: float, chance: float) -> State:
    """What an index says."""
    if index < max(MODERATE, chance):
        return "stable"
    return "large" if index >= max(LARGE, chance) else "moderate"


def _shares(counts: Sequence[float]) -> list[float]:
    total = sum(counts) + SMOOTHING * len(counts)
    return [(count + SMOOTHING) / total for count in counts]
