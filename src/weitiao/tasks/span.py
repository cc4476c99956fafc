"""Span: spans in a text that may be nested or overlap: entities within entities, or one piece with several labels.

Rows are those of `tag`. Each pair of units (Chinese characters, words, signs, or the source's tokens) is scored as
first and last unit of a span of each label by the head `span`, which keeps the best as `spans` [K, 4]; those above one
threshold, calibrated on dev, are the answer. Offsets are half-open and count characters of the untouched text.

Notation: U units, K candidates, G gold spans, N candidates of a text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from weitiao.errors import Problem
from weitiao.recipe import Finding, TrainingSpec
from weitiao.records import Feature, FoundSpan, IntArray, Outputs, TagPrediction, TagRecord
from weitiao.tasks import Settings
from weitiao.tasks.classify import HALF
from weitiao.tasks.label_audit import audit_spans
from weitiao.tasks.marked import Marked, MarkedOptions
from weitiao.tasks.pointers import (
    calibrated,
    candidates,
    features_of,
    marks_of,
    probability,
    readings,
    span_keys,
    without_smoothing,
)
from weitiao.tasks.spans import covering, misalignment_problems, span_label_counts, width_problems
from weitiao.tasks.units import Bounds
from weitiao.text import Tokenizer


class SpanOptions(MarkedOptions):
    """What a recipe may say under `task: {name: span, ...}`."""

    max_width: int | None = Field(
        default=None, ge=1, description="most units of a span; default: any number. Fewer are faster on long texts"
    )
    size: int = Field(
        default=64, ge=2, multiple_of=2, description="width of the vectors by which first and last units are compared"
    )  # Su et al. 2022 (arXiv 2208.03054), settings of the experiments
    threshold: float | None = Field(
        default=None, gt=0, lt=1, description="probability from which a span holds; default: tuned on dev"
    )


class SpanTask(Marked):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "span"
    options_model: ClassVar[type[SpanOptions]] = SpanOptions
    head: ClassVar[str] = "span"
    stock: ClassVar[str] = ""
    overlaps: ClassVar[bool] = True

    def __init__(self, options: SpanOptions | None = None) -> None:
        self.options: SpanOptions = options or SpanOptions()

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return labels

    def head_options(self) -> Mapping[str, Any]:
        return {"size": self.options.size, "max_width": self.options.max_width}

    def audit(self, splits: Mapping[str, Sequence[TagRecord]], labels: Sequence[str]) -> list[Problem]:
        counts = {split: span_label_counts(records) for split, records in splits.items()}
        found = audit_spans(counts, labels, fixed=self.options.labels is not None)
        for split, records in splits.items():
            texts = [(record, record.spans or (), self.units(record)) for record in records]
            found += misalignment_problems(split, texts)
            if self.options.max_width is not None:
                found += width_problems(split, texts, self.options.max_width)
        return found

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        return without_smoothing(training, self.name)

    def encode(
        self, records: Sequence[TagRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        units = [self.units(record) for record in records]
        texts = [(record.text, each) for record, each in zip(records, units, strict=True)]
        index = {label: place for place, label in enumerate(labels)}
        features: list[Feature] = []
        for group, windows in enumerate(readings(texts, tokenizer, max_length)):
            features += features_of(group, windows, self._marks(records[group], units[group], index))
        return features

    def _marks(self, record: TagRecord, units: Sequence[Bounds], index: Mapping[str, int]) -> IntArray | None:
        """The gold spans, [G, 3]; None where they are missing or the training rows lack one of their labels."""
        if record.spans is None or any(span.label not in index for span in record.spans):
            return None
        widest = self.options.max_width or len(units)
        found = covering(record.spans, units)
        return marks_of((each for each in found if each[1] - each[0] <= widest), index)

    def decode(
        self,
        record: TagRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> TagPrediction:
        units = self.units(record)
        threshold = self.options.threshold or settings.get("threshold", HALF)
        every = np.concatenate(candidates(features, outputs, len(units)))  # [N, 4]
        chosen = every[probability(every[:, 3]) >= threshold]
        found = [
            (units[int(first)][0], units[int(last)][1], labels[int(label)], float(sure))
            for (first, last, label, _score), sure in zip(chosen, probability(chosen[:, 3]), strict=True)
        ]
        return TagPrediction(
            spans=tuple(
                FoundSpan(start=start, end=end, label=label, text=record.text[start:end], confidence=sure)
                for start, end, label, sure in sorted(found)
            )
        )

    def calibrate(
        self,
        records: Sequence[TagRecord],
        features: Sequence[Sequence[Feature]],
        outputs: Sequence[Sequence[Outputs]],
        labels: Sequence[str],
    ) -> Settings:
        """The threshold of all spans that gives the best F1 on dev."""
        if self.options.threshold is not None:
            return {}
        index = {label: place for place, label in enumerate(labels)}
        texts = []
        for record, own, said in zip(records, features, outputs, strict=True):
            if record.spans is None:
                continue
            units = self.units(record)
            every = np.concatenate(candidates(own, said, len(units)))  # [N, 4]
            texts.append((every, span_keys(record.spans, units, index)))
        return {"threshold": calibrated(texts)}
