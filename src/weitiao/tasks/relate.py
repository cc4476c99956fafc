"""Relate: the directed relation between two marked spans of a text.

Fields `text` with `head` and `tail` (words, or offsets), or a `text` with `<e1>`, `<e2>` around them, and `relation`
become a `RelateRecord` over the clean text; its one `Feature` has marks around both spans and says in `places` where
they stand. The head `relate` puts out `logits` [C]; everything behind them is classification. Of a long text what
stands around the spans is read. A labelled row of `text`, `spans` and `relations`, as annotation tools export them, is
parted into one such row a pair (`expand`). Notation: T tokens, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from weitiao.data.fields import GROUP, SPLIT, word
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.metrics import Metric
from weitiao.metrics.relations import likely_nothing, relation_metrics, type_of
from weitiao.recipe import Options
from weitiao.records import ClassifyPrediction, Feature, Outputs, RelateRecord
from weitiao.tasks import FieldSpec, RowFault, Settings
from weitiao.tasks.base import BaseTask
from weitiao.tasks.classify import Classify, ClassifyOptions
from weitiao.tasks.graphs import RELATIONS, SPANS, read_graph, sample
from weitiao.tasks.label_audit import LabelCounts, audit_relations, unanswerable
from weitiao.tasks.marked_pair import MARK, read_pair
from weitiao.tasks.pair_window import marked, marks_of
from weitiao.tasks.units import UnitTokenizer, units_of
from weitiao.tasks.values import digest, is_blank, text_of, texts_of
from weitiao.text import Tokenizer

# fmt: off
TEXT = FieldSpec("text", required=True, aliases=("text", "sentence", "content", "文本", "句子", "内容"))
HEAD = FieldSpec("head", required=False, aliases=(
    "head", "h", "subject", "e1", "entity1", "头实体", "主体", "实体1",
))
TAIL = FieldSpec("tail", required=False, aliases=(
    "tail", "t", "object", "e2", "entity2", "尾实体", "客体", "实体2",
))
RELATION = FieldSpec("relation", required=True, only_labelled=True, instead=("relations",), aliases=(
    "relation", "label", "predicate", "关系", "标签",
))
# fmt: on


NO_RELATION = "no_relation"  # how pairs without a relation are called, unless the recipe names a label


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
    none_pairs: int = Field(
        default=100,
        ge=0,
        description="of rows with `spans` and `relations`: most pairs without a relation that a text gives as examples "
        "of 'no relation', drawn by its words",
    )  # all ordered pairs of ten spans; a document of 200 has 39,800
    max_distance: int | None = Field(
        default=None,
        ge=0,
        description="of rows with `spans` and `relations`: most characters between the spans of such a pair; "
        "default: any number",
    )


class Relate(BaseTask):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "relate"
    options_model: ClassVar[type[RelateOptions]] = RelateOptions
    record: ClassVar[type[RelateRecord]] = RelateRecord
    prediction: ClassVar[type[ClassifyPrediction]] = ClassifyPrediction
    head: ClassVar[str] = "relate"
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, HEAD, TAIL, RELATION, SPANS, RELATIONS)
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

    def expand(self, fields: Mapping[str, object]) -> Sequence[Mapping[str, object]]:
        """The pairs of a row that marks spans and not one pair: those with a relation, then others without one.

        All pairs of a text are one group, so that they never sit in two splits.

        Raises:
            RowFault: the spans or relations cannot be used.
        """
        text = text_of(fields.get("text"))
        told = {name for name, value in fields.items() if value is not None and not _is_blank_text(value)}
        if text is None or told & {"head", "tail"} or "spans" not in told or MARK.search(text):
            return [fields]
        graph = read_graph(text, fields["spans"], fields.get("relations"))
        pairs = [(each.head, each.tail, each.label) for each in graph.relations]
        if self.options.no_relation is not False:
            name = self.options.no_relation if isinstance(self.options.no_relation, str) else NO_RELATION
            others = list(graph.unrelated(self.options.max_distance))
            pairs += [(*pair, name) for pair in sample(others, self.options.none_pairs, text)]
        beside = {"text": text, GROUP: word(fields.get(GROUP)) or digest(text), SPLIT: fields.get(SPLIT)}
        return [
            {**beside, "head": graph.spans[head].bounds, "tail": graph.spans[tail].bounds, "relation": label}
            for head, tail, label in pairs
        ]

    def surface(self, record: RelateRecord) -> str:
        return record.surface

    def answer(self, record: RelateRecord) -> str:
        return record.label

    def label_space(self, records: Sequence[RelateRecord]) -> Sequence[str]:
        return self._classify.label_space(records)

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        return labels

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
        if self.options.no_relation is True and nothing is None and NO_RELATION in labels:
            message = _(
                "several labels say 'no relation' by their names ('{label}' is that of pairs without one), so all of "
                "them count as relations; name the right one with task.no_relation"
            ).format(label=NO_RELATION)
            yield Problem("no-relation", message, severity="warning")
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

    def right(self, prediction: ClassifyPrediction, record: RelateRecord) -> bool:
        return self._classify.right(prediction, record)

    def metrics(self, labels: Sequence[str]) -> Sequence[Metric]:
        return relation_metrics(labels, self.nothing(labels))

    def targets(self, records: Sequence[RelateRecord], labels: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        return self._classify.targets(records, labels)


def _is_blank_text(value: object) -> bool:
    return isinstance(value, str) and is_blank(value)


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
