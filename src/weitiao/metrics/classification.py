"""Metrics of classification, single-label and multi-label, as sums of counts over rows.

Every metric takes a `ClassifyPrediction` and a `ClassifyRecord`; values equal scikit-learn's with `zero_division=0`.
An abstention is a wrong answer: it costs recall and accuracy, and no class's precision. Gold labels that the label
space lacks share one further class, 'unseen', that counts in every average. Macro averages go over the classes that
occur in the gold labels or in the answers, as scikit-learn's do when no labels are named.

Notation: C classes, S = C + 1 slots (the last one 'unseen'), K counts of a row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from weitiao.metrics import Metric
from weitiao.records import ClassifyPrediction, ClassifyRecord, FloatArray

Tally = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]


def single_label_metrics(labels: Sequence[str]) -> Sequence[Metric]:
    """Metrics of a task with one label a row, headline (accuracy) first."""
    macro = [ClassMetric(f"macro_{name}", labels, averaged(ratio)) for name, ratio in RATIOS.items()]
    weighted = [ClassMetric(f"weighted_{name}", labels, _weighted(ratio)) for name, ratio in RATIOS.items()]
    micro = [ClassMetric(f"micro_{name}", labels, summed(ratio)) for name, ratio in RATIOS.items()]
    return [Accuracy(), *macro, *weighted, *micro, ClassMetric("mcc", labels, matthews)]


def multi_label_metrics(labels: Sequence[str]) -> Sequence[Metric]:
    """Metrics of a task with any number of labels a row, headline (micro F1) first; `accuracy` is subset accuracy."""
    micro = [ClassMetric(f"micro_{name}", labels, summed(ratio)) for name, ratio in RATIOS.items()]
    macro = [ClassMetric(f"macro_{name}", labels, averaged(ratio)) for name, ratio in RATIOS.items()]
    weighted = [ClassMetric(f"weighted_{name}", labels, _weighted(ratio)) for name, ratio in RATIOS.items()]
    return [*micro, *macro, *weighted, SamplesF1(), Accuracy(), HammingAccuracy(labels)]


class Accuracy:
    """Share of rows whose set of labels is exactly the gold set (subset accuracy where there are several)."""

    name = "accuracy"

    def counts(self, prediction: ClassifyPrediction, record: ClassifyRecord) -> FloatArray:
        """[right, 1]."""
        return np.array([set(prediction.labels) == set(record.labels or ()), 1.0])

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


class SamplesF1:
    """Mean of each row's own F1; a row with neither gold labels nor answers counts 0, as in scikit-learn."""

    name = "samples_f1"

    def counts(self, prediction: ClassifyPrediction, record: ClassifyRecord) -> FloatArray:
        """[F1 of the row, 1]."""
        gold, answer = set(record.labels or ()), set(prediction.labels)
        size = len(gold) + len(answer)
        return np.array([2 * len(gold & answer) / size if size else 0.0, 1.0])

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


class HammingAccuracy:
    """Share of (row, label) decisions that are right: 1 - Hamming loss, so that higher is better."""

    name = "hamming_accuracy"

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = frozenset(labels)

    def counts(self, prediction: ClassifyPrediction, record: ClassifyRecord) -> FloatArray:
        """[right decisions, decisions]; a gold label outside the label space is one more decision, and wrong."""
        gold, answer = set(record.labels or ()), set(prediction.labels)
        decisions = len(self.labels | gold | answer)
        return np.array([decisions - len(gold ^ answer), decisions], dtype=np.float64)

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


class LabelTally:
    """The part of a metric of hits, answers and gold labels that does not say what is counted.

    Args:
        name: as in reports.
        labels: the label space.
        tally: (hits, answers, gold), each [..., S] -> [...].
    """

    def __init__(self, name: str, labels: Sequence[str], tally: Tally) -> None:
        self.name = name
        self.tally = tally
        self.slots = {label: index for index, label in enumerate(labels)}

    def value(self, total: FloatArray) -> FloatArray:
        return self.tally(*split_counts(total))


class ClassMetric(LabelTally):
    """A metric of the hits, answers and gold labels of each class."""

    def counts(self, prediction: ClassifyPrediction, record: ClassifyRecord) -> FloatArray:
        """Hits, answers and gold labels of the row, by class: [3 * S]."""
        return class_counts(prediction.labels, record.labels or (), self.slots)


def class_counts(answers: Collection[str], gold: Collection[str], slots: Mapping[str, int]) -> FloatArray:
    """Hits, answers and gold labels of one row, by class: [3 * S]."""
    unseen = len(slots)
    counts = np.zeros((3, unseen + 1))  # [3, S]
    for label in answers:
        counts[1, slots.get(label, unseen)] += 1
        counts[0, slots.get(label, unseen)] += label in gold
    for label in gold:
        counts[2, slots.get(label, unseen)] += 1
    return counts.ravel()


