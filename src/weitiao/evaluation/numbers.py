"""What a report on numbers shows: cheap answers to the same rows, and the errors by the size of the gold number.

`mean` answers the mean of the training rows. `tfidf_score` learns from word counts: for pairs a line through the cosine
of the two texts' TF-IDF vectors, for single texts ridge regression on them.

Notation: N rows, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao.evaluation.baselines import Answers, Splits, vectorizer_for
from weitiao.evaluation.schema import Analysis, FigureRow, FigureTable
from weitiao.records import FloatArray, RegressPrediction, RegressRecord

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

PENALTIES = (0.1, 1.0, 10.0)  # of ridge regression; rows have unit length, so the best is near 1
BINS = 5

Records = Sequence[RegressRecord]


def analyse(
    task: Any,  # noqa: ARG001 - one signature for all analyses
    labels: Sequence[str],  # noqa: ARG001
    predictions: Sequence[RegressPrediction],
    records: Records,
    *,
    train: Records,  # noqa: ARG001
    texts: bool,  # noqa: ARG001
) -> Analysis:
    """Errors by the size of the gold number, where there are several."""
    known = [
        (answer.score, each.score) for answer, each in zip(predictions, records, strict=True) if each.score is not None
    ]
    table = by_gold(np.array(known).reshape(-1, 2))
    return Analysis(tables=[table] if len(table.rows) > 1 else [])


def by_gold(known: FloatArray) -> FigureTable:
    """Errors in `BINS` parts of like width between the lowest and the highest gold number; empty parts are left out.

    Args:
        known: answer and gold, [N, 2].
    """
    answers, gold = known.T
    if not len(gold):
        return FigureTable(name="errors_by_gold", rows=[])
    edges = np.linspace(gold.min(), gold.max(), BINS + 1)
    place = np.clip(np.searchsorted(edges, gold, side="right") - 1, 0, BINS - 1)  # [N]
    rows = []
    for part in np.unique(place):
        gaps = answers[place == part] - gold[place == part]
        figures = {"mae": float(np.abs(gaps).mean()), "mean_error": float(gaps.mean())}
        label = f"{edges[part]:.3g} – {edges[part + 1]:.3g}"
        rows.append(FigureRow(label=label, count=len(gaps), figures=figures))
    return FigureTable(name="errors_by_gold", rows=rows)


def mean(task: Any, splits: Splits) -> Answers:  # noqa: ARG001 - every baseline is handed its task
    """The mean of the training rows, for every row."""
    answer = RegressPrediction(score=float(_scores(splits.train).mean()))
    return Answers([answer] * len(splits.rows))


def tfidf_score(task: Any, splits: Splits) -> Answers:  # noqa: ARG001
    """A line through the TF-IDF cosine of a pair, or ridge regression on the TF-IDF vector of a text."""
    texts = [each for record in splits.train for each in (record.text, record.text_pair) if each is not None]
    vectorizer = vectorizer_for(texts)
    vectorizer.fit(texts)
    paired = splits.train[0].text_pair is not None
    answers, chosen = _by_cosine(splits, vectorizer) if paired else _by_ridge(splits, vectorizer)
    features = f"{vectorizer.analyzer} {vectorizer.ngram_range[0]}-{vectorizer.ngram_range[1]}-grams"
    return Answers([RegressPrediction(score=float(each)) for each in answers], {"features": features, **chosen})


def _by_cosine(splits: Splits, vectorizer: TfidfVectorizer) -> tuple[FloatArray, dict[str, float]]:
    seen, asked = _cosines(splits.train, vectorizer), _cosines(splits.rows, vectorizer)
    slope, height = np.linalg.lstsq(np.stack([seen, np.ones(len(seen))], 1), _scores(splits.train), rcond=None)[0]
    return slope * asked + height, {}


def _cosines(records: Records, vectorizer: TfidfVectorizer) -> FloatArray:
    """Of the two texts of each record, [N]."""
    first = vectorizer.transform([record.text for record in records])  # [N, F]
    second = vectorizer.transform([record.text_pair or "" for record in records])
    return np.asarray(first.multiply(second).sum(1), dtype=np.float64).ravel()


def _by_ridge(splits: Splits, vectorizer: TfidfVectorizer) -> tuple[FloatArray, dict[str, float]]:
    """The penalty is the one with the smallest error on dev, 1 without dev."""
    from sklearn.linear_model import Ridge

    train, dev, rows = (
        vectorizer.transform([record.text for record in records]) if records else None
        for records in (splits.train, splits.dev, splits.rows)
    )
    gold = _scores(splits.train)
    models = {each: Ridge(each, solver="sparse_cg").fit(train, gold) for each in (PENALTIES if splits.dev else (1.0,))}

    def error(penalty: float) -> float:
        return float(((models[penalty].predict(dev) - _scores(splits.dev)) ** 2).mean())

    best = min(models, key=error) if splits.dev else 1.0
    return models[best].predict(rows), {"alpha": best}


def _scores(records: Records) -> FloatArray:
    """Gold numbers, [N]."""
    return np.array([record.score for record in records], dtype=np.float64)
