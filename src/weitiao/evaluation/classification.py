"""What a classification report shows beyond its metrics: classes, confusions, calibration, confident mistakes.

Notation: N rows, C classes, S = C + 1 slots (unseen gold labels; abstentions).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.evaluation.schema import Analysis, Calibration, CalibrationBin, ClassScore, Confusion, Mistake
from weitiao.metrics.calibration import brier_score, calibration_error, negative_log_likelihood, reliability_curve
from weitiao.metrics.classification import class_table, confusion_matrix, label_matrix
from weitiao.records import ClassifyPrediction, ClassifyRecord

MISTAKES = 20
TEXT = 600  # characters of a mistake's text
WHOLE_MATRIX = 200  # labels up to which every cell of the confusion matrix is kept
CONFUSIONS = 30

Predictions = Sequence[ClassifyPrediction]
Records = Sequence[ClassifyRecord]


def analyse(
    task: Any,
    labels: Sequence[str],
    predictions: Predictions,
    records: Records,
    *,
    train: Records,  # noqa: ARG001 - one signature for all analyses
    texts: bool,
) -> Analysis:
    """The parts of the report that only classification has."""
    several = task.options.multi_label
    known = set(labels)
    return Analysis(
        multi_label=several,
        per_class=class_scores(predictions, records, labels),
        unseen=sum(label not in known for record in records for label in record.labels or ()),
        abstained=sum(prediction.abstained for prediction in predictions),
        confusion=None if several else confusion(predictions, records, labels),
        calibration=calibration(predictions, records, labels, several=several),
        mistakes=mistakes(predictions, records, texts=texts),
    )


def class_scores(predictions: Predictions, records: Records, labels: Sequence[str]) -> list[ClassScore]:
    """Precision, recall, F1 and support of each label of the label space."""
    table = class_table([each.labels for each in predictions], [each.labels or () for each in records], labels)
    return [
        ClassScore(
            label=label,
            precision=float(table.precision[index]),
            recall=float(table.recall[index]),
            f1=float(table.f1[index]),
            support=int(table.support[index]),
            answers=int(table.answers[index]),
        )
        for index, label in enumerate(labels)
    ]


def confusion(predictions: Predictions, records: Records, labels: Sequence[str]) -> Confusion:
    """The matrix without empty slots, and the most frequent mistakes."""
    answers = ["".join(each.labels[:1]) for each in predictions]
    matrix = confusion_matrix(answers, [each.label for each in records], labels)  # [S, S]
    gold = [*labels, ""] if matrix[-1].any() else list(labels)
    predicted = [*labels, ""] if matrix[:, -1].any() else list(labels)
    matrix = matrix[: len(gold), : len(predicted)]
    wrong = matrix.copy()
    wrong[np.arange(len(labels)), np.arange(len(labels))] = 0
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    cells = [(int(row), int(column)) for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)]
    return Confusion(
        gold=gold,
        predicted=predicted,
        counts=matrix.tolist() if len(labels) <= WHOLE_MATRIX else [],
        largest=[
            (gold[row], predicted[column], int(wrong[row, column])) for row, column in cells if wrong[row, column]
        ],
    )


def calibration(predictions: Predictions, records: Records, labels: Sequence[str], *, several: bool) -> Calibration:
    """Of the most likely label of each row; multi-label: of every (row, label) decision.

    Scores are taken whether or not the model abstained; an unseen gold label makes every score wrong.
    """
    scores = np.array([[each.scores[label] for label in labels] for each in predictions])  # [N, C]
    gold = label_matrix(records, labels)  # [N, C]
    if several:
        probability, happened = scores.ravel(), gold.ravel()
        truth, brier = np.where(gold, scores, 1 - scores).ravel(), brier_score(scores, gold) / len(labels)
    else:
        rows, best = np.arange(len(scores)), scores.argmax(1)
        probability, happened = scores[rows, best], gold[rows, best]
        truth, brier = (scores * gold).sum(1), brier_score(scores, gold)
    curve = reliability_curve(probability, happened)
    return Calibration(
        ece=calibration_error(curve),
        brier=brier,
        negative_log_likelihood=negative_log_likelihood(truth),
        bins=[
            CalibrationBin(low=b.low, high=b.high, rows=b.rows, confidence=b.confidence, accuracy=b.accuracy)
            for b in curve
        ],
    )


def mistakes(predictions: Predictions, records: Records, *, texts: bool) -> list[Mistake]:
    """The wrong answers the model was surest of; abstentions are none."""
    wrong = [
        (certainty(prediction, record), index)
        for index, (prediction, record) in enumerate(zip(predictions, records, strict=True))
        if not prediction.abstained and set(prediction.labels) != set(record.labels or ())
    ]
    wrong.sort(key=lambda each: (-each[0], each[1]))
    return [
        Mistake(
            place=records[index].place,
            gold=list(records[index].labels or ()),
            predicted=list(predictions[index].labels),
            confidence=sureness,
            text=shortened(records[index].surface) if texts else None,
        )
        for sureness, index in wrong[:MISTAKES]
    ]


def certainty(prediction: ClassifyPrediction, record: ClassifyRecord) -> float:
    """Probability behind the worst wrong decision: of a label given wrongly, or against a label missed."""
    gold, answer = set(record.labels or ()), set(prediction.labels)
    given = [prediction.scores.get(label, 0.0) for label in answer - gold]
    missed = [1 - prediction.scores[label] for label in gold - answer if label in prediction.scores]
    return max(given) if given else max(missed, default=0.0)


def shortened(text: str) -> str:
    """The text of a mistake, cut where it is long."""
    return text if len(text) <= TEXT else text[: TEXT - 1] + "…"
