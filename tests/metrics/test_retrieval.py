"""Ranking metrics equal scikit-learn's where it has them, and cases done by hand; ties count against the answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn import metrics as reference

from weitiao.evaluation.intervals import Resampling, interval
from weitiao.metrics import value_of
from weitiao.metrics.retrieval import (
    average_precision,
    ndcg,
    ranking_metrics,
    ranks_of_pairs,
    reciprocal_rank,
    retrieval_metrics,
)
from weitiao.records import EmbedPrediction, EmbedRecord, FloatArray, RankPrediction, RankRecord

GRADES = st.lists(st.integers(0, 3), min_size=2, max_size=25).filter(any)


@given(GRADES)
@settings(max_examples=150, deadline=None)
def test_one_query_equals_the_references(grades: list[int]) -> None:
    gold, scores = np.array(grades, dtype=float), -np.arange(len(grades), dtype=float)
    assert ndcg(gold) == pytest.approx(reference.ndcg_score(gold[None], scores[None], k=10), abs=1e-9)
    assert average_precision(gold) == pytest.approx(reference.average_precision_score(gold > 0, scores), abs=1e-9)


def test_one_query_by_hand() -> None:
    gold = np.array([0, 1, 0, 1.0])
    assert reciprocal_rank(gold) == 1 / 2
    assert average_precision(gold) == (1 / 2 + 2 / 4) / 2
    assert ndcg(gold) == pytest.approx((1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3)))
    assert reciprocal_rank(np.array([0.0] * 10 + [1.0])) == 0


def ranked(queries: list[list[tuple[float, float]]]) -> tuple[list[RankPrediction], list[RankRecord]]:
    """(score, label) of each text of each query."""
    pairs = [(str(number), *each) for number, query in enumerate(queries) for each in query]
    return (
        [RankPrediction(score=score) for _query, score, _label in pairs],
        [RankRecord(query="", text="", label=label, query_id=query) for query, _score, label in pairs],
    )


def values(queries: list[list[tuple[float, float]]]) -> dict[str, float]:
    return {metric.name: value_of(metric, *ranked(queries)) for metric in ranking_metrics()}


FIRST, SECOND = [(0.9, 1.0), (0.1, 0.0)], [(0.1, 1.0), (0.5, 0.0), (0.3, 0.0), (0.2, 0.0)]


def test_queries_count_alike_however_many_texts_they_have() -> None:
    found = values([FIRST, SECOND])
    assert found["mrr@10"] == found["map"] == pytest.approx((1 + 1 / 4) / 2)
    assert found["ndcg@10"] == pytest.approx((1 + 1 / np.log2(5)) / 2)


def test_queries_without_a_right_text_are_left_out() -> None:
    assert values([FIRST, [(0.5, 0.0)]]) == values([FIRST])
    assert values([[(0.5, 0.0)]]) == {"mrr@10": 0, "ndcg@10": 0, "map": 0}


def test_equal_scores_gain_nothing() -> None:
    assert values([[(0.5, 1.0), (0.5, 0.0), (0.5, 0.0)]])["mrr@10"] == pytest.approx(1 / 3)


def test_queries_are_resampled_whole() -> None:
    """With its rows drawn together, each query is worth 1 or 1/4, and so is every resample a mean of such."""
    predictions, records = ranked([FIRST, SECOND])
    score = interval(ranking_metrics()[0], predictions, records, Resampling(units=[each.query_id for each in records]))
    assert (score.low, score.high) == (0.25, 1.0)


def embedded(own: FloatArray, other: FloatArray, texts: list[tuple[str, str]] | None = None):
    """Predictions and records of the rows of two matrices."""
    own, other = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (own, other))
    predictions = [
        EmbedPrediction(vector=tuple(a.tolist()), pair=tuple(b.tolist())) for a, b in zip(own, other, strict=True)
    ]
    names = texts or [(f"a{row}", f"b{row}") for row in range(len(own))]
    return predictions, [EmbedRecord(text=a, text_pair=b) for a, b in names]


def test_places_among_all_second_texts() -> None:
    rng = np.random.default_rng(0)
    own, other = rng.normal(size=(2, 30, 4))
    predictions, records = embedded(own, other)
    cosines = np.array([each.vector for each in predictions]) @ np.array([each.pair for each in predictions]).T
    expected = [1 + int((line > line[row]).sum()) for row, line in enumerate(cosines)]
    assert ranks_of_pairs(predictions, records).tolist() == expected
    found = {metric.name: value_of(metric, predictions, records) for metric in retrieval_metrics()}
    rank = np.array(expected)
    assert found["recall@5"] == pytest.approx((rank <= 5).mean())
    assert found["mrr@10"] == pytest.approx(np.where(rank <= 10, 1 / rank, 0).mean())
    gold = np.eye(30)
    assert found["ndcg@10"] == pytest.approx(reference.ndcg_score(gold, cosines, k=10), abs=1e-9)
    sparse = [
        EmbedPrediction.model_construct(vector=csr_matrix([each.vector]), pair=csr_matrix([each.pair]))
        for each in predictions
    ]
    assert ranks_of_pairs(sparse, records).tolist() == expected
    bare = [record.model_copy(update={"text": "", "text_pair": None}) for record in records]  # as `compare` has them
    assert ranks_of_pairs(predictions, bare).tolist() == expected


def test_one_vector_for_all_finds_nothing() -> None:
    predictions, records = embedded(np.ones((20, 3)), np.ones((20, 3)))
    assert set(ranks_of_pairs(predictions, records)) == {20}


def test_a_second_text_of_several_rows_is_one_and_a_text_may_have_several() -> None:
    plane = np.array([[1, 0], [1, 0.01], [0, 1], [1, 0]], dtype=float)
    texts = [("a", "x"), ("b", "x"), ("c", "y"), ("a", "z")]
    predictions, records = embedded(plane, np.array([[1, 0.0], [1, 0.0], [0, 1], [1, 0.1]]), texts)
    assert ranks_of_pairs(predictions, records).tolist() == [1, 1, 1, 1]  # z and x are both a's own


def test_rows_without_a_second_text_do_not_count() -> None:
    predictions, records = embedded(np.eye(3), np.eye(3))
    predictions[1] = predictions[1].model_copy(update={"pair": None})
    assert ranks_of_pairs(predictions, records).tolist() == [1, 0, 1]
    assert value_of(retrieval_metrics()[0], predictions, records) == 1
    assert value_of(retrieval_metrics()[0], [predictions[1]], [records[1]]) == 0
