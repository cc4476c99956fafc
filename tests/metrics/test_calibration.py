"""Calibration against scikit-learn, against the formula written out, and on probabilities that are right by design."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from weitiao.metrics.calibration import brier_score, calibration_error, negative_log_likelihood, reliability_curve


def decisions(seed: int, rows: int = 300):
    rng = np.random.default_rng(seed)
    probability = rng.random(rows)
    return probability, rng.random(rows) < probability


def probabilities(seed: int, rows: int = 200, classes: int = 4):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(classes), rows)
    return scores, np.array([rng.choice(classes, p=each) for each in scores])


@pytest.mark.parametrize("seed", range(10))
def test_curve_equals_scikit_learn(seed):
    probability, happened = decisions(seed)
    curve = reliability_curve(probability, happened, bins=10)
    accuracy, confidence = calibration_curve(happened, probability, n_bins=10)
    np.testing.assert_allclose([each.accuracy for each in curve], accuracy)
    np.testing.assert_allclose([each.confidence for each in curve], confidence)
    assert sum(each.rows for each in curve) == len(probability)


@pytest.mark.parametrize("seed", range(10))
def test_error_is_the_weighted_gap(seed):
    probability, happened = decisions(seed)
    expected = 0.0
    for m in range(15):
        inside = (probability > m / 15) & (probability <= (m + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(happened[inside].mean() - probability[inside].mean())
    assert calibration_error(reliability_curve(probability, happened)) == pytest.approx(expected)


def test_edges_belong_to_a_bin():
    curve = reliability_curve(np.array([0.0, 1.0]), np.array([False, True]))
    assert [each.rows for each in curve] == [1, 1]
    assert calibration_error(curve) == 0


def test_honest_probabilities_have_a_small_error_and_boasts_a_large_one():
    probability, happened = decisions(4, rows=20_000)
    assert calibration_error(reliability_curve(probability, happened)) < 0.02
    boast = np.full(20_000, 0.99)
    assert calibration_error(reliability_curve(boast, happened)) == pytest.approx(0.49, abs=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_brier_and_likelihood_equal_scikit_learn(seed):
    scores, gold = probabilities(seed)
    onehot = np.eye(4, dtype=bool)[gold]
    names = list(range(4))
    assert brier_score(scores, onehot) == pytest.approx(
        brier_score_loss(gold, scores, labels=names, scale_by_half=False)
    )
    assert negative_log_likelihood(scores[onehot]) == pytest.approx(log_loss(gold, scores, labels=names))


def test_an_impossible_truth_has_a_finite_likelihood():
    assert negative_log_likelihood(np.array([0.0])) == pytest.approx(-np.log(np.finfo(float).eps))


def test_no_decisions_no_error():
    assert calibration_error(reliability_curve(np.array([]), np.array([], dtype=bool))) == 0
