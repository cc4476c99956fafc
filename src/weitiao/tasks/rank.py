"""Rank: how well a text answers a query, both read together: the second stage of a search, behind `embed` or BM25.

Fields `query`, `text`, `label` become a `RankRecord`, one a text; the rows of a query share a group, so that they never
sit in two splits and are resampled together. Its one `Feature` goes through the head `score`, whose `logits` [1] become
a `RankPrediction`. Labels are learnt as shares of the highest training label, which stands in the label space.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from weitiao.errors import Problem
from weitiao.messages import _, ngettext
from weitiao.metrics import AnyMetric
from weitiao.recipe import Finding, Options, TrainingSpec
from weitiao.records import Feature, Outputs, RankPrediction, RankRecord
from weitiao.tasks import FieldSpec, LabelKind, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.pairs import CHUNK, places_of
from weitiao.tasks.regress import constant_scores
from weitiao.tasks.sharing import shared_with_train
from weitiao.tasks.steps import no_smoothing
from weitiao.tasks.values import digest, filled, number_of
from weitiao.text import Tokenizer

# fmt: off
QUERY = FieldSpec("query", required=True, aliases=(
    "query", "question", "query_text", "search", "text_a", "sentence1", "\u67e5\u8be2", "\u95ee\u9898", "\u95ee\u53e5",
))
TEXT = FieldSpec("text", required=True, aliases=(
    "text", "passage", "document", "doc", "candidate", "answer", "response", "content", "title", "text_b", "sentence2",
    "\u6587\u672c", "\u6bb5\u843d", "\u6587\u6863", "\u5019\u9009", "\u7b54\u6848", "\u56de\u7b54",
))
LABEL = FieldSpec("label", required=True, only_labelled=True, aliases=(
    "label", "relevance", "grade", "relevant", "score", "target",
    "\u6807\u7b7e", "\u76f8\u5173\u6027", "\u76f8\u5173\u5ea6",
))
# fmt: on


class RankOptions(Options):
    """What a recipe may say under `task: {name: rank, ...}`."""

    highest: float | None = Field(
        default=None, gt=0, description="the label of a perfect text; default: the highest of the training rows"
    )


class Rank(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "rank"
    options_model: ClassVar[type[RankOptions]] = RankOptions
    record: ClassVar[type[RankRecord]] = RankRecord
    prediction: ClassVar[type[RankPrediction]] = RankPrediction
    head: ClassVar[str] = "score"
    stock: ClassVar[str] = "AutoModelForSequenceClassification"
    hub: ClassVar[str] = "text-classification"
    labels_are: ClassVar[LabelKind] = "scale"
    pools: ClassVar[bool] = True
    fields: ClassVar[Sequence[FieldSpec]] = (QUERY, TEXT, LABEL)
    baselines: ClassVar[Sequence[str]] = ("bm25",)

    def __init__(self, options: RankOptions | None = None) -> None:
        self.options = options or RankOptions()

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> RankRecord:
        query, text = filled(fields.get("query"), "query"), filled(fields.get("text"), "text")
        label = number_of(fields.get("label"), "label")
        if labelled and label is None:
            raise RowFault(_("no label"))
        if label is not None and label < 0:
            raise RowFault(
                _("label '{label}' is below 0, which stands for a text that does not answer").format(label=label)
            )
        number = digest(query)
        return RankRecord(
            file=file, line=line, group=group or number, query=query, text=text, label=label, query_id=number
        )

    def surface(self, record: RankRecord) -> str:
        return f"{record.query}\n{record.text}"

    def answer(self, record: RankRecord) -> str:
        return "" if record.label is None else f"{record.label:g}"

    def label_space(self, records: Sequence[RankRecord]) -> Sequence[str]:
        highest = self.options.highest or max((record.label or 0.0 for record in records), default=0.0)
        short = f"{highest:g}"
        return [f"highest={short if float(short) == highest else repr(highest)}"] if highest else []

    def classes(self, labels: Sequence[str]) -> Sequence[str]:  # noqa: ARG002 - one number, whatever its scale
        return ("score",)

    def head_options(self) -> Mapping[str, Any]:
        return {"loss": "bce"}

    def audit(
        self,
        splits: Mapping[str, Sequence[RankRecord]],
        labels: Sequence[str],  # noqa: ARG002
    ) -> list[Problem]:
        train = splits.get("train", ())
        constant = constant_scores([(each.label, each.file, each.line) for each in train], "label")
        nothing = [each for split, records in splits.items() for each in _nothing_to_rank(split, records)]
        return [*constant, *nothing, *_shared_queries(splits)]

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        yield from no_smoothing(training, self.name)

    def encode(
        self, records: Sequence[RankRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        highest = float(labels[0].partition("=")[2])
        features = []
        for start in range(0, len(records), CHUNK):
            chunk = records[start : start + CHUNK]
            queries, texts = [record.query for record in chunk], [record.text for record in chunk]
            for group, each in enumerate(tokenizer.encode(queries, texts, max_length=max_length), start):
                target = _targets(records[group].label, highest)
                features.append(Feature(each.ids, each.types, target, group, each.cut, places_of(each)))
        return features

    def decode(
        self,
        record: RankRecord,  # noqa: ARG002
        features: Sequence[Feature],  # noqa: ARG002
        outputs: Sequence[Outputs],
        labels: Sequence[str],  # noqa: ARG002
        settings: Settings,  # noqa: ARG002
    ) -> RankPrediction:
        logit = float(outputs[0]["logits"][0])
        return RankPrediction(score=float(np.exp(-np.logaddexp(0.0, -logit))))

    def right(self, prediction: RankPrediction, record: RankRecord) -> None:
        """A text is put before others or behind them; alone it is neither right nor wrong."""

    def metrics(self, labels: Sequence[str]) -> Sequence[AnyMetric]:  # noqa: ARG002
        from weitiao.metrics.retrieval import ranking_metrics

        return ranking_metrics()


def _targets(label: float | None, highest: float) -> dict[str, npt.NDArray[np.generic]]:
    """{"score": []}, from 0 to 1."""
    return {} if label is None else {"score": np.asarray(min(label / highest, 1.0), dtype=np.float32)}


def _shared_queries(splits: Mapping[str, Sequence[RankRecord]]) -> Iterator[Problem]:
    """A warning where dev or test asks queries that train asks too: then a score says little of new queries."""
    for split, total, rows in shared_with_train(splits, lambda record: record.query):
        message = ngettext(
            "the query of {count} of {total} rows of {split} is asked in train too; keep the rows of a query in one "
            "split",
            "the queries of {count} of {total} rows of {split} are asked in train too; keep the rows of a query in one "
            "split",
            len(rows),
        ).format(count=len(rows), total=total, split=split)
        yield Problem("shared-queries", message, rows[0].file, rows[0].line, "warning", rows)


def _nothing_to_rank(split: str, records: Sequence[RankRecord]) -> Iterator[Problem]:
    """A warning where no query of a split that is measured has both a right and a wrong text."""
    queries: dict[str, set[bool]] = defaultdict(set)
    for record in records:
        queries[record.query_id].add(bool(record.label))
    if split != "train" and records and not any(len(kinds) == 2 for kinds in queries.values()):
        message = _(
            "no query of {split} has both a text that answers it and one that does not, so any order is right; "
            "give each query several texts"
        ).format(split=split)
        yield Problem("nothing-to-rank", message, file=records[0].file, line=records[0].line, severity="warning")
