"""Metrics of numbers: Spearman's and Pearson's correlation, mean absolute and root mean squared error.

Each is built with a function that gives (answer, gold) of a row, or None where the row has no such pair and does not
count. Values equal scipy's; a correlation with a constant is 0.

Notation: N rows, R resamples; times: how often each row was drawn, [..., N].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weitiao.metrics import AnyMetric
from weitiao.metrics.classification import divide
from weitiao.records import FloatArray

Pair = Callable[[Any, Any], tuple[float, float] | None]  # prediction, record -> (answer, gold)
CONSTANT = 1e-26  # variance against the square of the largest value below which there is only rounding


def number_metrics(pair: Pair) -> list[AnyMetric]:
    """All of them, headline (Spearman) first."""
    return [Spearman(pair), Pearson(pair), MeanAbsoluteError(pair), RootMeanSquaredError(pair)]


class Pearson:
    """Pearson's correlation of answers and gold numbers."""

    name = "pearson"

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def rows(self, predictions: Sequence[Any], records: Sequence[Any]) -> FloatArray:
        """Answer, gold, and whether the row counts, [N, 3]."""
        pairs = [self.pair(answer, record) for answer, record in zip(predictions, records, strict=True)]
        return np.array([(0.0, 0.0, 0.0) if each is None else (*each, 1.0) for each in pairs]).reshape(-1, 3)

    def of(self, rows: FloatArray, times: FloatArray) -> FloatArray:
        answers, gold, known = rows.T  # [N] each
        return correlation(answers, gold, times * known)


class Spearman(Pearson):
    """Spearman's rank correlation: Pearson's of the ranks, equal numbers sharing the mean of theirs."""

    name = "spearman"

    def of(self, rows: FloatArray, times: FloatArray) -> FloatArray:
        answers, gold, known = rows.T  # [N] each
        drawn = times * known
        return correlation(ranks(answers, drawn), ranks(gold, drawn), drawn)


class MeanAbsoluteError:
    """Mean distance of the answers from the gold numbers, in the data's units; lower is better."""

    name = "mae"

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def counts(self, prediction: Any, record: Any) -> FloatArray:
        """[distance, 1], or zeros where the row does not count."""
        pair = self.pair(prediction, record)
        return np.zeros(2) if pair is None else np.array([self.distance(pair[0] - pair[1]), 1.0])

    def distance(self, gap: float) -> float:
        return abs(gap)

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


class RootMeanSquaredError(MeanAbsoluteError):
    """Root of the mean squared distance, in the data's units; lower is better."""

    name = "rmse"

    def distance(self, gap: float) -> float:
        return gap * gap

    def value(self, total: FloatArray) -> FloatArray:
        return np.sqrt(divide(total[..., 0], total[..., 1]))


def correlation(x: FloatArray, y: FloatArray, times: FloatArray) -> FloatArray:
    """Pearson's correlation over rows drawn `times` times: each [N] or [..., N] -> [...]."""
    x, y = centred(x, times), centred(y, times)
    scale = np.sqrt((times * x * x).sum(-1) * (times * y * y).sum(-1))
    return np.clip(divide((times * x * y).sum(-1), scale), -1.0, 1.0)


def centred(x: FloatArray, times: FloatArray) -> FloatArray:
    """`x` without its mean, [..., N]; zeros where it is constant up to rounding."""
    total = times.sum(-1, keepdims=True)  # [..., 1]
    centre = x - divide((times * x).sum(-1, keepdims=True), total)
    spread = divide((times * centre**2).sum(-1, keepdims=True), total)
    return np.where(spread > CONSTANT * np.max(x * x, initial=0.0), centre, 0.0)


def ranks(values: FloatArray, times: FloatArray) -> FloatArray:
    """The rank of each row among all that were drawn, from 1; equal values share the mean of theirs.

    Args:
        values: [N].
        times: [..., N].
    """
    if not len(values):
        return np.zeros(times.shape)
    order = np.argsort(values, kind="stable")  # [N]
    ordered = values[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))  # [D], of each distinct value
    drawn = np.add.reduceat(times[..., order], first, axis=-1)  # [..., D]
    mean = np.cumsum(drawn, axis=-1) - (drawn - 1) / 2  # [..., D], of the ranks that a value takes
    place = np.empty(len(values), dtype=np.int64)  # [N], which distinct value a row has
    place[order] = np.repeat(np.arange(len(first)), np.diff([*first, len(values)]))
    return mean[..., place]
