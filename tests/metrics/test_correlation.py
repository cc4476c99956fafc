"""Correlations and errors equal scipy's and scikit-learn's, ties and resamples included."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as reference

from weitiao.evaluation.intervals import Resampling, difference, interval, intervals
from weitiao.metrics import value_of
from weitiao.metrics.correlation import Pearson, Spearman, number_metrics, ranks
from weitiao.records import FloatArray


def pair(prediction: Any, record: Any) -> tuple[float, float] | None:
    return None if record.gold is None else (prediction.answer, record.gold)


def rows(answers: Any, gold: Any) -> tuple[list[Any], list[Any]]:
    return [SimpleNamespace(answer=each) for each in answers], [SimpleNamespace(gold=each, group="") for each in gold]


def values(answers: Any, gold: Any) -> dict[str, float]:
    return {metric.name: value_of(metric, *rows(answers, gold)) for metric in number_metrics(pair)}


NUMBERS = st.lists(st.tuples(st.integers(-4, 4), st.floats(-1e3, 1e3)), min_size=3, max_size=40)


@given(NUMBERS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_they_equal_the_references(numbers: list[tuple[int, float]], tied: bool) -> None:
    answers = np.array([each[0] for each in numbers], dtype=float)
    gold = np.array([each[1] for each in numbers])
    gold = np.round(gold / 300) if tied else gold
    found = values(answers, gold)
    if len(set(answers)) > 1 and len(set(gold)) > 1 and np.ptp(gold) > 1e-3:
        assert found["spearman"] == pytest.approx(stats.spearmanr(answers, gold).statistic, abs=1e-9)
        assert found["pearson"] == pytest.approx(stats.pearsonr(answers, gold).statistic, abs=1e-9)
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(gold, answers), abs=1e-9)
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(gold, answers), abs=1e-9)


def test_a_constant_correlates_with_nothing() -> None:
    for constant in (0.1, 1e6 + 0.1):
        found = values([constant] * 7, [1, 2, 3, 4, 5, 6, 7])
        assert (found["spearman"], found["pearson"]) == (0, 0)


def test_large_numbers_lose_nothing() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 300))
    assert values(x + 1e7, y + 1e7)["pearson"] == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-7)


def test_rows_without_gold_do_not_count() -> None:
    rng = np.random.default_rng(1)
    answers, gold = rng.normal(size=(2, 30))
    gaps = [None if row % 3 == 0 else each for row, each in enumerate(gold)]
    kept = [row for row in range(30) if row % 3]
    assert values(answers, gaps) == pytest.approx(values(answers[kept], gold[kept]))


@pytest.mark.parametrize("kind", [Spearman, Pearson])
def test_a_resample_is_as_if_its_rows_were_written_out(kind: type[Pearson]) -> None:
    rng = np.random.default_rng(2)
    answers, gold = rng.integers(0, 6, (2, 25)).astype(float)
    times = rng.multinomial(25, np.full(25, 1 / 25), size=8)
    metric = kind(pair)
    found = metric.of(metric.rows(*rows(answers, gold)), times.astype(float))
    for drawn, value in zip(times, found, strict=True):
        written = np.repeat(np.arange(25), drawn)
        assert value == pytest.approx(value_of(metric, *rows(answers[written], gold[written])), abs=1e-12)


def test_ranks_share_their_mean() -> None:
    values = np.array([3.0, 1.0, 3.0, 2.0])
    assert ranks(values, np.ones(4)).tolist() == [3.5, 1.0, 3.5, 2.0]
    assert ranks(values, np.array([2.0, 0.0, 1.0, 1.0]))[[0, 2, 3]].tolist() == [3.0, 3.0, 1.0]
    assert ranks(np.array([]), np.ones(0)).tolist() == []


def test_intervals_are_quick_and_near_those_of_theory() -> None:
    """Fisher 1921: the arctanh of a correlation has a standard error of about 1 / sqrt(N - 3)."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=1379)
    answers, records = rows(x + rng.normal(size=1379), x)
    began = time.perf_counter()
    found = intervals(number_metrics(pair), answers, records, Resampling())
    assert time.perf_counter() - began < 20
    for name in ("spearman", "pearson"):
        width = np.arctanh(found[name].high) - np.arctanh(found[name].low)
        assert width == pytest.approx(2 * 1.96 / np.sqrt(1376), rel=0.15)
        assert found[name].low < found[name].value < found[name].high
    assert list(found) == ["spearman", "pearson", "mae", "rmse"]
    assert found["spearman"] == interval(Spearman(pair), answers, records, Resampling())


def test_units_widen_the_interval_and_differences_are_paired() -> None:
    rng = np.random.default_rng(4)
    gold = np.repeat(rng.normal(size=40), 5)
    noise = np.repeat(rng.normal(size=40), 5)
    answers, records = rows(gold + noise, gold)
    alone = interval(Spearman(pair), answers, records, Resampling())
    together = interval(Spearman(pair), answers, records, Resampling(units=[row // 5 for row in range(200)]))
    assert together.value == alone.value
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    same = difference(Spearman(pair), answers, answers, records, Resampling())
    assert (same.value, same.low, same.high) == (0, 0, 0)
    better, _records = rows(gold + noise / 2, gold)
    gap = difference(Spearman(pair), better, answers, records, Resampling())
    assert gap.low > 0
    assert gap.high - gap.low < alone.high - alone.low


def test_nothing_to_resample_is_an_error() -> None:
    with pytest.raises(ValueError, match="no rows"):
        interval(Spearman(pair), [], [], Resampling())
    empty: FloatArray = Spearman(pair).rows([], [])
    assert empty.shape == (0, 3)
