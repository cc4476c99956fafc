"""Metrics of search: does a text find its own second text among all, and are the right texts of a query put first?

Ties count against the answer, so that a constant answer gains nothing. The rows of a whole split are looked at
together; each then carries its part of a mean, so that rows (or queries) can be resampled.

Notation: N rows, D numbers of a vector, n texts of one query; times: how often each row was drawn, [..., N].
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from weitiao.metrics import AnyMetric
from weitiao.metrics.classification import divide
from weitiao.records import EmbedPrediction, EmbedRecord, FloatArray, IntArray, RankPrediction, RankRecord

DEEPEST = 10  # place from which mrr and ndcg count nothing
ROWS = 1024  # compared with all candidates at a time: bounds memory
EQUAL = 1e-6  # cosines that are nearer to each other are ties: vectors are rounded to 7 digits


class Mean:
    """A mean of what each row (or query) is worth.

    Args:
        name: as in reports.
        parts: predictions and records -> [N, 2], what each row brings to numerator and denominator.
    """

    def __init__(self, name: str, parts: Callable[[Sequence[Any], Sequence[Any]], FloatArray]) -> None:
        self.name = name
        self.parts = parts

    def rows(self, predictions: Sequence[Any], records: Sequence[Any]) -> FloatArray:
        """[N, 2]."""
        return self.parts(predictions, records)

    def of(self, rows: FloatArray, times: FloatArray) -> FloatArray:
        total = times @ rows  # [..., 2]
        return divide(total[..., 0], total[..., 1])


def retrieval_metrics() -> list[AnyMetric]:
    """Of texts that search for their own second text; headline (MRR) first."""
    ranks = Ranks()
    worth: dict[str, Callable[[FloatArray], FloatArray]] = {
        f"mrr@{DEEPEST}": lambda rank: np.where(rank <= DEEPEST, 1 / rank, 0.0),
        "recall@1": lambda rank: (rank <= 1).astype(np.float64),
        "recall@5": lambda rank: (rank <= 5).astype(np.float64),
        f"ndcg@{DEEPEST}": lambda rank: np.where(rank <= DEEPEST, 1 / np.log2(1 + rank), 0.0),
    }
    return [Mean(name, ranks.worth(gain)) for name, gain in worth.items()]


def ranking_metrics() -> list[AnyMetric]:
    """Of queries with texts to be ranked; headline (MRR) first."""
    values: dict[str, Callable[[FloatArray], float]] = {
        f"mrr@{DEEPEST}": reciprocal_rank,
        f"ndcg@{DEEPEST}": ndcg,
        "map": average_precision,
    }
    return [Mean(name, by_query(value)) for name, value in values.items()]


def by_query(value: Callable[[FloatArray], float]) -> Callable[[Sequence[Any], Sequence[Any]], FloatArray]:
    """What each row is worth: its share of its query's value, and of 1; nothing where the query has no right text.

    Args:
        value: gold labels of a query's texts in the order of the answers, [n] -> the query's value.
    """

    def parts(predictions: Sequence[Any], records: Sequence[Any]) -> FloatArray:
        worth = np.zeros((len(records), 2))
        for rows, gold in ranked_queries(predictions, records):
            if gold.any():
                worth[rows] = np.array([value(gold), 1.0]) / len(rows)
        return worth

    return parts


def ranked_queries(
    predictions: Sequence[RankPrediction], records: Sequence[RankRecord]
) -> Iterator[tuple[list[int], FloatArray]]:
    """Of each query its rows, and their gold labels in the order of the answers, [n]; of equals the worse first."""
    queries: dict[str, list[int]] = defaultdict(list)
    for row, record in enumerate(records):
        queries[record.query_id].append(row)
    for rows in queries.values():
        gold = np.array([records[row].label or 0.0 for row in rows])
        scores = np.array([predictions[row].score for row in rows])
        yield rows, gold[np.lexsort((gold, -scores))]


def reciprocal_rank(gold: FloatArray) -> float:
    """One over the place of the first right text, 0 behind the tenth."""
    places = np.flatnonzero(gold[:DEEPEST] > 0)
    return float(1 / (places[0] + 1)) if len(places) else 0.0


def ndcg(gold: FloatArray) -> float:
    """Labels discounted by the logarithm of their place, over those of the best order (Jarvelin & Kekalainen 2002)."""
    best = np.sort(gold)[::-1]
    discounts = 1 / np.log2(np.arange(2, 2 + min(DEEPEST, len(gold))))
    return float((gold[:DEEPEST] * discounts).sum() / (best[:DEEPEST] * discounts).sum())


def average_precision(gold: FloatArray) -> float:
    """Mean precision at the places of the right texts."""
    right = gold > 0
    precision = np.cumsum(right) / np.arange(1, len(gold) + 1)
    return float(precision[right].mean())


class Ranks:
    """Place of each row's own second text among those of all rows, found once for all metrics of a split."""

    def __init__(self) -> None:
        self.asked: tuple[Any, Any] = (None, None)
        self.found: FloatArray = np.zeros(0)

    def of(self, predictions: Sequence[EmbedPrediction], records: Sequence[EmbedRecord]) -> FloatArray:
        """From 1; 0 where a row has no second text, [N]."""
        if self.asked[0] is not predictions or self.asked[1] is not records:
            self.found, self.asked = ranks_of_pairs(predictions, records), (predictions, records)
        return self.found

    def worth(self, gain: Callable[[FloatArray], FloatArray]) -> Callable[[Sequence[Any], Sequence[Any]], FloatArray]:
        """Of each row: what its rank is worth, and 1."""

        def parts(predictions: Sequence[Any], records: Sequence[Any]) -> FloatArray:
            rank = self.of(predictions, records)
            known = rank > 0
            return np.stack([np.where(known, gain(np.maximum(rank, 1)), 0.0), known], axis=1)

        return parts


