"""Cheap answers to the same rows, which a fine-tuned model must beat to be worth its cost.

`majority` says the same for every row; `tfidf` is TF-IDF with logistic regression, which is hard to beat on short texts
with many rows. A baseline takes the task and the splits, and returns Predictions of the task's own type.

Notation: N rows, F features, C classes.
"""

from __future__ import annotations

import random
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from weitiao.metrics.classification import label_matrix, total_counts
from weitiao.records import ClassifyPrediction, FloatArray
from weitiao.text import CHINESE, han_share

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

COSTS = (1.0, 4.0, 16.0, 64.0)  # inverse regularisation, weakest last; rows have unit length, so the best is above 1
MOST_FEATURES = 200_000  # the most frequent n-grams; bounds memory on long texts
CHOOSING = 600_000  # rows x classes on which the regularisation is chosen; bounds the time with many classes
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Splits:
    """What a baseline may look at.

    Args:
        train: it learns from these.
        dev: it chooses its options on these; may be empty.
        rows: it answers these.
        labels: the label space.
        seed: of anything it draws.
    """

    train: Sequence[Any]
    dev: Sequence[Any]
    rows: Sequence[Any]
    labels: Sequence[str]
    seed: int = 17


@dataclass(frozen=True, slots=True)
class Answers:
    """A baseline's answers, and how it came to them (for the report)."""

    predictions: list[Any]
    settings: Mapping[str, str | float | bool] = field(default_factory=dict)


class Baseline(Protocol):
    """An entry of `BASELINES`."""

    def __call__(self, task: Any, splits: Splits) -> Answers:
        """Learn from train, choose on dev, answer the rows."""
        ...


def majority(task: Any, splits: Splits) -> Answers:  # noqa: ARG001 - every baseline is handed its task
    """The commonest answer of the training rows, for every row; its scores are the labels' shares."""
    commonest, _times = Counter(record.labels or () for record in splits.train).most_common(1)[0]
    counts = Counter(label for record in splits.train for label in record.labels or ())
    shares = [counts[label] / len(splits.train) for label in splits.labels]
    scores = dict(zip(splits.labels, shares, strict=True))
    answer = ClassifyPrediction(labels=commonest, confidence=max(shares), scores=scores, abstained=False)
    return Answers([answer] * len(splits.rows))


def tfidf(task: Any, splits: Splits) -> Answers:
    """TF-IDF and logistic regression, one against the rest; the regularisation is chosen on dev."""
    if len({record.labels for record in splits.train}) < 2:
        return majority(task, splits)
    texts = [record.surface for record in splits.train]
    vectorizer = vectorizer_for(texts)
    cost, chosen_on = _choose_cost(task, splits, vectorizer)
    train = vectorizer.fit_transform(texts)  # [N, F]
    rows = vectorizer.transform([record.surface for record in splits.rows])
    scores, converged = _fit_and_score(
        train, label_matrix(splits.train, splits.labels), rows, cost, task.options.multi_label
    )
    settings: dict[str, str | float | bool] = {
        "features": f"{vectorizer.analyzer} {vectorizer.ngram_range[0]}-{vectorizer.ngram_range[1]}-grams",
        "C": cost,
        "chosen_on": chosen_on,
        "converged": converged,
    }
    return Answers(_decode(scores, splits.labels, task.options.multi_label), settings)


def vectorizer_for(texts: Sequence[str]) -> TfidfVectorizer:
    """Character 1-3-grams where the texts are Chinese (or hold no word at all), word 1-2-grams otherwise."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    sample = "\n".join(texts[:: max(1, len(texts) // 1000)])
    if han_share(sample) > CHINESE or not re.search(r"\w", sample):
        return TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, max_features=MOST_FEATURES)
    return TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\b\w+\b", sublinear_tf=True, max_features=MOST_FEATURES)


def _choose_cost(task: Any, splits: Splits, vectorizer: TfidfVectorizer) -> tuple[float, str]:
    """The cost with the best headline metric on dev, else on a seeded tenth of train; tried upwards while it helps."""
    train, dev, chosen_on = list(splits.train), list(splits.dev), "dev"
    random.Random(splits.seed).shuffle(train)
    if not dev:
        tenth = max(1, len(train) // 10)
        dev, train, chosen_on = train[:tenth], train[tenth:], "a tenth of train"
    train = train[: max(10 * len(splits.labels), CHOOSING // len(splits.labels))]
    seen = vectorizer.fit_transform([record.surface for record in train])
    held_out = vectorizer.transform([record.surface for record in dev])
    targets, several = label_matrix(train, splits.labels), task.options.multi_label
    metric = task.metrics(splits.labels)[0]
    best, best_value = COSTS[0], -np.inf
    for cost in COSTS:
        scores, _converged = _fit_and_score(seen, targets, held_out, cost, several)
        value = float(metric.value(total_counts(metric, _decode(scores, splits.labels, several), dev)))
        if value < best_value:
            break
        if value > best_value:
            best, best_value = cost, value
    return best, chosen_on


def _fit_and_score(
    train: csr_matrix, targets: npt.NDArray[np.bool_], rows: csr_matrix, cost: float, several: bool
) -> tuple[FloatArray, bool]:
    """Probability of each class for each of the rows, [N, C], and whether every fit converged."""
    columns: list[FloatArray] = []
    converged = True
    for target in targets.T:
        if not several and len(targets.T) == 2 and columns:
            columns.append(1 - columns[0])
            break
        column, fine = _fit_binary(train, target, rows, cost)
        columns.append(column)
        converged &= fine
    scores = np.stack(columns, axis=1)  # [N, C]
    return (scores if several else scores / np.maximum(scores.sum(1, keepdims=True), 1e-12)), converged


def _fit_binary(
    train: csr_matrix, target: npt.NDArray[np.bool_], rows: csr_matrix, cost: float
) -> tuple[FloatArray, bool]:
    """Probability of one class, [N]; liblinear's dual solver is several times faster here than lbfgs, and as good."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if target.all() or not target.any():
        return np.full(rows.shape[0], float(target.any())), True
    model = LogisticRegression(C=cost, solver="liblinear", dual=True, tol=1e-2, max_iter=1000, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(train, target)
    fine = True
    for warning in caught:
        if issubclass(warning.category, ConvergenceWarning):
            fine = False
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return model.predict_proba(rows)[:, 1], fine


def _decode(scores: FloatArray, labels: Sequence[str], several: bool) -> list[ClassifyPrediction]:
    """The most likely label of each row, or every label with a probability of at least one half."""
    predictions = []
    for row in scores:
        best = int(row.argmax())
        chosen = np.flatnonzero(row >= HALF).tolist() if several else [best]
        predictions.append(
            ClassifyPrediction.model_construct(
                labels=tuple(labels[index] for index in chosen),
                confidence=float(row[best]),
                scores=dict(zip(labels, row.tolist(), strict=True)),
                abstained=False,
            )
        )
    return predictions
