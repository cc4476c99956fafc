"""Intent and slots: what someone wants, and the spans of the text that say of what (JointBERT, Chen et al. 2019).

Fields `text` or `tokens`, `spans` or `tags` (as in `tag`; a row without any has no slots) and `intent` become an
`IntentSlotRecord`; the head `intent_slot` puts out `intents` [I] a feature and tags as `logits` [T, C]. Whether an
utterance may have several intents is told by the training rows, and kept in the label space: 'intent:x' or 'intents:x',
'slot:y'. Out of scope is a class like others where train has it, and besides what falls below a confidence found on
dev. Notation: N rows, T tokens, I intents, C tags.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.metrics import Metric
from weitiao.metrics.intents import SLOT, IntentSlotLabels, intent_slot_metrics, whole
from weitiao.metrics.spans import Scheme
from weitiao.records import Feature, FloatArray, IntentSlotPrediction, IntentSlotRecord, Outputs
from weitiao.tasks import FieldSpec, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.classify import HALF, best_threshold, probabilities
from weitiao.tasks.label_audit import LabelCounts, audit_spans, unanswerable
from weitiao.tasks.labels import in_natural_order, suggestion
from weitiao.tasks.marked import TAGS, TEXT, TOKENS, UnitOptions
from weitiao.tasks.spans import alignment_problems, span_label_counts
from weitiao.tasks.tag import Tag, TagOptions
from weitiao.tasks.units import Bounds
from weitiao.tasks.values import texts_of
from weitiao.text import Tokenizer

BELOW = "out_of_scope_below"  # what dev tells

# fmt: off
UTTERANCE = replace(TEXT, aliases=(
    "text", "utterance", "query", "sentence", "content", "文本", "句子", "内容",
))
SLOTS = FieldSpec("spans", required=False, only_labelled=True, aliases=(
    "spans", "slots", "entities", "槽位", "实体",
))
INTENT = FieldSpec("intent", required=True, only_labelled=True, aliases=(
    "intent", "intents", "label", "labels", "category", "意图", "意图标签", "类别",
))
# fmt: on


class IntentSlotOptions(UnitOptions):
    """What a recipe may say under `task: {name: intent_slot, ...}`."""

    separator: str = Field(default="#", min_length=1, description="what stands between several intents of one cell")
    multi_intent: Literal["auto"] | bool = Field(
        default="auto",
        description="whether an utterance may have several intents; auto: where a training row has; false: a cell is "
        "one intent, separator and all",
    )
    out_of_scope: str | None = Field(
        default=None,
        min_length=1,
        description="the intent that says 'none of these'; it is also answered below a confidence that is found on dev",
    )
    scheme: Scheme = Field(default="bio", description="tags that the model learns: bio, or bioes")


class IntentSlot(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "intent_slot"
    options_model: ClassVar[type[IntentSlotOptions]] = IntentSlotOptions
    record: ClassVar[type[IntentSlotRecord]] = IntentSlotRecord
    prediction: ClassVar[type[IntentSlotPrediction]] = IntentSlotPrediction
    head: ClassVar[str] = "intent_slot"
    fields: ClassVar[Sequence[FieldSpec]] = (UTTERANCE, TOKENS, SLOTS, TAGS, INTENT)
    baselines: ClassVar[Sequence[str]] = ("majority_gazetteer", "tfidf_gazetteer")
    overlaps: ClassVar[bool] = False
    """Whether slots may overlap."""

    def __init__(self, options: IntentSlotOptions | None = None) -> None:
        self.options = options or IntentSlotOptions()
        self._tag = Tag(TagOptions(units=self.options.units, scheme=self.options.scheme))

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> IntentSlotRecord:
        tagged = self._tag.read(fields, file=file, line=line, group=group, labelled=False)
        intents = self._intents(fields.get("intent"))
        if labelled and intents is None:
            raise RowFault(_("no intent"))
        spans = () if tagged.spans is None and intents is not None else tagged.spans
        return IntentSlotRecord(
            file=file, line=line, group=group, text=tagged.text, spans=spans, tokens=tagged.tokens, intents=intents
        )

    def _intents(self, value: object) -> tuple[str, ...] | None:
        """The intents of a cell; None where it is empty."""
        one = self.options.multi_intent is False
        named = texts_of(value, separator=None if one else self.options.separator)
        if named and one and len(named) > 1:
            message = _("{count} intents where one is expected (`multi_intent: false`)")
            raise RowFault(message.format(count=len(named)))
        return tuple(dict.fromkeys(named)) if named else None

    def surface(self, record: IntentSlotRecord) -> str:
        return record.text

    def answer(self, record: IntentSlotRecord) -> str:
        slots = [f"{span.label} {span.start}-{span.end}" for span in record.spans or ()]
        return " | ".join([*sorted(record.intents or ()), *slots])

    def label_space(self, records: Sequence[IntentSlotRecord]) -> Sequence[str]:
        auto = self.options.multi_intent == "auto"
        return IntentSlotLabels(
            in_natural_order(intent for record in records for intent in record.intents or ()),
            in_natural_order(span.label for record in records for span in record.spans or ()),
            any(len(record.intents or ()) > 1 for record in records) if auto else self.options.multi_intent is True,
        ).names()

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        """The intents, then the tags of the slots."""
        known = IntentSlotLabels.of(labels)
        return [*known.intent_names(), *self._tag.classes(known.slots)]

    def audit(self, splits: Mapping[str, Sequence[IntentSlotRecord]], labels: Sequence[str]) -> list[Problem]:
        known = IntentSlotLabels.of(labels)
        only_by_threshold = {self.options.out_of_scope} - set(known.intents)
        intents = {split: _intent_counts(records, only_by_threshold) for split, records in splits.items()}
        slots = {split: span_label_counts(records) for split, records in splits.items()}
        found = [*_too_few(intents, known), *audit_spans(intents, known.intents, fixed=False)]
        if known.slots:
            found += audit_spans(slots, known.slots, fixed=False)
        return [*found, *self._no_threshold(splits.get("dev", ()), known), *alignment_problems(splits, self._tag.units)]

    def _no_threshold(self, dev: Sequence[IntentSlotRecord], known: IntentSlotLabels) -> Iterator[Problem]:
        beyond = self.options.out_of_scope
        if beyond is not None and not any(beyond in (record.intents or ()) for record in dev):
            hint = "" if beyond in known.intents else suggestion(beyond, known.intents)
            message = _(
                "no dev row has the intent '{label}' of `task.out_of_scope`, without which no threshold is found{hint}"
            )
            yield Problem("no-out-of-scope", message.format(label=beyond, hint=hint), severity="warning")

    def _answerable(self, labels: Sequence[str]) -> IntentSlotLabels:
        """The label space, and what is answered below the threshold."""
        known, beyond = IntentSlotLabels.of(labels), self.options.out_of_scope
        return replace(known, intents=list(dict.fromkeys([*known.intents, *([beyond] if beyond else [])])))

    def unanswerable(self, records: Sequence[IntentSlotRecord], labels: Sequence[str]) -> list[Problem]:
        known = self._answerable(labels)
        counts = LabelCounts.of(
            (
                [*known.intent_names(record.intents or ()), *(SLOT + span.label for span in record.spans or ())],
                record.file,
                record.line,
            )
            for record in records
        )
        return unanswerable(counts, known.names())

    def units(self, record: IntentSlotRecord) -> Sequence[Bounds]:
        """(start, end) of what gets a tag, in order."""
        return self._tag.units(record)

    def encode(
        self, records: Sequence[IntentSlotRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        known = IntentSlotLabels.of(labels)
        targets = {gold: _intent_target(gold, known) for gold in {record.intents for record in records}}
        features = []
        for feature in self._tag.encode(records, tokenizer, known.slots, max_length):
            intents = targets[records[feature.group].intents]
            both = {**feature.targets, "intents": intents} if feature.targets and intents is not None else {}
            features.append(replace(feature, targets=both))
        return features

    def decode(
        self,
        record: IntentSlotRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> IntentSlotPrediction:
        known = IntentSlotLabels.of(labels)
        slots = self._tag.decode(record, features, outputs, known.slots, {})
        scores = _scores(outputs, known)  # [I]
        return IntentSlotPrediction.model_construct(
            spans=slots.spans,
            intents=self._answer(scores, known, settings.get(BELOW, 0.0)),
            confidence=float(scores.max()),
            scores=dict(zip(known.intents, scores.tolist(), strict=True)),
        )

    def _answer(self, scores: FloatArray, known: IntentSlotLabels, below: float) -> tuple[str, ...]:
        """The intents, or out of scope where it is the likeliest, or none of the others is likely enough."""
        if self.options.out_of_scope is not None and _doubt(scores, known, self.options.out_of_scope) > 1 - below:
            return (self.options.out_of_scope,)
        best = known.intents[int(scores.argmax())]
        if best == self.options.out_of_scope or not known.several:
            return (best,)
        chosen = [intent for intent, score in zip(known.intents, scores, strict=True) if score >= HALF]
        return tuple(intent for intent in chosen or [best] if intent != self.options.out_of_scope)

    def calibrate(
        self,
        records: Sequence[IntentSlotRecord],
        features: Sequence[Sequence[Feature]],  # noqa: ARG002
        outputs: Sequence[Sequence[Outputs]],
        labels: Sequence[str],
    ) -> Settings:
        """The confidence below which 'out of scope' is answered with the best F1 of that answer on dev."""
        beyond, known = self.options.out_of_scope, IntentSlotLabels.of(labels)
        if beyond is None:
            return {}
        pairs = [pair for pair in zip(records, outputs, strict=True) if pair[0].intents is not None]
        gold = np.array([beyond in (record.intents or ()) for record, _each in pairs], dtype=bool)  # [N]
        if not gold.any():
            return {}
        doubts = np.array([_doubt(_scores(each, known), known, beyond) for _record, each in pairs])  # [N]
        return {BELOW: 1 - best_threshold(doubts, gold)}

    def right(self, prediction: IntentSlotPrediction, record: IntentSlotRecord) -> bool:
        return whole(prediction, record)

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:
        return intent_slot_metrics(IntentSlotLabels.of(labels), self.options.out_of_scope)


def _intent_target(gold: tuple[str, ...] | None, known: IntentSlotLabels) -> npt.NDArray[np.generic] | None:
    """[] or, with several intents, [I]; None where the gold is missing or cannot be answered."""
    if gold is None or any(intent not in known.intents for intent in gold) or (len(gold) > 1 and not known.several):
        return None
    if not known.several:
        return np.asarray(known.intents.index(gold[0]), dtype=np.int64)  # []
    return np.isin(known.intents, gold).astype(np.float32)  # [I]


def _scores(outputs: Sequence[Outputs], known: IntentSlotLabels) -> FloatArray:
    """Probability of each intent, [I]; of a text in several windows, from the mean of what they say."""
    return probabilities(
        np.mean([each["intents"] for each in outputs], axis=0, dtype=np.float64), several=known.several
    )


def _doubt(scores: FloatArray, known: IntentSlotLabels, beyond: str) -> float:
    """1 minus the probability of the likeliest intent in scope; 1 where being out of scope is likelier than any."""
    if known.intents[int(scores.argmax())] == beyond:
        return 1.0
    return 1.0 - float(scores.max())


def _intent_counts(records: Sequence[IntentSlotRecord], left_out: Collection[str | None]) -> LabelCounts:
    return LabelCounts.of(
        ([intent for intent in record.intents or () if intent not in left_out], record.file, record.line)
        for record in records
    )


def _too_few(intents: Mapping[str, LabelCounts], known: IntentSlotLabels) -> Iterator[Problem]:
    train = intents.get("train")
    if train is not None and train.rows and len(known.intents) < 2:
        message = _(
            "the training rows have only the intent '{intent}', and two are needed; check `data.fields.intent` and the "
            "file, or set `task: tag` for slots alone"
        )
        yield Problem("too-few-classes", message.format(intent="".join(known.intents)), file=train.file)
