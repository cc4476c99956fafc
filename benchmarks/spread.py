"""Intervals of the differences and ratios that the benchmarks report, and bars of two sides beside each other."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import Bar, Result

RESAMPLES = 4000
SIDES = ("trainer", "ours")
SPEED_GOAL, MEMORY_GOAL = 1.15, 1.0


def over_seeds(differences: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean of paired differences, one a seed; the whole line below two of them."""
    if len(differences) < 2:
        return (-float("inf"), float("inf"))
    from scipy.stats import t

    mean = statistics.fmean(differences)
    deviation = statistics.stdev(differences) / len(differences) ** 0.5
    half = float(t.ppf(0.5 + confidence / 2, len(differences) - 1)) * deviation
    return (round(mean - half, 5), round(mean + half, 5))


def over_rows(ours: Sequence[str], theirs: Sequence[str], confidence: float = 0.95) -> tuple[float, float]:
    """Bootstrap interval of the difference in accuracy over test rows, averaged over seeds.

    Args:
        ours, theirs: one string of 0 and 1 a seed: whether each test row was answered rightly.
    """
    gain = np.mean([_bits(mine) - _bits(other) for mine, other in zip(ours, theirs, strict=True)], axis=0)  # [rows]
    rng = np.random.default_rng(17)
    counts = rng.multinomial(len(gain), np.full(len(gain), 1 / len(gain)), size=RESAMPLES)  # [RESAMPLES, rows]
    low, high = np.quantile(counts @ gain / len(gain), [0.5 - confidence / 2, 0.5 + confidence / 2])
    return (round(float(low), 5), round(float(high), 5))


def accuracy(correct: str) -> float:
    """Share of ones."""
    return correct.count("1") / max(1, len(correct))


def gain(ours: Sequence[str], theirs: Sequence[str]) -> dict[str, Any]:
    """Mean difference in accuracy and its two intervals, from one string of 0 and 1 a seed on each side."""
    differences = [accuracy(mine) - accuracy(other) for mine, other in zip(ours, theirs, strict=True)]
    return {
        "difference": round(statistics.fmean(differences), 5),
        "over_seeds": over_seeds(differences) if len(differences) > 1 else None,
        "over_rows": over_rows(ours, theirs),
    }


def median_and_range(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The median, and the smallest and largest value."""
    return statistics.median(values), (min(values), max(values))


def side_bars(results: Mapping[str, Result]) -> dict[str, Bar]:
    """Speed and memory of ours by Trainer's, from the cells `speed-N` and `memory-SIDE`; see fitting.py."""
    rounds = [each.measured for name, each in results.items() if name.startswith("speed-")]
    rounds = [each for each in rounds if not each["disturbed"]] or rounds
    ratios = [
        each["systems"]["ours"]["tokens_per_second"] / each["systems"]["trainer"]["tokens_per_second"]
        for each in rounds
    ]
    peaks = [results[name].measured["peak_mb"] for side in ("ours", "trainer") if (name := f"memory-{side}") in results]
    share = round(peaks[0] / peaks[1], 3) if len(peaks) == 2 else None
    return {
        "speed_over_trainer_grouped": Bar(round(statistics.median(ratios), 3) if ratios else None, SPEED_GOAL),
        "peak_memory_of_trainer": Bar(share, MEMORY_GOAL, at_least=False),
    }


def _bits(correct: str) -> np.ndarray:
    return np.frombuffer(correct.encode(), dtype=np.uint8).astype(np.float64) - ord("0")
