"""Baselines answer in the task's own type, choose their options on dev only, and are quick."""

import time
import warnings

import numpy as np
import pytest

from weitiao.evaluation import BASELINES
from weitiao.evaluation.baselines import Splits, majority, tfidf, vectorizer_for
from weitiao.metrics.classification import label_matrix
from weitiao.records import ClassifyRecord
from weitiao.tasks.classify import Classify, ClassifyOptions

SINGLE, MULTI = Classify(), Classify(ClassifyOptions(multi_label=True))
ENGLISH = {"pos": ["lovely", "great", "tasty"], "neg": ["awful", "cold", "rude"]}
CHINESE = {"pos": ["很好吃", "味道不错", "推荐"], "neg": ["太难吃", "送餐慢", "差评"]}


def reviews(words, rows, seed=1):
    """Rows with one telling word among noise."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(list(words), rows).tolist()
    return [
        ClassifyRecord(text=f"w{rng.integers(50)} {rng.choice(words[label])} x{rng.integers(50)}", labels=(label,))
        for label in labels
    ]


def accuracy(answers, records):
    return np.mean([a.labels == r.labels for a, r in zip(answers.predictions, records, strict=True)])


def splits(words, train=200, dev=40, rows=100):
    labels = sorted(words)
    return Splits(reviews(words, train, 1), reviews(words, dev, 2), reviews(words, rows, 3), labels)


def test_the_table_names_them():
    assert set(BASELINES) >= {"majority", "tfidf"}
    assert BASELINES["tfidf"] is tfidf
    assert set(SINGLE.baselines) <= set(BASELINES)


@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
def test_tfidf_learns_and_majority_does_not(words):
    data = splits(words)
    assert accuracy(tfidf(SINGLE, data), data.rows) > 0.95
    assert 0.35 < accuracy(majority(SINGLE, data), data.rows) < 0.65


def test_scores_are_probabilities_of_every_label():
    data = splits(ENGLISH)
    for baseline in (tfidf, majority):
        for answer in baseline(SINGLE, data).predictions:
            assert list(answer.scores) == data.labels
            assert sum(answer.scores.values()) == pytest.approx(1)
            assert answer.confidence == max(answer.scores.values())


def test_features_follow_the_language():
    assert tfidf(SINGLE, splits(CHINESE)).settings["features"] == "char 1-3-grams"
    assert tfidf(SINGLE, splits(ENGLISH)).settings["features"] == "word 1-2-grams"
    assert vectorizer_for(["!!!", "???"]).analyzer == "char"


def test_without_dev_a_seeded_tenth_of_train_chooses():
    data = splits(ENGLISH)
    alone = Splits(data.train, [], data.rows, data.labels)
    first, second = tfidf(SINGLE, alone), tfidf(SINGLE, alone)
    assert first.settings["chosen_on"] == "a tenth of train"
    assert first.predictions == second.predictions


def test_the_answered_rows_teach_nothing():
    data = splits(ENGLISH)
    relabelled = [row.model_copy(update={"labels": ("neg",)}) for row in data.rows]
    other = Splits(data.train, data.dev, relabelled, data.labels)
    assert tfidf(SINGLE, data).predictions == tfidf(SINGLE, other).predictions


def test_pairs_are_joined():
    rows = [ClassifyRecord(text="same", text_pair=row.text, labels=row.labels) for row in reviews(ENGLISH, 200)]
    data = Splits(rows[:150], [], rows[150:], sorted(ENGLISH))
    assert accuracy(tfidf(SINGLE, data), data.rows) > 0.95


def test_multi_label_answers_with_every_likely_label():
    rng = np.random.default_rng(4)
    words = {"food": "noodles", "price": "cheap", "staff": "waiter"}
    rows = []
    for _row in range(300):
        labels = tuple(label for label in words if rng.random() < 0.4)
        rows.append(
            ClassifyRecord(text=" ".join([f"w{rng.integers(9)}", *(words[each] for each in labels)]), labels=labels)
        )
    data = Splits(rows[:200], rows[200:240], rows[240:], [*words, "never"])
    answers = tfidf(MULTI, data)
    assert accuracy(answers, data.rows) > 0.9
    assert all(answer.scores["never"] == 0 for answer in answers.predictions)
    assert majority(MULTI, data).predictions[0].labels in {row.labels for row in data.train}


def test_one_class_left_falls_back_to_majority():
    rows = [ClassifyRecord(text=f"t{each}", labels=("a",)) for each in range(9)]
    assert tfidf(SINGLE, Splits(rows, [], rows[:2], ["a", "b"])).predictions[0].labels == ("a",)


def test_labels_outside_the_label_space_are_left_out():
    assert label_matrix([ClassifyRecord(text="t", labels=("new",))], ["a"]).sum() == 0


def test_a_fit_that_did_not_converge_is_said(monkeypatch):
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    fit = LogisticRegression.fit

    def stubborn(self, *arguments):
        warnings.warn("no", ConvergenceWarning, stacklevel=1)
        return fit(self, *arguments)

    monkeypatch.setattr(LogisticRegression, "fit", stubborn)
    assert tfidf(SINGLE, splits(ENGLISH)).settings["converged"] is False


def test_many_classes_are_quick():
    words = {f"c{index:03}": [f"k{index}", f"m{index}"] for index in range(60)}
    start = time.process_time()
    data = splits(words, train=1000, dev=100, rows=200)
    assert accuracy(tfidf(SINGLE, data), data.rows) > 0.9
    assert time.process_time() - start < 20
