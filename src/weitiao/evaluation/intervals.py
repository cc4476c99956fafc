"""Percentile bootstrap intervals of any Metric, and of the difference between two systems on the same rows.

A metric is a value of summed counts, so a resample of rows is a weighted sum of count rows; equal count rows are drawn
together, which gives the same distribution for a fraction of the work. Rows that belong together (a document's, a
patient's) are resampled together when their unit is named.

Notation: N rows, U units, D distinct rows of counts, K counts, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from weitiao.metrics import Metric
from weitiao.records import FloatArray

CHUNK = 4_000_000  # numbers held at once: 32 MB of weights and sums


class Score(BaseModel):
    """A value and its bootstrap interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float = Field(description="lower end of the interval")
    high: float = Field(description="upper end of the interval")


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made.

    Args:
        resamples: R.
        confidence: share of the resamples inside the interval.
        seed: of the resampling, so that a report can be repeated.
        units: the unit of each row, [N]; rows of one unit are drawn together. None: each row is its own.
    """

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 17
    units: Sequence[Hashable] | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """Distinct rows of counts, [D, K], and how many units have each, [D]."""

    counts: FloatArray
    times: npt.NDArray[np.int64]

    @property
    def total(self) -> FloatArray:
        """[K]."""
        return self.times @ self.counts


def interval(metric: Metric, predictions: Sequence[Any], records: Sequence[Any], resampling: Resampling) -> Score:
    """The metric over the rows, with its interval."""
    rows = [metric.counts(each, record) for each, record in zip(predictions, records, strict=True)]
    return bootstrap(metric.value, collect(rows, resampling.units), resampling)


def difference(
    metric: Metric, first: Sequence[Any], second: Sequence[Any], records: Sequence[Any], resampling: Resampling
) -> Score:
    """The metric of `first` minus that of `second` on the same rows, with the interval of the paired bootstrap."""
    rows = [
        np.concatenate([metric.counts(one, record), metric.counts(other, record)])
        for one, other, record in zip(first, second, records, strict=True)
    ]

    def gap(total: FloatArray) -> FloatArray:
        half = total.shape[-1] // 2
        return metric.value(total[..., :half]) - metric.value(total[..., half:])

    return bootstrap(gap, collect(rows, resampling.units), resampling)


def collect(rows: Iterable[FloatArray], units: Sequence[Hashable] | None = None) -> Sample:
    """Rows of counts, each [K], summed by unit, equal sums together."""
    times: dict[bytes, int] = {}
    for row in rows if units is None else _by_unit(rows, units):
        key = np.asarray(row, dtype=np.float64).tobytes()
        times[key] = times.get(key, 0) + 1
    if not times:
        raise ValueError("no rows to resample")
    counts = np.frombuffer(b"".join(times), dtype=np.float64).reshape(len(times), -1)  # [D, K]
    return Sample(counts, np.fromiter(times.values(), dtype=np.int64))


def _by_unit(rows: Iterable[FloatArray], units: Sequence[Hashable]) -> Iterable[FloatArray]:
    sums: dict[Hashable, FloatArray] = {}
    for row, unit in zip(rows, units, strict=True):
        sums[unit] = sums[unit] + row if unit in sums else row
    return sums.values()


def bootstrap(value: Callable[[FloatArray], FloatArray], sample: Sample, resampling: Resampling) -> Score:
    """The value of the whole sample, and the percentiles of its resamples (Efron and Tibshirani 1993, section 13.3)."""
    rng = np.random.default_rng(resampling.seed)
    units = int(sample.times.sum())
    step = max(1, CHUNK // sum(sample.counts.shape))
    values = []
    for start in range(0, resampling.resamples, step):
        size = min(step, resampling.resamples - start)
        weights = rng.multinomial(units, sample.times / units, size=size)  # [size, D]
        values.append(value(weights @ sample.counts))  # [size]
    tail = (1 - resampling.confidence) / 2
    low, high = np.quantile(np.concatenate(values), [tail, 1 - tail])
    return Score(value=float(value(sample.total)), low=float(low), high=float(high))
