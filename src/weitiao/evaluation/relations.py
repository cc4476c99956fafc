"""What a report on relations shows beyond its metrics, and the cheap answer: the words between the two spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from weitiao.evaluation import classification
from weitiao.evaluation.baselines import Answers, Splits, tfidf
from weitiao.evaluation.intents import Classes
from weitiao.evaluation.schema import Analysis, FigureRow, FigureTable
from weitiao.metrics.relations import DIRECTED, type_of
from weitiao.records import ClassifyPrediction, ClassifyRecord, RelateRecord
from weitiao.tasks.classify import ClassifyOptions
from weitiao.tasks.units import Bounds, units_of

Predictions = Sequence[ClassifyPrediction]
Records = Sequence[RelateRecord]


def analyse(
    task: Any,  # noqa: ARG001 - one signature for all analyses
    labels: Sequence[str],
    predictions: Predictions,
    records: Records,
    *,
    train: Records,
    texts: bool,
) -> Analysis:
    """As of classification, and how often the type is right and the direction is not."""
    found = classification.analyse(Classes(ClassifyOptions()), labels, predictions, records, train=train, texts=texts)
    table = _directions(predictions, records)
    return found.model_copy(update={"tables": [table]}) if table.rows else found


def _directions(predictions: Predictions, records: Records) -> FigureTable:
    """Of the directed relations whose type was found; no rows where no label has a direction."""
    counts = Counter[str]()
    for prediction, record in zip(predictions, records, strict=True):
        answer, gold = "".join(prediction.labels), record.label
        if DIRECTED.search(gold) and type_of(gold) == type_of(answer):
            counts["right" if answer == gold else "wrong_direction"] += 1
    rows = [
        FigureRow(label=name, count=counts[name], figures={"share": counts[name] / counts.total()})
        for name in ("right", "wrong_direction")
        if counts
    ]
    return FigureTable(name="relation_directions", rows=rows)


def tfidf_between(task: Any, splits: Splits) -> Answers:  # noqa: ARG001 - every baseline is handed its task
    """TF-IDF and logistic regression over the words between the spans, those of the spans, and which stands first."""
    train, dev, rows = ([_between(each) for each in records] for records in (splits.train, splits.dev, splits.rows))
    return tfidf(Classes(ClassifyOptions()), Splits(train, dev, rows, splits.labels, splits.seed))


def _between(record: RelateRecord) -> ClassifyRecord:
    first, second = sorted([record.head, record.tail])
    parts = [
        "forwards" if first == record.head else "backwards",
        record.text[first[1] : second[0]],
        *_marked(record.text, record.head, "h_"),
        *_marked(record.text, record.tail, "t_"),
    ]
    return ClassifyRecord(
        file=record.file,
        line=record.line,
        group=record.group,
        text=" ".join(parts),
        text_pair=None,
        labels=record.labels,
    )


def _marked(text: str, span: Bounds, mark: str) -> list[str]:
    """The words of a span, told from the same words elsewhere."""
    return [f"{mark}{text[start:end]}" for start, end in units_of(text) if span[0] <= start < span[1]]
