"""Pure functions on plain values: classification and calibration; no torch, no files.

A metric is a sum of counts over rows and a value of that sum, so that a bootstrap interval is a matter of resampling
sums. One that is no such sum, such as a rank correlation, looks at all rows at once and is told how often each was
drawn.

Notation: N rows, K numbers of a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from weitiao.records import FloatArray

LOWER_IS_BETTER = frozenset({"loss", "mae", "rmse"})  # never a headline


class Metric(Protocol):
    """A number over predictions, in a form that can be resampled: sums of counts, then a value."""

    name: str

    def counts(self, prediction: Any, record: Any) -> FloatArray:
        """What one row contributes, [K]."""
        ...

    def value(self, total: FloatArray) -> FloatArray:
        """The metric of summed counts: [..., K] -> [...]; higher is better, but for `LOWER_IS_BETTER`."""
        ...


@runtime_checkable
class ListMetric(Protocol):
    """A number over predictions that no sum of each row's own counts gives, such as a rank correlation."""

    name: str

    def rows(self, predictions: Sequence[Any], records: Sequence[Any]) -> FloatArray:
        """What each row contributes, seen among all the others, [N, K]."""
        ...

    def of(self, rows: FloatArray, times: FloatArray) -> FloatArray:
        """The metric where each of `rows` was drawn `times` [..., N] times: [...]; higher is better."""
        ...


AnyMetric = Metric | ListMetric


def value_of(metric: AnyMetric, predictions: Sequence[Any], records: Sequence[Any]) -> float:
    """The metric over the rows."""
    if isinstance(metric, ListMetric):
        return float(metric.of(metric.rows(predictions, records), np.ones(len(records))))
    counts = [metric.counts(answer, record) for answer, record in zip(predictions, records, strict=True)]
    return float(metric.value(np.sum(counts, axis=0)))


def direction(name: str) -> int:
    """1 where more of a metric is better, -1 where less is."""
    return -1 if name in LOWER_IS_BETTER else 1
