"""What a report on trees shows beyond its metrics: scores by relation, distance to the head and length of sentence.

Words are grouped by their gold relation and head, so each figure is a share of the gold words of its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from weitiao.evaluation.classification import MISTAKES, shortened
from weitiao.evaluation.schema import Analysis, FigureRow, FigureTable, Mistake
from weitiao.metrics.trees import RIGHT, GoldWord, gold_words, universal
from weitiao.records import FloatArray, ParsedToken, ParsePrediction, ParseRecord

RELATIONS = 20  # the commonest ones have a row each
DISTANCES = ((1, 1), (2, 2), (3, 5), (6, 10), (11, None))  # words from a word to its head
LENGTHS = ((1, 5), (6, 10), (11, 20), (21, 30), (31, 50), (51, None))  # words of a sentence
SHOWN = ("las", "uas", "upos_accuracy")

Predictions = Sequence[ParsePrediction]
Records = Sequence[ParseRecord]
Group = Callable[[int, GoldWord, int], str]  # number of a word, its gold, words of its sentence -> row of a table


def analyse(
    task: Any,  # noqa: ARG001 - every analysis is handed its task
    labels: Sequence[str],  # noqa: ARG001
    predictions: Predictions,
    records: Records,
    *,
    train: Records,  # noqa: ARG001
    texts: bool,
) -> Analysis:
    """The parts of the report that only trees have."""
    by_relation = _scores(predictions, records, lambda _number, word, _words: universal(word.deprel))
    commonest = sorted(by_relation, key=lambda name: (-by_relation[name][0], name))[:RELATIONS]
    by_distance = _scores(predictions, records, _distance)
    by_length = _scores(predictions, records, lambda _number, _word, words: _within(words, LENGTHS))
    tables = [
        _table("trees_by_relation", by_relation, commonest),
        _table("trees_by_distance", by_distance, ["to_root", *map(_range, DISTANCES)]),
        _table("trees_by_length", by_length, list(map(_range, LENGTHS))),
    ]
    return Analysis(
        tables=[table for table in tables if table.rows], mistakes=mistakes(predictions, records, texts=texts)
    )


def _scores(predictions: Predictions, records: Records, group: Group) -> dict[str, FloatArray]:
    """Row of a table -> its words, and how many of them are right by each of `SHOWN`."""
    found: dict[str, FloatArray] = {}
    for prediction, record in zip(predictions, records, strict=True):
        gold = gold_words(record)
        for number, (said, word) in enumerate(zip(prediction.tokens, gold, strict=True), start=1):
            counts = [1, *(RIGHT[name](said, word) for name in SHOWN)]
            key = group(number, word, len(gold))
            found[key] = found.get(key, 0) + np.array(counts, dtype=np.float64)
    return found


def _table(name: str, scores: dict[str, FloatArray], order: Sequence[str]) -> FigureTable:
    rows = [
        FigureRow(
            label=key,
            count=int(scores[key][0]),
            figures={
                metric: float(right / scores[key][0]) for metric, right in zip(SHOWN, scores[key][1:], strict=True)
            },
        )
        for key in order
        if key in scores
    ]
    return FigureTable(name=name, rows=rows)


def _distance(number: int, word: GoldWord, words: int) -> str:  # noqa: ARG001 - one signature for all groups
    return _within(abs(word.head - number), DISTANCES) if word.head else "to_root"


Range = tuple[int, int | None]


def _within(value: int, ranges: Sequence[Range]) -> str:
    return next(_range(each) for each in ranges if value >= each[0] and (each[1] is None or value <= each[1]))


def _range(ends: Range) -> str:
    low, high = ends
    return f"{low}+" if high is None else f"{low}" if low == high else f"{low}-{high}"


def mistakes(predictions: Predictions, records: Records, *, texts: bool) -> list[Mistake]:
    """The sentences with the surest wrong head; without texts words are told by their numbers."""
    wrong = []
    for index, (prediction, record) in enumerate(zip(predictions, records, strict=True)):
        of_record = [
            (said.confidence, index, number)
            for number, (said, word) in enumerate(zip(prediction.tokens, gold_words(record), strict=True), start=1)
            if said.head != word.head
        ]
        wrong += [max(of_record)] if of_record else []
    wrong.sort(key=lambda each: (-each[0], each[1]))
    return [
        Mistake(
            place=records[index].place,
            gold=[_arc(predictions[index].tokens, number, gold_words(records[index])[number - 1].head, texts=texts)],
            predicted=[
                _arc(predictions[index].tokens, number, predictions[index].tokens[number - 1].head, texts=texts)
            ],
            confidence=sure,
            text=shortened(records[index].text) if texts else None,
        )
        for sure, index, number in wrong[:MISTAKES]
    ]


def _arc(tokens: Sequence[ParsedToken], word: int, head: int, *, texts: bool) -> str:
    """`form -> form of the head`, or their numbers."""
    ends = [
        "0" if not number else f"{number} {tokens[number - 1].form}" if texts else str(number)
        for number in (word, head)
    ]
    return " -> ".join(ends)
