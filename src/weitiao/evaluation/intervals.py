"""Percentile bootstrap intervals of any Metric, and of the difference between two systems on the same rows.

A metric is a value of summed counts, so a resample of rows is a weighted sum of count rows; equal count rows are drawn
together, which gives the same distribution for a fraction of the work. A `ListMetric` is told how often each row was
drawn. Rows that belong together (a document's, a patient's) are resampled together when their unit is named.

Notation: N rows, U units, D distinct rows of counts, K counts, R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from weitiao.metrics import AnyMetric, ListMetric, Metric
from weitiao.records import FloatArray

Value = Callable[
    [FloatArray], FloatArray
]  # [..., K] -> [...]; of a list, how often each row was drawn, [..., N] -> [...]

HIDDEN = 3.0  # rows of a kind that none of many was of, which may be expected among as many others, 95 %
CHUNK = 4_000_000  # numbers held at once: 32 MB of weights and sums


class Score(BaseModel):
    """A value and its bootstrap interval."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    low: float = Field(description="lower end of the interval")
    high: float = Field(description="upper end of the interval")

    def shown(self, sign: str = "") -> str:
        """`0.873 [0.856, 0.890]`; with the sign "+" also where it is above zero."""
        return f"{self.value:{sign}.3f} [{self.low:{sign}.3f}, {self.high:{sign}.3f}]"


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


def interval(metric: AnyMetric, predictions: Sequence[Any], records: Sequence[Any], resampling: Resampling) -> Score:
    """The metric over the rows, with its interval."""
    if isinstance(metric, ListMetric):
        return list_interval(metric, metric.rows(predictions, records), resampling)
    rows = [metric.counts(each, record) for each, record in zip(predictions, records, strict=True)]
    return bootstrap(metric.value, collect(rows, resampling.units), resampling)


def intervals(
    metrics: Sequence[AnyMetric], predictions: Sequence[Any], records: Sequence[Any], resampling: Resampling
) -> dict[str, Score]:
    """Every metric over the rows, by name; those of counts share their resamples, and those of lists theirs."""
    scores = _summed([each for each in metrics if not isinstance(each, ListMetric)], predictions, records, resampling)
    whole = [each for each in metrics if isinstance(each, ListMetric)]
    values = [partial(each.of, each.rows(predictions, records)) for each in whole]
    found = list_bootstraps(values, len(records), resampling) if whole else []
    scores.update({metric.name: score for metric, score in zip(whole, found, strict=True)})
    return {metric.name: scores[metric.name] for metric in metrics}


def _summed(
    metrics: Sequence[Metric], predictions: Sequence[Any], records: Sequence[Any], resampling: Resampling
) -> dict[str, Score]:
    """Metrics that are sums of counts: all from the same resamples, so that equal metrics have equal intervals."""
    if not metrics:
        return {}
    pairs = list(zip(predictions, records, strict=True))

    def counts(metric: Metric, rows: Sequence[int]) -> FloatArray:
        if len(rows) == 1:
            return np.asarray(metric.counts(*pairs[rows[0]]), dtype=np.float64)
        return np.sum([metric.counts(*pairs[row]) for row in rows], axis=0, dtype=np.float64)  # type: ignore[no-any-return]

    members: dict[bytes, Sequence[int]] = {}  # a unit for each distinct set of counts
    times: dict[bytes, int] = {}
    for rows in _rows_of_units(len(pairs), resampling.units):
        key = blake2b(b"".join(counts(metric, rows).tobytes() for metric in metrics)).digest()
        members.setdefault(key, rows)
        times[key] = times.get(key, 0) + 1
    drawn = np.fromiter(times.values(), dtype=np.int64)
    alike: dict[bytes, tuple[Sample, list[Metric]]] = {}  # metrics of the same counts share their sums
    for metric in metrics:
        matrix = np.array([counts(metric, rows) for rows in members.values()])  # [D, K]
        alike.setdefault(blake2b(matrix.tobytes()).digest(), (Sample(matrix, drawn), []))[1].append(metric)
    scores = {}
    for sample, group in alike.values():
        found = bootstraps([metric.value for metric in group], sample, resampling)
        scores.update({metric.name: score for metric, score in zip(group, found, strict=True)})
    return scores


def _rows_of_units(rows: int, units: Sequence[Hashable] | None) -> Iterable[Sequence[int]]:
    if units is None:
        return ([row] for row in range(rows))
    found: dict[Hashable, list[int]] = {}
    for row, unit in zip(range(rows), units, strict=True):
        found.setdefault(unit, []).append(row)
    return found.values()


def difference(
    metric: AnyMetric, first: Sequence[Any], second: Sequence[Any], records: Sequence[Any], resampling: Resampling
) -> Score:
    """The metric of `first` minus that of `second` on the same rows, with the interval of the paired bootstrap."""
    if isinstance(metric, ListMetric):
        return _list_difference(metric, metric.rows(first, records), metric.rows(second, records), resampling)
    rows = [
        np.concatenate([metric.counts(one, record), metric.counts(other, record)])
        for one, other, record in zip(first, second, records, strict=True)
    ]

    def gap(total: FloatArray) -> FloatArray:
        half = total.shape[-1] // 2
        return metric.value(total[..., :half]) - metric.value(total[..., half:])

    return bootstrap(gap, collect(rows, resampling.units), resampling)


