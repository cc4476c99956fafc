"""Scores of relations: SemEval-2010's official macro F1 and its kin, and strict relations among found spans.

A label such as 'Cause-Effect(e2,e1)' is a type and a direction; other labels are types of their own. An answer is
right with both; scores are counted by type, as the official scorer of SemEval-2010 task 8 (version 1.2) does in its
(9+1)-way evaluation with directionality, and the label that says 'no relation' is no type. The macro average goes over
the types that the gold labels have, as there.

Notation: Y types, S = Y + 1 slots (the last one 'unseen').
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from weitiao.metrics import Metric
from weitiao.metrics.classification import RATIOS, Accuracy, Tally, divide, f1, split_counts, summed
from weitiao.metrics.spans import Found
from weitiao.records import ClassifyPrediction, FloatArray, GraphPrediction, GraphRecord, RelateRecord

DIRECTED = re.compile(r"\((?:e1,e2|e2,e1)\)$")
NOTHING = (
    "other", "no_relation", "no-relation", "no relation", "norelation", "na", "n/a", "none", "unknown", "null",
    "\u65e0", "\u65e0\u5173\u7cfb", "\u6ca1\u6709\u5173\u7cfb", "\u672a\u77e5", "\u5176\u4ed6", "\u5176\u5b83",
)  # fmt: skip


def type_of(label: str) -> str:
    """The label without its direction."""
    return DIRECTED.sub("", label)


def likely_nothing(labels: Sequence[str]) -> str | None:
    """The label that by its name says 'no relation'; None where none does, or several do."""
    found = [label for label in labels if label.strip().casefold() in NOTHING]
    return found[0] if len(found) == 1 else None


def relation_metrics(labels: Sequence[str], nothing: str | None) -> list[Metric]:
    """Headline (macro F1 by type, without 'no relation') first."""
    return [
        RelationMetric("relation_macro_f1", labels, nothing, _macro),
        *(RelationMetric(f"relation_{name}", labels, nothing, summed(ratio)) for name, ratio in RATIOS.items()),
        Accuracy(),
    ]


def _macro(hits: FloatArray, answers: FloatArray, gold: FloatArray) -> FloatArray:
    there = gold > 0
    return divide((f1(hits, answers, gold) * there).sum(-1), there.sum(-1).astype(np.float64))


class RelationMetric:
    """A metric of the hits, answers and gold relations of each type.

    Args:
        name: as in reports.
        labels: the label space.
        nothing: the label that says 'no relation', which is not counted.
        tally: (hits, answers, gold), each [..., S] -> [...].
    """

    def __init__(self, name: str, labels: Sequence[str], nothing: str | None, tally: Tally) -> None:
        self.name = name
        self.nothing = nothing
        self.tally = tally
        types = dict.fromkeys(type_of(label) for label in labels if label != nothing)
        self.slots = {each: index for index, each in enumerate(types)}

    def counts(self, prediction: ClassifyPrediction, record: RelateRecord) -> FloatArray:
        """Hits, answers and gold relations of the row, by type: [3 * S]."""
        counts = np.zeros((3, len(self.slots) + 1))
        answers, gold = (set(each) - {self.nothing} for each in (prediction.labels, record.labels or ()))
        for row, labels in enumerate((answers & gold, answers, gold)):
            for label in labels:
                counts[row, self.slots.get(type_of(label), len(self.slots))] += 1
        return counts.ravel()

    def value(self, total: FloatArray) -> FloatArray:
        return self.tally(*split_counts(total))


Triple = tuple[Found, Found, str]  # head, tail, relation
Graph = GraphPrediction | GraphRecord


def graph_metrics() -> list[Metric]:
    """Strict scores of what a pipeline finds: relations (headline) and the spans among which they are."""
    return [
        StrictGraph(f"strict_{part}_{name}", part, RATIOS[name]) for part in ("relation", "span") for name in RATIOS
    ]


class StrictGraph:
    """A ratio of relations that are right only with both spans' borders and labels; or of the spans themselves.

    Args:
        name: as in reports.
        part: 'relation' or 'span'.
        ratio: (hits, answers, gold) -> the metric.
    """

    def __init__(self, name: str, part: str, ratio: Tally) -> None:
        self.name = name
        self.read: Callable[[Graph], Sequence[object]] = _triples if part == "relation" else _spans
        self.ratio = ratio

    def counts(self, prediction: GraphPrediction, record: GraphRecord) -> FloatArray:
        """[hits, answers, gold] of the text."""
        answers, gold = Counter(self.read(prediction)), Counter(self.read(record))
        return np.array([(answers & gold).total(), answers.total(), gold.total()], dtype=np.float64)

    def value(self, total: FloatArray) -> FloatArray:
        return self.ratio(total[..., 0], total[..., 1], total[..., 2])


def _spans(graph: Graph) -> list[Found]:
    return [(span.start, span.end, span.label) for span in graph.spans or ()]


def _triples(graph: Graph) -> list[Triple]:
    spans = _spans(graph)
    return [(spans[each.head], spans[each.tail], each.label) for each in graph.relations]
