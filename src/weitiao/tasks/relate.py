"""Relate: the directed relation between two marked spans of a text.

Fields `text` with `head` and `tail` (words, or offsets), or a `text` with `<e1>`, `<e2>` around them, and `relation`
become a `RelateRecord` over the clean text; its one `Feature` has marks around both spans and says in `places` where
they stand. The head `relate` puts out `logits` [C]; everything behind them is classification. Of a long text what
stands around the spans is read. Notation: T tokens, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.metrics import Metric
from weitiao.metrics.relations import likely_nothing, relation_metrics, type_of
from weitiao.recipe import Finding, Options, TrainingSpec
from weitiao.records import ClassifyPrediction, Feature, Outputs, RelateRecord
from weitiao.tasks import FieldSpec, RowFault, Settings
from weitiao.tasks.classify import Classify, ClassifyOptions
from weitiao.tasks.label_audit import LabelCounts, audit_relations, unanswerable
from weitiao.tasks.marked_pair import read_pair
from weitiao.tasks.pair_window import marked, marks_of
from weitiao.tasks.units import UnitTokenizer, units_of
from weitiao.tasks.values import is_blank, text_of, texts_of
from weitiao.text import Tokenizer

# fmt: off
TEXT = FieldSpec("text", required=True, aliases=("text", "sentence", "content", "文本", "句子", "内容"))
HEAD = FieldSpec("head", required=False, aliases=(
    "head", "h", "subject", "e1", "entity1", "头实体", "主体", "实体1",
))
TAIL = FieldSpec("tail", required=False, aliases=(
    "tail", "t", "object", "e2", "entity2", "尾实体", "客体", "实体2",
))
RELATION = FieldSpec("relation", required=True, only_labelled=True, aliases=(
    "relation", "label", "predicate", "关系", "标签",
))
# fmt: on


class RelateOptions(Options):
    """What a recipe may say under `task: {name: relate, ...}`."""

    no_relation: str | bool = Field(
        default=True,
        description="the label that says 'no relation', which the F1 scores leave out; true: the one that is called "
        "so, such as Other, NA or unknown; false: none is",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none", description="weight of each relation in the loss: none, or balanced (by rarity)"
    )


class Relate:
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "relate"
    options_model: ClassVar[type[RelateOptions]] = RelateOptions
    record: ClassVar[type[RelateRecord]] = RelateRecord
    prediction: ClassVar[type[ClassifyPrediction]] = ClassifyPrediction
    head: ClassVar[str] = "relate"
    stock: ClassVar[str] = ""
    hub: ClassVar[str] = ""
    labels_are: ClassVar[Literal["classes", "scale", "nothing"]] = "classes"
    decisive: ClassVar[Sequence[str]] = ()
    pools: ClassVar[bool] = False
    mode: Literal["forward", "generate"] = "forward"
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, HEAD, TAIL, RELATION)
    baselines: ClassVar[Sequence[str]] = ("majority", "tfidf_between")

    def __init__(self, options: RelateOptions | None = None) -> None:
        self.options = options or RelateOptions()
        self._classify = Classify(ClassifyOptions(class_weights=self.options.class_weights))

    def read(
        self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True
    ) -> RelateRecord:
        text = text_of(fields.get("text"))
        if text is None or is_blank(text):
            raise RowFault(_("empty {field}").format(field="text"))
        pair = read_pair(text, fields.get("head"), fields.get("tail"))
        named = texts_of(fields.get("relation"), separator=None)
        if labelled and not named:
            raise RowFault(_("no relation"))
        if named and len(named) > 1:
            raise RowFault(_("{count} relations where one is expected").format(count=len(named)))
        return RelateRecord(
            file=file, line=line, group=group, text=pair.text, head=pair.head, tail=pair.tail, guessed=pair.guessed,
            labels=tuple(named) if named else None,
        )  # fmt: skip

    def surface(self, record: RelateRecord) -> str:
        return record.surface

    def answer(self, record: RelateRecord) -> str:
        return record.label

    def label_space(self, records: Sequence[RelateRecord]) -> Sequence[str]:
        return self._classify.label_space(records)

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return labels

    def head_options(self) -> Mapping[str, Any]:
        return {}

    def nothing(self, labels: Sequence[str]) -> str | None:
        """The label that says 'no relation'; None where none does."""
        told = self.options.no_relation
        return told if isinstance(told, str) else likely_nothing(labels) if told else None

    def audit(self, splits: Mapping[str, Sequence[RelateRecord]], labels: Sequence[str]) -> list[Problem]:
        counts = {split: _counts(records) for split, records in splits.items()}
        found = audit_relations(counts, labels, type_of)
        return [*found, *self._left_out(labels), *_guessed(splits)]

    def _left_out(self, labels: Sequence[str]) -> Iterator[Problem]:
        """What is taken for 'no relation', where the recipe does not say so, or says one that is not there."""
        nothing = self.nothing(labels)
        if nothing is None or not labels:
            return
        if nothing not in labels:
            message = _("`task.no_relation` is '{label}', which no training row has").format(label=nothing)
            yield Problem("unknown-label", message, severity="warning")
        elif self.options.no_relation is True:
            message = _(
                "'{label}' is taken for 'no relation' and left out of the F1 scores; if it is a relation like others, "
                "set task.no_relation=false"
            ).format(label=nothing)
            yield Problem("no-relation", message, severity="note")

    def unanswerable(self, records: Sequence[RelateRecord], labels: Sequence[str]) -> list[Problem]:
        return unanswerable(_counts(records), labels)

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:  # noqa: ARG002
        """Nothing: every option of training works."""
        return iter(())

    def encode(
        self, records: Sequence[RelateRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        index = {label: position for position, label in enumerate(labels)}
        pieces, wrapping, marks = UnitTokenizer.of(tokenizer), tokenizer.wrapping(), marks_of(tokenizer)
        units = {text: units_of(text) for text in {record.text for record in records}}
        encoded = dict(zip(units, pieces.encode_all(units.items()), strict=True))
        features = []
        for group, record in enumerate(records):
            tokens = [ids for ids, _first in encoded[record.text]]
            room = max_length - len(wrapping)
            pair = marked(tokens, units[record.text], record.head, record.tail, marks=marks, room=room)
            ids, types = wrapping.wrap(pair.ids)
            shift = len(wrapping.before)
            places = {name: np.array(each) + shift for name, each in (("head", pair.head), ("tail", pair.tail))}  # [2]
            label = index.get(record.label)
            targets = {} if label is None else {"labels": np.asarray(label, dtype=np.int64)}  # []
            features.append(Feature(ids, types if tokenizer.segments else None, targets, group, pair.cut, places))
        return features

    def decode(
        self,
        record: RelateRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> ClassifyPrediction:
        return self._classify.decode(record, features, outputs, labels, settings)

    def calibrate(
        self,
        records: Sequence[RelateRecord],  # noqa: ARG002
        features: Sequence[Sequence[Feature]],  # noqa: ARG002
        outputs: Sequence[Sequence[Outputs]],  # noqa: ARG002
        labels: Sequence[str],  # noqa: ARG002
    ) -> Settings:
        """Nothing: the likeliest relation has no threshold."""
        return {}

    def right(self, prediction: ClassifyPrediction, record: RelateRecord) -> bool:
        return self._classify.right(prediction, record)

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:
        return relation_metrics(labels, self.nothing(labels))

    def targets(self, records: Sequence[RelateRecord], labels: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        return self._classify.targets(records, labels)


def _counts(records: Sequence[RelateRecord]) -> LabelCounts:
    return LabelCounts.of((record.labels or (), record.file, record.line) for record in records)


def _guessed(splits: Mapping[str, Sequence[RelateRecord]]) -> Iterator[Problem]:
    """Rows that name a span by words which the text has more than once, or only inside other words."""
    for split, records in splits.items():
        rows = tuple(RowPlace(record.file, record.line) for record in records if record.guessed)
        if rows:
            message = ngettext(
                "{count} row of {split} names a span by words that its text has more than once or only inside other "
                "words, and the first is taken; [start, end] would tell",
                "{count} rows of {split} name a span by words that their text has more than once or only inside other "
                "words, and the first are taken; [start, end] would tell",
                len(rows),
            ).format(count=len(rows), split=split)
            yield Problem(
                "ambiguous-span", message, file=rows[0].file, line=rows[0].line, severity="warning", rows=rows
            )
