"""What a report on ranking shows: BM25 on the same rows, and the queries by how many texts they have.

Notation: N rows, F n-grams.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from weitiao.evaluation.baselines import Answers, Splits, vectorizer_for
from weitiao.evaluation.schema import Analysis, FigureRow, FigureTable
from weitiao.metrics.retrieval import average_precision, ndcg, ranked_queries, reciprocal_rank
from weitiao.records import FloatArray, RankPrediction, RankRecord

SATURATION, LENGTH = 1.2, 0.75  # k1 and b; Manning et al. 2008, section 11.4.3: 1.2 to 2, and 0.75
SIZES = ((1, 1), (2, 5), (6, 20), (21, None))  # texts of a query

Records = Sequence[RankRecord]


def analyse(
    task: Any,  # noqa: ARG001 - one signature for all analyses
    labels: Sequence[str],  # noqa: ARG001
    predictions: Sequence[RankPrediction],
    records: Records,
    *,
    train: Records,  # noqa: ARG001
    texts: bool,  # noqa: ARG001
) -> Analysis:
    """Scores of the queries by number of texts, and how many queries have no right one."""
    sizes: dict[str, list[FloatArray]] = defaultdict(list)
    for _rows, gold in ranked_queries(predictions, records):
        sizes[_size(len(gold)) if gold.any() else "without_right_text"].append(gold)
    order = [*(_name(*each) for each in SIZES), "without_right_text"]
    rows = [_row(name, sizes[name]) for name in order if name in sizes]
    return Analysis(tables=[FigureTable(name="queries", rows=rows)] if rows else [])


def _row(name: str, queries: Sequence[FloatArray]) -> FigureRow:
    values = {"mrr@10": reciprocal_rank, "ndcg@10": ndcg, "map": average_precision}
    answerable = name != "without_right_text"
    figures = {each: float(np.mean([value(gold) for gold in queries])) for each, value in values.items()}
    return FigureRow(label=name, count=len(queries), figures=figures if answerable else {})


def _name(low: int, high: int | None) -> str:
    return f"{low}" if low == high else f"{low}+" if high is None else f"{low}-{high}"


def _size(count: int) -> str:
    return next(_name(low, high) for low, high in SIZES if high is None or count <= high)


def bm25(task: Any, splits: Splits) -> Answers:  # noqa: ARG001 - every baseline is handed its task
    """Okapi BM25 (Robertson et al. 1994) over words or characters; counted on the different training texts."""
    from sklearn.feature_extraction.text import CountVectorizer

    collection = list(dict.fromkeys(record.text for record in splits.train))
    like = vectorizer_for(collection)
    grams = CountVectorizer(analyzer=like.analyzer, ngram_range=like.ngram_range, token_pattern=like.token_pattern)
    counted = grams.fit_transform(collection)  # [N, F]
    holding = np.bincount(counted.indices, minlength=counted.shape[1])  # [F], texts that have each
    rarity = np.log(1 + (len(collection) - holding + 0.5) / (holding + 0.5))
    average = counted.sum() / max(len(collection), 1)
    texts = grams.transform([record.text for record in splits.rows]).astype(np.float64)
    asked = grams.transform([record.query for record in splits.rows])
    lengths = np.asarray(texts.sum(1)).ravel()  # [N]
    dampers = np.repeat(SATURATION * (1 - LENGTH + LENGTH * lengths / max(average, 1e-12)), np.diff(texts.indptr))
    texts.data = texts.data * (SATURATION + 1) / (texts.data + dampers) * rarity[texts.indices]
    scores = np.asarray(texts.multiply(asked > 0).sum(1), dtype=np.float64).ravel()  # [N]
    answers = [RankPrediction(score=float(score)) for score in scores]
    low, high = grams.ngram_range
    return Answers(answers, {"features": f"{grams.analyzer} {low}-{high}-grams", "k1": SATURATION, "b": LENGTH})
