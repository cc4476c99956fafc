"""Regress: a number about a text or a pair of texts: similarity, relatedness, a rating, the strength of a feeling.

Fields `text`, `text_pair`, `score` become a `RegressRecord`; its one `Feature` goes through the head `score`, whose
`logits` [1] become a `RegressPrediction`. The model learns scores less the mean of the training rows, over their
standard deviation; the two stand in the label space, and answers are in the data's own units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.metrics import AnyMetric
from weitiao.recipe import Finding, Options, TrainingSpec
from weitiao.records import Feature, Outputs, RegressPrediction, RegressRecord
from weitiao.tasks import FieldSpec, LabelKind, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.classify import TEXT, TEXT_PAIR
from weitiao.tasks.pairs import encoded, mixed_pairs, places_of
from weitiao.tasks.steps import no_smoothing, whole_steps
from weitiao.tasks.values import filled, number_of
from weitiao.text import Tokenizer

# fmt: off
SCORE = FieldSpec("score", required=True, only_labelled=True, aliases=(
    "score", "similarity", "similarity_score", "relatedness", "sentiment_score", "rating", "stars", "value", "target",
    "label", "labels",
    "得分", "分数", "评分", "打分", "相似度", "标签",
))
# fmt: on


class RegressOptions(Options):
    """What a recipe may say under `task: {name: regress, ...}`."""

    loss: Literal["mse", "ranking"] = Field(
        default="mse",
        description="mse: squared error; ranking: squared error, and of each two rows of a step whether the higher one "
        "is put higher (Burges et al. 2005), where the order counts more than the number",
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """Mean and standard deviation of the training scores, as the label space holds them."""

    mean: float
    sd: float

    @classmethod
    def of(cls, labels: Sequence[str]) -> Scale:
        """From `["mean=...", "sd=..."]`."""
        mean, sd = (float(label.partition("=")[2]) for label in labels)
        return cls(mean, sd)

    def labels(self) -> list[str]:
        """As strings that `of` reads back exactly."""
        return [f"mean={self.mean!r}", f"sd={self.sd!r}"]


def scale_of(scores: Sequence[float]) -> Scale:
    """Mean and standard deviation, the same in any order of the scores; 1 where they are all equal."""
    mean = math.fsum(scores) / len(scores)
    sd = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / len(scores))
    return Scale(mean, sd or 1.0)


class Regress(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "regress"
    options_model: ClassVar[type[RegressOptions]] = RegressOptions
    record: ClassVar[type[RegressRecord]] = RegressRecord
    prediction: ClassVar[type[RegressPrediction]] = RegressPrediction
    head: ClassVar[str] = "score"
    stock: ClassVar[str] = "AutoModelForSequenceClassification"
    hub: ClassVar[str] = "text-classification"
    labels_are: ClassVar[LabelKind] = "scale"
    pools: ClassVar[bool] = True
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, TEXT_PAIR, SCORE)
    baselines: ClassVar[Sequence[str]] = ("mean", "tfidf_score")

    def __init__(self, options: RegressOptions | None = None) -> None:
        self.options = options or RegressOptions()

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> RegressRecord:
        text = filled(fields.get("text"), "text")
        pair = filled(fields["text_pair"], "text_pair") if "text_pair" in fields else None
        score = number_of(fields.get("score"), "score")
        if labelled and score is None:
            raise RowFault(_("no score"))
        return RegressRecord(file=file, line=line, group=group, text=text, text_pair=pair, score=score)

    def surface(self, record: RegressRecord) -> str:
        return record.surface

    def answer(self, record: RegressRecord) -> str:
        return "" if record.score is None else f"{record.score:.6g}"

    def label_space(self, records: Sequence[RegressRecord]) -> Sequence[str]:
        scores = [record.score for record in records if record.score is not None]
        return scale_of(scores).labels() if scores else []

    def classes(self, labels: Sequence[str]) -> Sequence[str]:  # noqa: ARG002 - one number, whatever its scale
        return ("score",)

    def head_options(self) -> Mapping[str, Any]:
        return {"loss": self.options.loss}

    def audit(
        self,
        splits: Mapping[str, Sequence[RegressRecord]],
        labels: Sequence[str],  # noqa: ARG002
    ) -> list[Problem]:
        train = splits.get("train", ())
        return [*mixed_pairs(splits), *constant_scores([(each.score, each.file, each.line) for each in train])]

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        yield from no_smoothing(training, self.name)
        if self.options.loss == "ranking":
            yield from whole_steps(training, "ranking")

    def encode(
        self, records: Sequence[RegressRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        scale = Scale.of(labels)
        return [
            Feature(each.ids, each.types, _targets(records[group].score, scale), group, each.cut, places_of(each))
            for group, each in enumerate(encoded(records, tokenizer, max_length))
        ]

    def decode(
        self,
        record: RegressRecord,  # noqa: ARG002
        features: Sequence[Feature],  # noqa: ARG002
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,  # noqa: ARG002
    ) -> RegressPrediction:
        scale = Scale.of(labels)
        return RegressPrediction(score=float(outputs[0]["logits"][0]) * scale.sd + scale.mean)

    def right(self, prediction: RegressPrediction, record: RegressRecord) -> None:
        """A number is near or far, not right or wrong."""

    def metrics(self, labels: Sequence[str]) -> Sequence[AnyMetric]:  # noqa: ARG002
        from weitiao.metrics.correlation import number_metrics

        return number_metrics(answer_and_gold)


def answer_and_gold(prediction: RegressPrediction, record: RegressRecord) -> tuple[float, float] | None:
    """(answer, gold); None where there is no gold score."""
    return None if record.score is None else (prediction.score, record.score)


def _targets(score: float | None, scale: Scale) -> dict[str, npt.NDArray[np.generic]]:
    """{"score": []}, on the scale that the model learns."""
    return {} if score is None else {"score": np.asarray((score - scale.mean) / scale.sd, dtype=np.float32)}


def constant_scores(train: Sequence[tuple[float | None, str, int]], field: str = "score") -> Iterator[Problem]:
    """An error where every training row has the same score, given with its place; `field` is where rows have it."""
    known = [each for each in train if each[0] is not None]
    if known and len({score for score, _file, _line in known}) == 1:
        score, file, line = known[0]
        message = _(
            "every training row has the {field} {score}, so there is nothing to learn; check `data.fields`"
        ).format(field=field, score=f"{score:g}")
        yield Problem("constant-score", message, file=file, line=line)