def split_counts(total: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """[..., 3 * S] -> hits, answers and gold labels, each [..., S]."""
    slots = total.shape[-1] // 3
    return total[..., :slots], total[..., slots : 2 * slots], total[..., 2 * slots :]


def divide(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Elementwise quotient; 0 where the denominator is 0."""
    shape = np.broadcast_shapes(np.shape(numerator), np.shape(denominator))
    return np.divide(numerator, denominator, out=np.zeros(shape), where=np.asarray(denominator) > 0)


def precision(hits: FloatArray, answers: FloatArray, gold: FloatArray) -> FloatArray:  # noqa: ARG001 - one signature for all ratios
    """Share of the answers that are right."""
    return divide(hits, answers)


def recall(hits: FloatArray, answers: FloatArray, gold: FloatArray) -> FloatArray:  # noqa: ARG001 - one signature for all ratios
    """Share of the gold labels that were found."""
    return divide(hits, gold)


def f1(hits: FloatArray, answers: FloatArray, gold: FloatArray) -> FloatArray:
    """Harmonic mean of precision and recall."""
    return divide(2 * hits, answers + gold)


RATIOS: Mapping[str, Tally] = {"f1": f1, "precision": precision, "recall": recall}


def summed(ratio: Tally) -> Tally:
    """The ratio of the counts summed over classes."""
    return lambda hits, answers, gold: ratio(hits.sum(-1), answers.sum(-1), gold.sum(-1))


def averaged(ratio: Tally) -> Tally:
    """The plain mean of the ratio over the classes that occur."""

    def mean(hits: FloatArray, answers: FloatArray, gold: FloatArray) -> FloatArray:
        return divide(ratio(hits, answers, gold).sum(-1), ((answers + gold) > 0).sum(-1).astype(np.float64))

    return mean


def _weighted(ratio: Tally) -> Tally:
    """The mean of the ratio over classes, weighted by their gold labels."""
    return lambda hits, answers, gold: divide((ratio(hits, answers, gold) * gold).sum(-1), gold.sum(-1))


def matthews(hits: FloatArray, answers: FloatArray, gold: FloatArray) -> FloatArray:
    """Matthews correlation of many classes (Gorodkin 2004, R_K); abstaining is one more class of answers."""
    rows = gold.sum(-1)
    abstained = rows - answers.sum(-1)
    agreement = hits.sum(-1) * rows - (answers * gold).sum(-1)
    spread_answers = rows**2 - (answers**2).sum(-1) - abstained**2
    spread_gold = rows**2 - (gold**2).sum(-1)
    return divide(agreement, np.sqrt(np.maximum(spread_answers * spread_gold, 0)))


def total_counts(metric: Metric, predictions: Sequence[Any], records: Sequence[Any]) -> FloatArray:
    """The counts of all rows together: [K]."""
    return np.sum([metric.counts(each, record) for each, record in zip(predictions, records, strict=True)], axis=0)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Precision, recall, F1, gold labels and answers of each class, each [S]; the last slot is 'unseen'."""

    precision: FloatArray
    recall: FloatArray
    f1: FloatArray
    support: FloatArray
    answers: FloatArray


def class_table(
    answers: Sequence[Collection[str]], gold: Sequence[Collection[str]], labels: Sequence[str]
) -> ClassTable:
    """The scores of each class over all rows."""
    slots = {label: index for index, label in enumerate(labels)}
    total = np.zeros(3 * (len(labels) + 1))
    for answer, truth in zip(answers, gold, strict=True):
        total += class_counts(answer, truth, slots)
    counts = split_counts(total)
    return ClassTable(precision(*counts), recall(*counts), f1(*counts), counts[2], counts[1])


def confusion_matrix(answers: Sequence[str], gold: Sequence[str], labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """Rows by gold label and answer, [S, S]; last row: unseen gold labels, last column: abstentions ('')."""
    slots = {label: index for index, label in enumerate(labels)}
    matrix = np.zeros((len(labels) + 1, len(labels) + 1), dtype=np.int64)
    for answer, truth in zip(answers, gold, strict=True):
        matrix[slots.get(truth, len(labels)), slots.get(answer, len(labels))] += 1
    return matrix


def label_matrix(records: Sequence[ClassifyRecord], labels: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which labels each record has, [N, C]; labels outside the label space are left out."""
    slots = {label: index for index, label in enumerate(labels)}
    matrix = np.zeros((len(records), len(labels)), dtype=np.bool_)
    for row, record in enumerate(records):
        matrix[row, [slots[label] for label in record.labels or () if label in slots]] = True
    return matrix
