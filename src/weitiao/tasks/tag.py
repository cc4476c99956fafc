"""Tag: spans in a text that do not overlap: named entities, words with their parts of speech, word borders.

Fields `text` and `spans`, or `tokens` and `tags` in any scheme, become a `TagRecord`; its units (Chinese characters,
words, signs, or the source's tokens) become one `Feature` or several windows, whose `logits` [T, C] are read by the
best allowed sequence of tags. Offsets are half-open and count characters of the untouched text.

Notation: U units, T tokens, C tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.metrics.spans import Scheme, may_follow, spans_of_tags, tag_names, tags_of_spans
from weitiao.recipe import Finding, TrainingSpec
from weitiao.records import Feature, FloatArray, FoundSpan, IntArray, Outputs, Span, TagPrediction, TagRecord
from weitiao.tasks import Settings
from weitiao.tasks.label_audit import audit_spans
from weitiao.tasks.marked import WORD, Marked, MarkedOptions, read_tags
from weitiao.tasks.sequences import best_tags, rules, tag_probabilities
from weitiao.tasks.spans import alignment_problems, fitting, span_label_counts, without_overlaps
from weitiao.tasks.units import Bounds, Encoded, UnitTokenizer
from weitiao.tasks.windows import OVERLAP, Window, tokens_of, windows
from weitiao.text import Tokenizer, Wrapping

IGNORED = -100  # target of a token that opens no unit


class TagOptions(MarkedOptions):
    """What a recipe may say under `task: {name: tag, ...}`."""

    learn: Literal["spans", "tokens", "borders"] = Field(
        default="spans",
        description="spans: what is marked, such as entities; tokens: every token of the source with its tag, such as "
        "parts of speech; borders: every token without its tag, such as word segmentation",
    )
    scheme: Scheme = Field(
        default="bio", description="tags that the model learns: bio, or bioes, which also marks ends and single units"
    )
    crf: bool = Field(
        default=False,
        description="a conditional random field over the tags: learns which follow which, loads through weitiao",
    )
    context: int = Field(
        default=0,
        ge=0,
        description="tokens of the same document (`data.fields.group`) read before and behind each text; 0 for none",
    )  # FLERT, Schweter & Akbik 2020, section 3.1: 64

    @model_validator(mode="after")
    def _tokens_are_labels(self) -> TagOptions:
        if self.learn == "borders" and self.labels is not None:
            raise ValueError(_("`labels` has no effect with `learn: borders`; remove it"))
        return self


class Tag(Marked):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "tag"
    options_model: ClassVar[type[TagOptions]] = TagOptions
    head: ClassVar[str] = "tag"
    stock: ClassVar[str] = "AutoModelForTokenClassification"
    hub: ClassVar[str] = "token-classification"
    decisive: ClassVar[Sequence[str]] = ("learn",)

    def __init__(self, options: TagOptions | None = None) -> None:
        self.options: TagOptions = options or TagOptions()
        self.neighbours = self.options.context > 0

    def _spans(
        self, text: str, tokens: tuple[Bounds, ...] | None, fields: Mapping[str, object]
    ) -> tuple[Span, ...] | None:
        learn, tags = self.options.learn, fields.get("tags")
        if learn == "borders":
            return None if tokens is None else tuple(Span(start=a, end=b, label=WORD) for a, b in tokens)
        if learn == "tokens" and tags is not None:
            named = zip(tokens or (), read_tags(tags, tokens), strict=True)
            return tuple(Span(start=a, end=b, label=tag or WORD) for (a, b), tag in named)
        return super()._spans(text, tokens, fields)

    def not_a_border(self, tag: str) -> str:
        return _(
            "tag '{tag}' does not say where a span begins (B-, I-, O, ...); for plain tags, set task.learn=tokens"
        ).format(tag=tag)

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return tag_names(labels, self.options.scheme)

    def head_options(self) -> Mapping[str, Any]:
        return {"crf": self.options.crf}

    def audit(self, splits: Mapping[str, Sequence[TagRecord]], labels: Sequence[str]) -> list[Problem]:
        counts = {split: span_label_counts(records) for split, records in splits.items()}
        found = audit_spans(counts, labels, fixed=self.options.labels is not None)
        return [*found, *alignment_problems(splits, self.units)]

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        if self.options.crf and training.label_smoothing:
            message = _("`training.label_smoothing` works only without `task.crf`; remove one of the two")
            yield Finding("misfit", ("training", "label_smoothing"), message)

    def encode(
        self, records: Sequence[TagRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        wrapping, units = tokenizer.wrapping(), [self.units(record) for record in records]
        texts = [(record.text, each) for record, each in zip(records, units, strict=True)]
        encoded = UnitTokenizer.of(tokenizer).encode_all(texts)
        room = max_length - len(wrapping)
        around = _Context(records, encoded, min(self.options.context, room // 4)) if self.options.context else None
        index = {tag: place for place, tag in enumerate(self.classes(labels))}
        features: list[Feature] = []
        for group, record in enumerate(records):
            tags = self._targets(record, units[group], index, labels)
            before, behind = around.of(group) if around else ((), ())
            own = room - len(before) - len(behind)
            for window in windows([len(ids) for ids, _first in encoded[group]], own, own // OVERLAP):
                cut = _Cut(window, encoded[group], before, behind, own)
                features.append(cut.feature(wrapping, tags, group, segments=tokenizer.segments))
        return features

    def _targets(
        self, record: TagRecord, units: Sequence[Bounds], index: Mapping[str, int], labels: Sequence[str]
    ) -> IntArray | None:
        """The tag of each unit, [U]; None where the gold is missing or the training rows lack one of its labels."""
        known = set(labels)
        if record.spans is None or any(span.label not in known for span in record.spans):
            return None
        found = fitting(without_overlaps(record.spans), units)
        return np.array([index[tag] for tag in tags_of_spans(found, len(units), self.options.scheme)], dtype=np.int64)

    def decode(
        self,
        record: TagRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,  # noqa: ARG002
    ) -> TagPrediction:
        units, tags = self.units(record), self.classes(labels)
        emissions = np.zeros((len(units), len(tags)))  # [U, C]
        for feature, output in zip(features, outputs, strict=True):
            emissions[feature.places["units"]] = output["logits"][feature.places["tokens"]]
        learnt = np.asarray(outputs[0]["transitions"], dtype=np.float64) if self.options.crf else None
        probabilities = tag_probabilities(emissions, learnt)  # [U, C]
        scores = emissions if learnt is not None else np.log(np.maximum(probabilities, 1e-30))
        chosen = best_tags(scores, _rules_of(tuple(tags)) if learnt is None else learnt)  # [U]
        sure = probabilities[np.arange(len(units)), chosen]  # [U]
        return TagPrediction(
            spans=tuple(
                _found(record.text, units[a][0], units[b - 1][1], label, sure[a:b])
                for a, b, label in spans_of_tags(tags[tag] for tag in chosen)
            )
        )


def _found(text: str, start: int, end: int, label: str, sure: FloatArray) -> FoundSpan:
    return FoundSpan(start=start, end=end, label=label, text=text[start:end], confidence=float(sure.mean()))


@lru_cache(maxsize=16)
def _rules_of(tags: tuple[str, ...]) -> FloatArray:
    """Which tag may stand behind which, as scores, [C + 1, C + 1]: the same for every text of a model."""
    scores = rules(may_follow(tags))
    scores.flags.writeable = False
    return scores


class _Cut:
    """One window of a record on its way to a Feature."""

    def __init__(
        self, window: Window, encoded: Encoded, before: Sequence[int], behind: Sequence[int], room: int
    ) -> None:
        self.window, self.encoded, self.before, self.behind = window, encoded, before, behind
        self.ids, self.opening, self.lost = tokens_of(window, encoded, room)

    def feature(self, wrapping: Wrapping, tags: IntArray | None, group: int, *, segments: bool) -> Feature:
        """The Feature; its `places` say which unit stands where, and which `ends` are the text's own, not cuts."""
        ids, types = wrapping.wrap([*self.before, *self.ids, *self.behind])
        window, shift = self.window, len(wrapping.before) + len(self.before)
        own = slice(window.first - window.start, window.last - window.start)
        tokens = np.minimum(np.array(self.opening[own], dtype=np.int64) + shift, len(ids) - 1)  # [U]
        targets = {}
        if tags is not None:
            labels = np.full(len(ids), IGNORED, dtype=np.int64)  # [T]
            labels[tokens] = tags[window.first : window.last]
            targets["labels"] = labels
        ends = np.array([window.first == 0, window.last == len(self.encoded)], dtype=np.int64)  # [2]
        places = {"tokens": tokens, "units": np.arange(window.first, window.last), "ends": ends}
        return Feature(ids, types if segments else None, targets, group, self.lost, places)


