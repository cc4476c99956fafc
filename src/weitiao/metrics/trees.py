"""Scores of dependency trees, counted as the CoNLL 2018 shared task does (conll18_ud_eval.py; Zeman et al. 2018).

Every word counts, punctuation too, and LAS compares relations without their subtypes (`nsubj:pass` is `nsubj`), as the
official script does. A labelled record is answered on its own words, so that words are aligned one to one and the
script's F1 is a share of the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from weitiao.metrics import Metric
from weitiao.metrics.classification import divide
from weitiao.records import FloatArray, ParsedToken, ParsePrediction, ParseRecord


class GoldWord(NamedTuple):
    """A word of a labelled record: part of speech, head (0 for the root), relation to the head."""

    upos: str
    head: int
    deprel: str


Right = Callable[[ParsedToken, GoldWord], bool]


def universal(deprel: str) -> str:
    """The relation without its subtype."""
    return deprel.partition(":")[0]


RIGHT: Mapping[str, Right] = {  # the headline first
    "las": lambda said, gold: said.head == gold.head and universal(said.deprel) == universal(gold.deprel),
    "uas": lambda said, gold: said.head == gold.head,
    "upos_accuracy": lambda said, gold: said.upos == gold.upos,
    "las_with_subtypes": lambda said, gold: said.head == gold.head and said.deprel == gold.deprel,
}


def tree_metrics() -> list[Metric]:
    """Scores of trees, headline (LAS) first."""
    return [TreeMetric(name, right) for name, right in RIGHT.items()]


class TreeMetric:
    """A share of the words.

    Args:
        name: as in reports.
        right: whether a word is answered right.
    """

    def __init__(self, name: str, right: Right) -> None:
        self.name = name
        self.right = right

    def counts(self, prediction: ParsePrediction, record: ParseRecord) -> FloatArray:
        """[right words, words]."""
        hits = [self.right(said, gold) for said, gold in zip(prediction.tokens, gold_words(record), strict=True)]
        return np.array([sum(hits), len(hits)], dtype=np.float64)

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


def gold_words(record: ParseRecord) -> list[GoldWord]:
    """The words of a labelled record."""
    return [GoldWord(*word) for word in zip(record.upos or (), record.heads or (), record.deprels or (), strict=True)]
