"""What a report on embeddings shows: TF-IDF vectors of the same texts, and what beginnings of the vector are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.evaluation.baselines import Answers, Splits, vectorizer_for
from weitiao.evaluation.schema import Analysis, FigureRow, FigureTable
from weitiao.metrics import value_of
from weitiao.records import EmbedPrediction, EmbedRecord, FloatArray

Predictions = Sequence[EmbedPrediction]
Records = Sequence[EmbedRecord]


def analyse(
    task: Any,
    labels: Sequence[str],
    predictions: Predictions,
    records: Records,
    *,
    train: Records,  # noqa: ARG001 - one signature for all analyses
    texts: bool,  # noqa: ARG001
) -> Analysis:
    """The metrics of the whole vector and of its beginnings, where the recipe wants some."""
    whole = len(predictions[0].vector) if predictions else 0
    shorter = [size for size in task.options.dimensions if size < whole]
    rows = []
    for size in [whole, *shorter] if shorter else []:
        cut = [beginning(each, size) for each in predictions]
        figures = {metric.name: value_of(metric, cut, records) for metric in task.metrics(labels)}
        rows.append(FigureRow(label=str(size), count=len(cut), figures=figures))
    return Analysis(tables=[FigureTable(name="by_dimension", rows=rows)] if rows else [])


def beginning(prediction: EmbedPrediction, size: int) -> EmbedPrediction:
    """The prediction with the first numbers of its vectors, brought to length 1 again."""
    own = _unit(np.array(prediction.vector[:size]))
    other = None if prediction.pair is None else _unit(np.array(prediction.pair[:size]))
    return EmbedPrediction.model_construct(
        vector=tuple(own.tolist()),
        pair=None if other is None else tuple(other.tolist()),
        similarity=None if other is None else float(own @ other),
    )


def _unit(vector: FloatArray) -> FloatArray:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)


def tfidf_similarity(task: Any, splits: Splits) -> Answers:  # noqa: ARG001 - every baseline is handed its task
    """TF-IDF vectors of the texts, counted on the training rows; they are sparse, and are only compared."""
    seen = [text for record in splits.train for text in (record.text, record.text_pair) if text is not None]
    vectorizer = vectorizer_for(seen)
    vectorizer.fit(seen)
    own = vectorizer.transform([record.text for record in splits.rows])  # [N, F]
    other = vectorizer.transform([record.text_pair or "" for record in splits.rows])
    cosines = np.asarray(own.multiply(other).sum(1), dtype=np.float64).ravel()  # [N]
    answers = [
        EmbedPrediction.model_construct(
            vector=own[row],
            pair=None if record.text_pair is None else other[row],
            similarity=None if record.text_pair is None else float(cosines[row]),
        )
        for row, record in enumerate(splits.rows)
    ]
    low, high = vectorizer.ngram_range
    return Answers(answers, {"features": f"{vectorizer.analyzer} {low}-{high}-grams"})
