"""How far probabilities can be believed: calibration error, reliability curve, Brier score, log likelihood.

Plain arrays in, plain values out. A decision is one probability and whether the thing happened: for single-label tasks
the probability of the most likely label, for multi-label tasks that of every (row, label).

Notation: N rows or decisions, C classes, M bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weitiao.records import FloatArray

BINS = 15  # Guo et al. 2017, section 5
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Bin:
    """Decisions whose probability lies in (low, high]; the first bin holds 0 too."""

    low: float
    high: float
    rows: int
    confidence: float
    """Mean probability."""
    accuracy: float
    """Share that happened."""


def reliability_curve(probability: FloatArray, happened: BoolArray, bins: int = BINS) -> list[Bin]:
    """The non-empty bins of equal width: [N], [N] -> at most M bins, low to high."""
    edges = np.linspace(0, 1, bins + 1)  # [M + 1]
    index = np.clip(np.searchsorted(edges, probability, side="left") - 1, 0, bins - 1)  # [N]
    rows = np.bincount(index, minlength=bins)  # [M]
    confidence = np.bincount(index, weights=probability, minlength=bins)  # [M]
    hits = np.bincount(index, weights=happened, minlength=bins)  # [M]
    return [
        Bin(
            float(edges[m]), float(edges[m + 1]), int(rows[m]), float(confidence[m] / rows[m]), float(hits[m] / rows[m])
        )
        for m in range(bins)
        if rows[m]
    ]


def calibration_error(curve: list[Bin]) -> float:
    """Expected calibration error: each bin's gap, weighted by its rows (Naeini et al. 2015; Guo et al. 2017, eq. 3)."""
    rows = sum(each.rows for each in curve)
    return sum(each.rows * abs(each.accuracy - each.confidence) for each in curve) / rows if rows else 0.0


def brier_score(probabilities: FloatArray, happened: BoolArray) -> float:
    """Mean over rows of the squared error summed over classes (Brier 1950), 0 to 2: [N, C], [N, C]."""
    return float(((probabilities - happened) ** 2).sum(-1).mean())


def negative_log_likelihood(probability: FloatArray) -> float:
    """Mean of -ln(probability given to what happened), [N]; a probability of 0 counts as the epsilon of a double."""
    return float(-np.log(np.clip(probability, np.finfo(np.float64).eps, 1)).mean())