def draws(metric: AnyMetric, predictions: Sequence[Any], records: Sequence[Any], resampling: Resampling) -> FloatArray:
    """The metric of each resample, [R]; for the same records and resampling, each system's draw the same rows."""
    if isinstance(metric, ListMetric):
        rows = metric.rows(predictions, records)  # [N, K]
        return np.concatenate([metric.of(rows, times) for times in _drawn(len(records), resampling)])
    pairs = zip(predictions, records, strict=True)
    counts = np.array([metric.counts(each, record) for each, record in pairs], dtype=np.float64)  # [N, K]
    return np.concatenate([metric.value(times @ counts) for times in _drawn(len(records), resampling)])


def over_seeds(drawn: FloatArray, seed: int) -> FloatArray:
    """[S, R] -> [R]: each resample of the rows with one of the S seeds, alike for all systems with this `seed`."""
    seeds, resamples = drawn.shape
    chosen = np.random.default_rng(seed).integers(0, seeds, (seeds, resamples))
    return np.take_along_axis(drawn, chosen, axis=0).mean(0)  # type: ignore[no-any-return]


def between(value: float, drawn: FloatArray, confidence: float) -> Score:
    """A value between the percentiles of its resamples, [R]."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Score(value=value, low=float(low), high=float(high))


def collect(rows: Iterable[FloatArray], units: Sequence[Hashable] | None = None) -> Sample:
    """Rows of counts, each [K], summed by unit, equal sums together."""
    times: dict[bytes, int] = {}
    for row in rows if units is None else _by_unit(rows, units):
        key = np.asarray(row, dtype=np.float64).tobytes()
        times[key] = times.get(key, 0) + 1
    if not times:
        return Sample(np.empty((0, 0)), np.empty(0, dtype=np.int64))
    counts = np.frombuffer(b"".join(times), dtype=np.float64).reshape(len(times), -1)  # [D, K]
    return Sample(counts, np.fromiter(times.values(), dtype=np.int64))


def _by_unit(rows: Iterable[FloatArray], units: Sequence[Hashable]) -> Iterable[FloatArray]:
    sums: dict[Hashable, FloatArray] = {}
    for row, unit in zip(rows, units, strict=True):
        sums[unit] = sums[unit] + row if unit in sums else row
    return sums.values()


def bootstrap(value: Value, sample: Sample, resampling: Resampling) -> Score:
    """The value of the whole sample, and the percentiles of its resamples (Efron and Tibshirani 1993, section 13.3)."""
    return bootstraps([value], sample, resampling)[0]


def bootstraps(values: Sequence[Value], sample: Sample, resampling: Resampling) -> list[Score]:
    """Several values of the same resamples."""
    if not len(sample.times):
        raise ValueError("no rows to resample")
    drawn = [[value(sums) for value in values] for sums in _resampled(sample, resampling)]
    return _scores(drawn, [float(value(sample.total)) for value in values], resampling)


def _scores(drawn: Sequence[Sequence[FloatArray]], whole: Sequence[float], resampling: Resampling) -> list[Score]:
    """Each value of the whole sample between the percentiles of its resamples, which come in chunks."""
    return [
        between(value, np.concatenate(chunks), resampling.confidence)
        for value, chunks in zip(whole, zip(*drawn, strict=True), strict=True)
    ]


def _resampled(sample: Sample, resampling: Resampling) -> Iterator[FloatArray]:
    """The counts of each resample, [R, K], in chunks."""
    rng = np.random.default_rng(resampling.seed)
    units = int(sample.times.sum())
    chunk = max(1, CHUNK // sum(sample.counts.shape))
    for start in range(0, resampling.resamples, chunk):
        size = min(chunk, resampling.resamples - start)
        yield rng.multinomial(units, sample.times / units, size=size) @ sample.counts  # [size, D] @ [D, K]


def list_interval(metric: ListMetric, rows: FloatArray, resampling: Resampling) -> Score:
    """The metric over `rows` [N, K], which may be some of all those that it looked at, with its interval."""
    return list_bootstraps([partial(metric.of, rows)], len(rows), resampling)[0]


def _list_difference(metric: ListMetric, first: FloatArray, second: FloatArray, resampling: Resampling) -> Score:
    def gap(times: FloatArray) -> FloatArray:
        return metric.of(first, times) - metric.of(second, times)

    return list_bootstraps([gap], len(first), resampling)[0]


def list_bootstraps(values: Sequence[Value], rows: int, resampling: Resampling) -> list[Score]:
    """Several values of the same resamples; each is told how often every row was drawn, [R, N] -> [R]."""
    if not rows:
        raise ValueError("no rows to resample")
    drawn = [[value(times) for value in values] for times in _drawn(rows, resampling)]
    return _scores(drawn, [float(value(np.ones(rows))) for value in values], resampling)


def _drawn(rows: int, resampling: Resampling) -> Iterator[FloatArray]:
    """How often each row is in each resample, [R, N], in chunks."""
    rng = np.random.default_rng(resampling.seed)
    numbers: dict[Hashable, int] = {}
    units = range(rows) if resampling.units is None else resampling.units
    unit = np.array([numbers.setdefault(each, len(numbers)) for each in units])  # [N]
    count = len(numbers)
    chunk = max(1, CHUNK // (4 * rows))  # a value makes some arrays of this size
    for start in range(0, resampling.resamples, chunk):
        size = min(chunk, resampling.resamples - start)
        yield rng.multinomial(count, np.full(count, 1 / count), size=size)[:, unit].astype(np.float64)
