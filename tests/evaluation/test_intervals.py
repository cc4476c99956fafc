"""The bootstrap: coverage, pairing, units, and that pooling equal rows changes nothing but the work."""

import numpy as np
import pytest

from weitiao.evaluation import intervals
from weitiao.evaluation.intervals import Resampling, bootstrap, collect, difference, interval
from weitiao.metrics.classification import Accuracy, single_label_metrics
from weitiao.metrics.correlation import number_metrics
from weitiao.records import ClassifyPrediction, ClassifyRecord, RegressPrediction, RegressRecord
from weitiao.tasks.regress import answer_and_gold

RIGHT = ClassifyPrediction(labels=("a",), confidence=0.9, scores={})
WRONG = ClassifyPrediction(labels=("b",), confidence=0.9, scores={})
RECORD = ClassifyRecord(text="t", labels=("a",))


def mean(total):
    return total[..., 0] / total[..., 1]


def answers(right):
    return [RIGHT if each else WRONG for each in right]


def test_coverage_is_near_what_is_promised():
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(400):
        right = rng.binomial(150, 0.8)
        sample = intervals.Sample(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([right, 150 - right]))
        score = bootstrap(mean, sample, Resampling(resamples=500, seed=trial))
        hits += score.low <= 0.8 <= score.high
    assert 0.91 <= hits / 400 <= 0.98


def test_coverage_of_a_paired_difference():
    rng = np.random.default_rng(2)
    hits = 0
    for trial in range(300):
        hard = rng.random(150)  # both systems find the same rows hard
        first, second = hard < 0.8, hard + rng.normal(0, 0.1, 150) < 0.7
        sample = collect(np.stack([first, np.ones(150), second, np.ones(150)], axis=1))
        score = bootstrap(lambda t: t[..., 0] / t[..., 1] - t[..., 2] / t[..., 3], sample, Resampling(500, seed=trial))
        truth = 0.8 - 0.7  # P(u + noise < 0.7) = 0.7 up to 1e-3: the noise is small against both ends
        hits += score.low <= truth <= score.high
    assert 0.91 <= hits / 300 <= 0.985


def test_pairing_is_narrower_than_two_intervals():
    rng = np.random.default_rng(3)
    right = rng.random(400) < 0.7
    first, second = answers(right), answers(right | (rng.random(400) < 0.05))
    records = [RECORD] * 400
    paired = difference(Accuracy(), second, first, records, Resampling())
    alone = interval(Accuracy(), first, records, Resampling())
    assert paired.high - paired.low < (alone.high - alone.low) / 2
    assert paired.low > 0


def test_a_system_does_not_differ_from_itself():
    right = answers(np.arange(50) % 3 == 0)
    score = difference(Accuracy(), right, right, [RECORD] * 50, Resampling())
    assert (score.value, score.low, score.high) == (0, 0, 0)


def test_same_seed_same_interval_and_chunks_change_nothing(monkeypatch):
    predictions, records = answers(np.arange(997) % 4 > 0), [RECORD] * 997
    whole = interval(Accuracy(), predictions, records, Resampling())
    monkeypatch.setattr(intervals, "CHUNK", 40)
    assert interval(Accuracy(), predictions, records, Resampling()) == whole
    assert interval(Accuracy(), predictions, records, Resampling(seed=18)) != whole


def test_pooling_equal_rows_has_the_distribution_of_drawing_rows():
    """The variance of a resampled mean is p(1-p)/n, whether or not rows are pooled."""
    right = np.arange(120) % 5 > 0  # p = 0.8
    rows = np.stack([right, np.ones(120)], axis=1)
    pooled = bootstrap(mean, collect(rows), Resampling(4000))
    single = bootstrap(mean, intervals.Sample(rows, np.ones(120, dtype=np.int64)), Resampling(4000))
    expected = 2 * 1.96 * np.sqrt(0.8 * 0.2 / 120)
    assert pooled.high - pooled.low == pytest.approx(expected, rel=0.08)
    assert single.high - single.low == pytest.approx(expected, rel=0.08)


def test_units_widen_the_interval_when_their_rows_agree():
    right = np.repeat(np.arange(40) % 4 > 0, 10)
    units = np.repeat(np.arange(40), 10).tolist()
    predictions, records = answers(right), [RECORD] * 400
    alone = interval(Accuracy(), predictions, records, Resampling())
    together = interval(Accuracy(), predictions, records, Resampling(units=units))
    assert together.value == alone.value
    ratio = (together.high - together.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(np.sqrt(10), rel=0.15)


def test_the_value_is_that_of_the_rows_and_lies_inside():
    rng = np.random.default_rng(5)
    right = rng.random(100) < 0.6
    for metric in single_label_metrics(["a", "b"]):
        score = interval(metric, answers(right), [RECORD] * 100, Resampling(resamples=300))
        assert score.low <= score.value <= score.high


@pytest.mark.parametrize("units", [None, [row // 3 for row in range(90)]])
def test_equal_metrics_have_equal_intervals(units):
    rng = np.random.default_rng(6)
    records = [ClassifyRecord(text="t", labels=(str(label),)) for label in rng.choice(["a", "b", "c"], 90)]
    predictions = [
        ClassifyPrediction(labels=(str(label),), confidence=0.5, scores={}) for label in rng.choice(["a", "b", "c"], 90)
    ]
    metrics = single_label_metrics(["a", "b", "c"])
    scores = intervals.intervals(metrics, predictions, records, Resampling(resamples=300, units=units))
    assert scores["accuracy"].model_dump() == pytest.approx(scores["micro_f1"].model_dump())
    assert list(scores) == [metric.name for metric in metrics]
    for metric in metrics:
        alone = interval(metric, predictions, records, Resampling(resamples=300, units=units))
        assert scores[metric.name].value == pytest.approx(alone.value)
        assert scores[metric.name].high - scores[metric.name].low == pytest.approx(alone.high - alone.low, rel=0.25)


def test_nothing_to_resample_is_an_error():
    with pytest.raises(ValueError, match="no rows"):
        interval(Accuracy(), [], [], Resampling())
    with pytest.raises(ValueError, match="longer"):
        interval(Accuracy(), [RIGHT], [RECORD, RECORD], Resampling())


def test_draws_of_several_systems_are_of_the_same_rows():
    rng = np.random.default_rng(5)
    first = rng.random(60) < 0.7
    resampling = Resampling(resamples=300)
    one, again, other = (
        intervals.draws(Accuracy(), answers(right), [RECORD] * 60, resampling) for right in (first, first, ~first)
    )
    assert (one == again).all()
    assert one + other == pytest.approx(np.ones(300))
    assert one.mean() == pytest.approx(first.mean(), abs=0.02)


def test_draws_of_a_list_metric_are_of_the_same_rows_too():
    scores = np.arange(40.0)
    records = [RegressRecord(text="t", score=float(score)) for score in scores]
    predictions = [RegressPrediction(score=float(score)) for score in scores + 5 * np.sin(scores)]
    metric = number_metrics(answer_and_gold)[0]
    drawn = intervals.draws(metric, predictions, records, Resampling(resamples=200))
    score = interval(metric, predictions, records, Resampling(resamples=200))
    assert np.quantile(drawn, [0.025, 0.975]) == pytest.approx([score.low, score.high])