class _Context:
    """The tokens around each record, of its neighbours in the same document."""

    def __init__(self, records: Sequence[TagRecord], encoded: Sequence[Encoded], width: int) -> None:
        self.width = width
        self.ids = [[token for ids, _first in each for token in ids] for each in encoded]
        self.before: dict[int, list[int]] = {}
        self.behind: dict[int, list[int]] = {}
        documents: dict[tuple[str, str], list[int]] = {}
        for index, record in enumerate(records):
            if record.group:
                documents.setdefault((record.file, record.group), []).append(index)
        for members in documents.values():
            members.sort(key=lambda index: records[index].line)
            for place, index in enumerate(members):
                self.before[index] = self._gathered(members[:place][::-1], backwards=True)
                self.behind[index] = self._gathered(members[place + 1 :], backwards=False)

    def of(self, index: int) -> tuple[Sequence[int], Sequence[int]]:
        """(tokens before, tokens behind)."""
        return self.before.get(index, ()), self.behind.get(index, ())

    def _gathered(self, neighbours: Sequence[int], *, backwards: bool) -> list[int]:
        found: list[int] = []
        for index in neighbours:
            if len(found) >= self.width:
                break
            found = [*self.ids[index], *found] if backwards else [*found, *self.ids[index]]
        return found[-self.width :] if backwards else found[: self.width]