def ranks_of_pairs(predictions: Sequence[EmbedPrediction], records: Sequence[EmbedRecord]) -> FloatArray:
    """See `Ranks.of`. A second text that several rows share is one candidate; the others of a text's own are left out.

    Texts tell what is the same; where they are not kept, their vectors do.
    """
    known = [row for row, answer in enumerate(predictions) if answer.pair is not None]
    ranks = np.zeros(len(predictions))
    if len(records) != len(predictions):
        raise ValueError("predictions and records are of different length")
    if not known:
        return ranks
    places, first = _numbered([records[row].text_pair or _key(predictions[row].pair) for row in known])
    askers, _first = _numbered([records[row].text or _key(predictions[row].vector) for row in known])
    own: dict[int, set[int]] = defaultdict(set)  # asker -> its candidates
    for asker, place in zip(askers.tolist(), places.tolist(), strict=True):
        own[asker].add(place)
    anchors = stacked([predictions[row].vector for row in known])  # [n, D]
    candidates = stacked([predictions[known[row]].pair for row in first])  # [C, D]
    for start in range(0, len(known), ROWS):
        rows = np.arange(start, min(start + ROWS, len(known)))
        cosines = anchors[rows] @ candidates.T  # [n, C]
        cosines = cosines.toarray() if hasattr(cosines, "toarray") else cosines
        right = cosines[np.arange(len(rows)), places[rows]]  # [n]
        for line, row in enumerate(rows.tolist()):
            cosines[line, list(own[int(askers[row])])] = -np.inf
        ranks[np.array(known)[rows]] = 1 + (cosines >= right[:, None] - EQUAL).sum(1)
    return ranks


def stacked(vectors: Sequence[Any]) -> Any:
    """[N, D]; sparse where the vectors are, as those of a baseline."""
    if hasattr(vectors[0], "tocsr"):
        from scipy.sparse import vstack

        return vstack(vectors, format="csr")
    return np.array(vectors, dtype=np.float64)


def _key(vector: Any) -> Hashable:
    return None if hasattr(vector, "tocsr") else vector


def _numbered(keys: Sequence[Hashable]) -> tuple[IntArray, list[int]]:
    """The number of each key, equal keys alike, and where each number comes first."""
    numbers: dict[Hashable, int] = {}
    first: list[int] = []
    for index, key in enumerate(keys):
        if numbers.setdefault(key, len(numbers)) == len(first):
            first.append(index)
    return np.array([numbers[key] for key in keys], dtype=np.int64), first
