"""Oracle tests against scikit-learn, and the documented rules that scikit-learn has no words for."""

import numpy as np
import pytest
from sklearn import metrics as sk

from weitiao.metrics.classification import (
    class_table,
    confusion_matrix,
    multi_label_metrics,
    single_label_metrics,
    total_counts,
)
from weitiao.records import ClassifyPrediction, ClassifyRecord

LABELS = ["bad", "fine", "good", "great", "never"]
AVERAGES = ("macro", "weighted", "micro")
RATIOS = {"f1": sk.f1_score, "precision": sk.precision_score, "recall": sk.recall_score}


def answer(*labels: str, confidence: float = 0.5) -> ClassifyPrediction:
    return ClassifyPrediction(labels=labels, confidence=confidence, scores={}, abstained=not labels)


def record(*labels: str) -> ClassifyRecord:
    return ClassifyRecord(text="t", labels=labels)


def values(metrics, predictions, records):
    return {metric.name: float(metric.value(total_counts(metric, predictions, records))) for metric in metrics}


def single_rows(seed: int, rows: int = 60):
    """Gold labels and answers, 'never' never among them, right about half of the time."""
    rng = np.random.default_rng(seed)
    gold = rng.choice(LABELS[:4], rows, p=[0.5, 0.3, 0.15, 0.05])
    guess = np.where(rng.random(rows) < 0.5, gold, rng.choice(LABELS[:4], rows))
    return gold.tolist(), guess.tolist()


def multi_rows(seed: int, rows: int = 50):
    rng = np.random.default_rng(seed)
    gold = rng.random((rows, 4)) < 0.4
    guess = np.where(rng.random((rows, 4)) < 0.8, gold, ~gold)
    return gold, guess


def named(matrix):
    return [tuple(np.array(LABELS[:4])[row]) for row in matrix]


@pytest.mark.parametrize("seed", range(20))
def test_single_label_equals_scikit_learn(seed):
    gold, guess = single_rows(seed)
    got = values(single_label_metrics(LABELS), [answer(each) for each in guess], [record(each) for each in gold])
    assert got["accuracy"] == pytest.approx(sk.accuracy_score(gold, guess))
    assert got["mcc"] == pytest.approx(sk.matthews_corrcoef(gold, guess))
    for average in AVERAGES:
        for name, oracle in RATIOS.items():
            expected = oracle(gold, guess, average=average, zero_division=0)
            assert got[f"{average}_{name}"] == pytest.approx(expected), (average, name)


@pytest.mark.parametrize("seed", range(10))
def test_abstentions_are_wrong_answers(seed):
    gold, guess = single_rows(seed)
    guess = ["" if index % 4 == 0 else each for index, each in enumerate(guess)]
    predictions = [answer(*([each] if each else [])) for each in guess]
    got = values(single_label_metrics(LABELS), predictions, [record(each) for each in gold])
    classes = sorted(set(gold) | set(guess) - {""})
    assert got["accuracy"] == pytest.approx(sk.accuracy_score(gold, guess))
    assert got["mcc"] == pytest.approx(sk.matthews_corrcoef(gold, guess))
    for average in AVERAGES:
        for name, oracle in RATIOS.items():
            expected = oracle(gold, guess, labels=classes, average=average, zero_division=0)
            assert got[f"{average}_{name}"] == pytest.approx(expected), (average, name)


@pytest.mark.parametrize("seed", range(10))
def test_an_unseen_gold_label_is_a_class_that_counts(seed):
    gold, guess = single_rows(seed)
    gold[:5] = ["new"] * 5
    got = values(single_label_metrics(LABELS), [answer(each) for each in guess], [record(each) for each in gold])
    for average in AVERAGES:
        for name, oracle in RATIOS.items():
            expected = oracle(gold, guess, average=average, zero_division=0)
            assert got[f"{average}_{name}"] == pytest.approx(expected), (average, name)
    assert got["mcc"] == pytest.approx(sk.matthews_corrcoef(gold, guess))


@pytest.mark.parametrize("seed", range(20))
def test_multi_label_equals_scikit_learn(seed):
    gold, guess = multi_rows(seed)
    predictions = [answer(*each) for each in named(guess)]
    records = [record(*each) for each in named(gold)]
    got = values(multi_label_metrics(LABELS[:4]), predictions, records)
    assert got["accuracy"] == pytest.approx(sk.accuracy_score(gold, guess))
    assert got["hamming_accuracy"] == pytest.approx(1 - sk.hamming_loss(gold, guess))
    assert got["samples_f1"] == pytest.approx(sk.f1_score(gold, guess, average="samples", zero_division=0))
    for average in AVERAGES:
        for name, oracle in RATIOS.items():
            expected = oracle(gold, guess, average=average, zero_division=0)
            assert got[f"{average}_{name}"] == pytest.approx(expected), (average, name)


def test_values_are_vectorised_over_leading_axes():
    gold, guess = single_rows(3)
    for metric in single_label_metrics(LABELS):
        rows = np.array([metric.counts(answer(b), record(a)) for a, b in zip(gold, guess, strict=True)])  # [N, K]
        halves = np.stack([rows[:30].sum(0), rows[30:].sum(0)])  # [2, K]
        together = metric.value(halves[None])
        assert together.shape == (1, 2)
        assert together[0, 1] == pytest.approx(float(metric.value(halves[1])))


def test_a_perfect_run_scores_one_everywhere():
    gold, _guess = single_rows(1)
    got = values(single_label_metrics(LABELS), [answer(each) for each in gold], [record(each) for each in gold])
    assert set(got.values()) == {1.0}


def test_one_answer_for_all_has_no_correlation_and_no_warning():
    gold, _guess = single_rows(2)
    got = values(single_label_metrics(LABELS), [answer("bad") for _ in gold], [record(each) for each in gold])
    assert got["mcc"] == 0.0
    assert got["accuracy"] == pytest.approx(gold.count("bad") / len(gold))


def test_headlines():
    assert single_label_metrics(LABELS)[0].name == "accuracy"
    assert multi_label_metrics(LABELS)[0].name == "micro_f1"
    for metrics in (single_label_metrics(LABELS), multi_label_metrics(LABELS)):
        names = [metric.name for metric in metrics]
        assert len(names) == len(set(names))


def test_class_table_equals_scikit_learn():
    gold, guess = single_rows(7)
    table = class_table([[each] for each in guess], [[each] for each in gold], LABELS)
    expected = sk.precision_recall_fscore_support(gold, guess, labels=LABELS, zero_division=0)
    for ours, theirs in zip((table.precision, table.recall, table.f1, table.support), expected, strict=True):
        np.testing.assert_allclose(ours[:-1], theirs)
    assert table.support[-1] == 0


def test_confusion_matrix_equals_scikit_learn_and_keeps_every_row():
    gold, guess = single_rows(8)
    np.testing.assert_array_equal(
        confusion_matrix(guess, gold, LABELS)[:-1, :-1], sk.confusion_matrix(gold, guess, labels=LABELS)
    )
    gold[0], guess[1] = "new", ""
    matrix = confusion_matrix(guess, gold, LABELS)
    assert matrix.sum() == len(gold)
    assert matrix[-1].sum() == 1
    assert matrix[:, -1].sum() == 1
