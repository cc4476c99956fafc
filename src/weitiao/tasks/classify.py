"""Classify: one label (or several) for a text, or for a pair of texts.

Fields `text`, `text_pair`, `label` become a `ClassifyRecord`; its one `Feature` goes through the head `classify`, whose
`logits` [C] become a `ClassifyPrediction`. The label space comes from the training rows only, so a label that only dev
or test has stays in the record, trains nothing and counts as wrong. Notation: T tokens, C classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.metrics import Metric
from weitiao.recipe import Finding, Options, TrainingSpec
from weitiao.records import ClassifyPrediction, ClassifyRecord, Feature, FloatArray, Outputs
from weitiao.tasks import FieldSpec, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.label_audit import LabelCounts, audit_labels, unanswerable
from weitiao.tasks.labels import SEPARATOR, in_natural_order
from weitiao.tasks.pairs import encoded, mixed_pairs, places_of
from weitiao.tasks.values import filled, text_of, texts_of
from weitiao.text import Tokenizer

HALF = 0.5  # threshold of a label about which dev says nothing

# fmt: off
TEXT = FieldSpec("text", required=True, aliases=(
    "text", "text_a", "text1", "sentence1", "sentence_a", "premise", "question1", "query1",
    "sentence", "review", "comment", "content", "body", "message", "utterance", "query", "question", "tweet",
    "document", "title", "headline",
    "文本", "文本1", "文本内容", "评论", "评论内容", "用户评论", "评价内容", "用户评价", "反馈内容", "留言", "留言内容",
    "咨询内容", "投诉内容", "问题描述", "问题内容", "微博正文", "微博内容", "新闻内容", "文章内容", "正文", "正文内容",
    "内容", "句子", "句子1", "问题", "评价", "标题",
))
TEXT_PAIR = FieldSpec("text_pair", required=False, aliases=(
    "text_pair", "text_b", "text2", "sentence2", "sentence_b", "hypothesis", "question2", "query2", "文本2", "句子2",
))
LABEL = FieldSpec("label", required=True, only_labelled=True, aliases=(
    "label", "labels", "category", "categories", "class", "intent", "sentiment", "topic", "target", "tag", "tags",
    "stars", "rating",
    "标签", "类别标签", "分类标签", "情感标签", "意图标签", "类别", "新闻类别", "文章类别", "意图类别", "分类",
    "一级分类", "类目", "情感", "情感极性", "情感倾向", "情感分类", "意图", "主题", "评分", "问题类型", "类型",
))
# fmt: on


class ClassifyOptions(Options):
    """What a recipe may say under `task: {name: classify, ...}`."""

    labels: tuple[str, ...] | None = Field(
        default=None,
        strict=False,
        min_length=2,
        description="the labels, in order; default: those of the training rows, in natural order",
    )
    multi_label: bool = Field(
        default=False, description="whether a text may have several labels, or none (written `[]`)"
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        description="what stands between labels of a multi-label cell; default ','; JSON lists also work",
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="probability from which a multi-label answer holds; default: tuned on dev per label",
    )
    abstain_below: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="give no answer when the probability of the most likely label is below this",
    )
    class_weights: Literal["none", "balanced"] | dict[str, Annotated[float, Field(gt=0)]] = Field(
        default="none",
        description="weight of each label in the loss: none, balanced (by rarity), or a mapping label -> weight",
    )

    @field_validator("labels", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """YAML reads `labels: [0, 1]` as numbers; the data's labels are text."""
        return [text_of(each) for each in value] if isinstance(value, list | tuple) else value

    @field_validator("labels")
    @classmethod
    def _distinct(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        twice = [label for label, count in Counter(value or ()).items() if count > 1]
        if twice:
            raise ValueError(_("'{label}' is listed twice").format(label=twice[0]))
        return value

    @model_validator(mode="after")
    def _only_for_multi_label(self) -> ClassifyOptions:
        for name in ("separator", "threshold"):
            if getattr(self, name) is not None and not self.multi_label:
                raise ValueError(_("`{name}` works only with `multi_label: true`").format(name=name))
        if self.multi_label and self.abstain_below is not None:
            raise ValueError(_("`abstain_below` works only with one label a text; several have thresholds"))
        return self


class Classify(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "classify"
    options_model: ClassVar[type[ClassifyOptions]] = ClassifyOptions
    record: ClassVar[type[ClassifyRecord]] = ClassifyRecord
    prediction: ClassVar[type[ClassifyPrediction]] = ClassifyPrediction
    head: ClassVar[str] = "classify"
    stock: ClassVar[str] = "AutoModelForSequenceClassification"
    hub: ClassVar[str] = "text-classification"
    decisive: ClassVar[Sequence[str]] = ("multi_label",)
    pools: ClassVar[bool] = True
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, TEXT_PAIR, LABEL)
    baselines: ClassVar[Sequence[str]] = ("majority", "tfidf")

    def __init__(self, options: ClassifyOptions | None = None) -> None:
        self.options = options or ClassifyOptions()
        self._separator = (self.options.separator or SEPARATOR) if self.options.multi_label else ""  # empty: one label

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> ClassifyRecord:
        text = filled(fields.get("text"), "text")
        pair = filled(fields["text_pair"], "text_pair") if "text_pair" in fields else None
        labels = self._labels(fields.get("label"))
        if labelled and labels is None:
            raise RowFault(_("no label"))
        return ClassifyRecord(file=file, line=line, group=group, text=text, text_pair=pair, labels=labels)

    def _labels(self, value: object) -> tuple[str, ...] | None:
        """The labels of a cell; None where it is empty."""
        several = self.options.multi_label
        named = texts_of(value, separator=self._separator or None)
        if named is not None and several:
            return tuple(dict.fromkeys(named))
        if not named:
            return None
        if len(named) != 1:
            raise RowFault(
                _("{count} labels where one is expected (for several, set `multi_label: true`)").format(
                    count=len(named)
                )
            )
        return (named[0],)

    def surface(self, record: ClassifyRecord) -> str:
        return record.surface

    def answer(self, record: ClassifyRecord) -> str:
        return " | ".join(sorted(record.labels or ()))

    def label_space(self, records: Sequence[ClassifyRecord]) -> Sequence[str]:
        if self.options.labels is not None:
            return list(self.options.labels)
        return in_natural_order(label for record in records for label in record.labels or ())

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return labels

    def head_options(self) -> Mapping[str, Any]:
        return {"multi_label": self.options.multi_label}

    def audit(self, splits: Mapping[str, Sequence[ClassifyRecord]], labels: Sequence[str]) -> list[Problem]:
        counts = {split: _counts(records) for split, records in splits.items()}
        weights = self.options.class_weights
        return mixed_pairs(splits) + audit_labels(
            counts,
            labels,
            fixed=self.options.labels is not None,
            separator=self._separator,
            weighted=list(weights) if isinstance(weights, dict) else [],
        )

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        if training.label_smoothing and self.options.multi_label:
            message = _("`training.label_smoothing` works only with one label a text; remove it, or `multi_label`")
            yield Finding("misfit", ("training", "label_smoothing"), message)

    def unanswerable(self, records: Sequence[ClassifyRecord], labels: Sequence[str]) -> list[Problem]:
        return unanswerable(_counts(records), labels)

    def encode(
        self, records: Sequence[ClassifyRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        index = {label: position for position, label in enumerate(labels)}
        targets = {gold: self._targets(gold, index) for gold in {record.labels for record in records}}
        return [
            Feature(each.ids, each.types, targets[records[group].labels], group, each.cut, places_of(each))
            for group, each in enumerate(encoded(records, tokenizer, max_length))
        ]

    def _targets(self, gold: tuple[str, ...] | None, index: Mapping[str, int]) -> dict[str, npt.NDArray[np.generic]]:
        """{"labels": [] or [C]}; nothing where the gold is missing or the training rows lack it."""
        if gold is None or any(label not in index for label in gold):
            return {}
        if not self.options.multi_label:
            return {"labels": np.asarray(index[gold[0]], dtype=np.int64)}  # []
        hot = np.zeros(len(index), dtype=np.float32)  # [C]
        hot[[index[label] for label in gold]] = 1.0
        return {"labels": hot}

    def decode(
        self,
        record: ClassifyRecord,  # noqa: ARG002  (other tasks need the text to answer)
        features: Sequence[Feature],  # noqa: ARG002  (and where in the tokens it stands)
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> ClassifyPrediction:
        scores = self._probabilities(outputs[0])  # [C]
        best = int(scores.argmax())
        confidence = float(scores[best])
        abstained = self.options.abstain_below is not None and confidence < self.options.abstain_below
        answer = () if abstained else self._answer(scores, best, labels, settings)
        return ClassifyPrediction.model_construct(
            labels=answer,
            confidence=confidence,
            scores=dict(zip(labels, scores.tolist(), strict=True)),
            abstained=abstained,
        )

    def _answer(self, scores: FloatArray, best: int, labels: Sequence[str], settings: Settings) -> tuple[str, ...]:
        if not self.options.multi_label:
            return (labels[best],)
        thresholds: Mapping[str, float] = settings.get("thresholds", {})
        default = self.options.threshold or HALF
        return tuple(
            label for label, score in zip(labels, scores, strict=True) if score >= thresholds.get(label, default)
        )

    def _probabilities(self, outputs: Outputs) -> FloatArray:
        """Of each label, [C]."""
        return probabilities(outputs["logits"], several=self.options.multi_label)

    def calibrate(
        self,
        records: Sequence[ClassifyRecord],
        features: Sequence[Sequence[Feature]],  # noqa: ARG002
        outputs: Sequence[Sequence[Outputs]],
        labels: Sequence[str],
    ) -> Settings:
        """Multi-label: the threshold of each label that gives its best F1 on dev. Single-label: nothing."""
        if not self.options.multi_label or self.options.threshold is not None:
            return {}
        known = [
            (record.labels, each[0]) for record, each in zip(records, outputs, strict=True) if record.labels is not None
        ]
        if not known:
            return {}
        scores = np.stack([self._probabilities(each) for _gold, each in known])  # [N, C]
        gold = np.array([[label in each for label in labels] for each, _outputs in known], dtype=bool)  # [N, C]
        return {
            "thresholds": {label: best_threshold(scores[:, c], gold[:, c]) for c, label in enumerate(labels)},
        }

    def right(self, prediction: ClassifyPrediction, record: ClassifyRecord) -> bool:
        return set(prediction.labels) == set(record.labels or ())

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:
        from weitiao.metrics.classification import multi_label_metrics, single_label_metrics

        return multi_label_metrics(labels) if self.options.multi_label else single_label_metrics(labels)

    def targets(self, records: Sequence[ClassifyRecord], labels: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        """{"class_weights": [C]}: of each class, or, multi-label, of a positive against its negatives."""
        weights = self.options.class_weights
        if weights == "none":
            return {}
        if isinstance(weights, dict):
            return {"class_weights": np.array([weights.get(label, 1.0) for label in labels], dtype=np.float32)}  # [C]
        counts = Counter(label for record in records for label in record.labels or ())
        rows = np.array([max(counts[label], 1) for label in labels], dtype=np.float64)  # [C]
        # single: rows / (C * rows of the class), King & Zeng 2001; multi-label: negatives / positives
        balanced = (len(records) - rows) / rows if self.options.multi_label else rows.sum() / (len(labels) * rows)
        return {"class_weights": balanced.astype(np.float32)}


def probabilities(logits: FloatArray, *, several: bool) -> FloatArray:
    """Softmax, or where several labels may hold a sigmoid each, in float64, [C]."""
    logits = np.asarray(logits, dtype=np.float64)  # [C]
    if several:
        return np.exp(-np.logaddexp(0.0, -logits))
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()  # type: ignore[no-any-return]


def best_threshold(scores: FloatArray, gold: npt.NDArray[np.bool_]) -> float:
    """The cut with the best F1, half-way between two scores; of equals the one nearest to 0.5.

    Args:
        scores: probability of one label, [N].
        gold: whether the label holds, [N].
    """
    if not gold.any():
        return HALF
    order = np.argsort(-scores, kind="stable")  # [N]
    ranked, hits = scores[order], np.cumsum(gold[order])  # [N]
    f1 = 2 * hits / (np.arange(1, len(ranked) + 1) + gold.sum())  # [N], of answering yes to the first 1, 2, ... N
    below = np.append(ranked[1:], 0.0)  # [N]
    cuts = (ranked + below) / 2
    possible = (ranked > below) & (cuts > below)  # equal scores cannot be parted
    f1 = np.where(possible, f1, -1.0)
    ties = np.flatnonzero(f1 >= f1.max() - 1e-12)
    return float(cuts[ties[np.abs(cuts[ties] - HALF).argmin()]])


def _counts(records: Sequence[ClassifyRecord]) -> LabelCounts:
    return LabelCounts.of((record.labels or (), record.file, record.line) for record in records)
