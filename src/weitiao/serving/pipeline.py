"""Two fitted models as one that answers: spans by the first, relations among the found spans by the second.

    pipeline = weitiao.Pipeline(["runs/entities", "runs/relations"])
    pipeline.predict(["..."])            # spans, and relations among them by their places

Every ordered pair of spans is asked about; where the labels of the second model say their direction themselves
('Cause-Effect(e2,e1)'), it learnt pairs in the order of the text, and each is asked about once, in that order. What it
calls 'no relation' is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.metrics.relations import DIRECTED, graph_metrics
from weitiao.records import (
    ClassifyPrediction,
    FoundRelation,
    FoundSpan,
    GraphPrediction,
    GraphRecord,
    RelateRecord,
    TagPrediction,
    TagRecord,
)
from weitiao.serving.graphs import read_graphs
from weitiao.serving.predictor import Input, Predictor
from weitiao.tasks.graphs import distance

Pair = tuple[int, int]  # places of head and tail among the spans


class Pipeline:
    """A model that finds spans and one that relates them, with `predict` as either has it.

    Args:
        runs: two of them, in that order: run folders, runs or predictors.
        max_distance: characters between two spans up to which they are asked about; None for any.

    Raises:
        Refused: they are not a finder of spans and a `relate`.
    """

    def __init__(self, runs: Sequence[Any], *, max_distance: int | None = None) -> None:
        loaded = [_predictor(run) for run in runs]
        kinds = [each.task.name for each in loaded]
        if len(loaded) != 2 or not issubclass(loaded[0].task.prediction, TagPrediction) or kinds[1] != "relate":
            raise Refused(
                _("expected a run that finds spans and a run of the task relate; got: {kinds}").format(
                    kinds=", ".join(kinds) or _("none")
                )
            )
        self.spans, self.relations = loaded
        self.max_distance = max_distance
        self.nothing: str | None = self.relations.task.nothing(self.relations.labels)
        self.directed = any(DIRECTED.search(label) for label in self.relations.labels)

    def predict(self, inputs: Iterable[Input]) -> list[GraphPrediction]:
        """Spans and relations of each input, in order; an input is what the first model takes, or a `GraphRecord`."""
        records: list[Any] = self.spans.records(_bare(each) for each in inputs)
        found: list[Any] = self.spans.predict(records)
        pairs = [self._pairs(each.spans) for each in found]
        asked = [
            _question(record.text, each.spans, pair)
            for record, each, own in zip(records, found, pairs, strict=True)
            for pair in own
        ]
        answers: list[Any] = self.relations.predict(asked)
        graphs, start = [], 0
        for each, own in zip(found, pairs, strict=True):
            said = zip(own, answers[start : start + len(own)], strict=True)
            relations = tuple(_relation(pair, answer) for pair, answer in said if answer.labels != (self.nothing,))
            graphs.append(GraphPrediction(spans=each.spans, relations=relations))
            start += len(own)
        return graphs

    def _pairs(self, spans: Sequence[FoundSpan]) -> list[Pair]:
        """The pairs to ask about; spans stand in the order of the text."""
        places = range(len(spans))
        every = combinations(places, 2) if self.directed else permutations(places, 2)
        limit = self.max_distance
        return [(a, b) for a, b in every if limit is None or distance(spans[a], spans[b]) <= limit]

    def score(self, gold: Sequence[GraphRecord] | str | Path) -> Mapping[str, float]:
        """Strict scores of the whole chain: a relation is right only with the borders and labels of both spans.

        Args:
            gold: records, or a file of texts with `spans` and `relations`, such as an export of an annotation tool.

        Raises:
            ProblemsFound: the file, or a row of it, cannot be used.
        """
        records = read_graphs(str(gold)) if isinstance(gold, str | Path) else gold
        predictions = self.predict(records)
        return {
            metric.name: float(
                metric.value(np.sum([metric.counts(*pair) for pair in zip(predictions, records, strict=True)], axis=0))
            )
            for metric in graph_metrics()
        }


def _predictor(run: Any) -> Predictor:
    """The predictor of a run folder, of a `Run`, or itself."""
    if isinstance(run, Predictor):
        return run
    found = getattr(run, "predictor", None)
    return found if isinstance(found, Predictor) else Predictor.load(Path(run))


def _bare(value: Input) -> Input:
    """A record without gold relations, as the first model takes it."""
    if not isinstance(value, GraphRecord):
        return value
    return TagRecord(
        file=value.file, line=value.line, group=value.group, text=value.text, spans=value.spans, tokens=value.tokens
    )


def _question(text: str, spans: Sequence[FoundSpan], pair: Pair) -> RelateRecord:
    head, tail = (spans[place].bounds for place in pair)
    return RelateRecord(file="", line=0, group="", text=text, head=head, tail=tail, labels=None, guessed=False)


def _relation(pair: Pair, answer: ClassifyPrediction) -> FoundRelation:
    return FoundRelation(head=pair[0], tail=pair[1], label=answer.labels[0], confidence=answer.confidence)
