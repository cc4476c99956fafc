"""The Task seam: Record <-> Feature <-> Prediction, numpy only, one file a task.

A task turns mapped fields into Records, Records into Features and a model's Outputs back into Predictions, and names
its metrics, its head and its cheap baselines. `TASKS` is the table behind `weitiao list tasks` and the docs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy.typing as npt
from pydantic import BaseModel

from weitiao.errors import Problem
from weitiao.metrics import AnyMetric
from weitiao.recipe import Finding, TrainingSpec
from weitiao.records import Feature, Outputs, Prediction, Record
from weitiao.tables import Table
from weitiao.text import Tokenizer

R = TypeVar("R", bound=Record)
P = TypeVar("P", bound=Prediction)
E = TypeVar("E")
LabelKind = Literal["classes", "scale", "nothing"]
Expand = Callable[[Mapping[str, object]], Sequence[Mapping[str, object]]]
Settings = Mapping[str, Any]  # what `calibrate` found on dev, JSON-able, such as {"thresholds": {...}}

TASKS = Table(
    "task",
    {
        "answer": "weitiao.tasks.answer:Answer",
        "classify": "weitiao.tasks.classify:Classify",
        "cloze": "weitiao.tasks.cloze:Cloze",
        "embed": "weitiao.tasks.embed:Embed",
        "entail": "weitiao.tasks.entail:Entail",
        "event": "weitiao.tasks.event:EventTask",
        "intent_slot": "weitiao.tasks.intent_slot:IntentSlot",
        "parse": "weitiao.tasks.parse:Parse",
        "rank": "weitiao.tasks.rank:Rank",
        "regress": "weitiao.tasks.regress:Regress",
        "relate": "weitiao.tasks.relate:Relate",
        "span": "weitiao.tasks.span:SpanTask",
        "tag": "weitiao.tasks.tag:Tag",
    },
)


class RowFault(ValueError):
    """A row cannot become a Record; the text is the reason that the ledger keeps."""


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field that a task reads from a row.

    Args:
        name: the name under `data.fields`.
        required: rows without it are faulty; an optional field may have no column at all.
        aliases: column names that are taken for it without a mapping, best first.
        only_labelled: needed for training and evaluation, not for prediction.
        asked: whether what is to be answered must have it where the training rows had it.
        instead: fields that do in its stead: with a column for one of them, a source needs none for this.
    """

    name: str
    required: bool
    aliases: tuple[str, ...]
    only_labelled: bool = False
    asked: bool = True
    instead: tuple[str, ...] = ()


class Task(Protocol[R, P]):
    """What a task must answer; built as `TASKS[name](options)`.

    `labels` is the task's own label space: a sequence of names for classification. It is JSON-able through
    `label_space_to_json` / the constructor of the file that defines it. A task with words of its own for the model
    also has `wording(tokenizer, labels, max_length) -> findings`: what this tokenizer cannot say of them.
    """

    name: str
    options_model: type[BaseModel]
    record: type[R]
    prediction: type[P]
    head: str
    """Entry of `models.heads.HEADS`."""
    stock: str
    """transformers' Auto class that the saved model loads in under `model.head: stock`; empty where there is none."""
    hub: str
    """What model hubs call the task, such as 'token-classification'; empty where they have no name for it."""
    labels_are: LabelKind
    """What the label space holds: what answers are made of, the scale of a number, or nothing that a reader needs."""
    decisive: Sequence[str]
    """Options without which two runs answer different questions, so that they cannot be compared."""
    pools: bool
    """Whether one answer is read from the whole text, so that `model.head: mean` is there."""
    neighbours: bool
    """Whether other records of the same group are read with each, so that it matters which are asked together."""
    expand: Expand | None
    """The examples in one labelled row, as fields that `read` takes; None where a row is always one example."""
    mode: Literal["forward", "generate"]
    fields: Sequence[FieldSpec]
    baselines: Sequence[str]

    def read(self, fields: Mapping[str, object], *, file: str, line: int, group: str = "", labelled: bool = True) -> R:
        """A Record from mapped fields; `labelled` says whether the gold answer must be there.

        Raises:
            RowFault: the row cannot be used.
        """
        ...

    def surface(self, record: R) -> str:
        """The text by which duplicates and leaks are told."""
        ...

    def answer(self, record: R) -> str:
        """The gold answer as one string, by which conflicting duplicates are told and splits are stratified."""
        ...

    def label_space(self, records: Sequence[R]) -> Sequence[str]:
        """The labels, in a stable order, from the training records only; of numbers their scale, such as `mean=2.5`."""
        ...

    def classes(self, labels: Sequence[str]) -> Sequence[str]:
        """Names of the head's outputs, such as the labels themselves, or B- and I- of each."""
        ...

    def head_options(self) -> Mapping[str, Any]:
        """What the head has to know of the task's options; JSON-able."""
        ...

    def audit(self, splits: Mapping[str, Sequence[R]], labels: Sequence[str]) -> list[Problem]:
        """Findings that only the task can see: too few classes, label typos, labels that train lacks, imbalance."""
        ...

    def misfits(self, training: TrainingSpec) -> Iterable[Finding]:
        """What of the recipe's `training` does not go with the task's options."""
        ...

    def unanswerable(self, records: Sequence[R], labels: Sequence[str]) -> list[Problem]:
        """A warning where records to be measured have an answer that a model with `labels` cannot give."""
        ...

    def encode(
        self, records: Sequence[R], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        """Features of the records; `Feature.group` is the record's index."""
        ...

    def decode(
        self,
        record: R,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> P:
        """The answer, from all of the record's features and what the head put out for each."""
        ...

    def calibrate(
        self,
        records: Sequence[R],
        features: Sequence[Sequence[Feature]],
        outputs: Sequence[Sequence[Outputs]],
        labels: Sequence[str],
    ) -> Settings:
        """Thresholds and the like, on dev only; features and outputs are those of each record."""
        ...

    def right(self, prediction: P, record: R) -> bool | None:
        """Whether the whole answer is the gold one; None where answers are not right or wrong."""
        ...

    def metrics(self, labels: Sequence[str]) -> Sequence[AnyMetric]:
        """The metrics, headline first."""
        ...

    def targets(self, records: Sequence[R], labels: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:
        """What the loss needs to know of the training set as a whole, such as {"class_weights": [C]}; may be empty."""
        ...


def by_record(
    records: int, features: Sequence[Feature], outputs: Sequence[E]
) -> tuple[list[list[Feature]], list[list[E]]]:
    """Features, and what the head put out for them, by the record that they are of."""
    own: list[list[Feature]] = [[] for _record in range(records)]
    said: list[list[E]] = [[] for _record in range(records)]
    for feature, each in zip(features, outputs, strict=True):
        own[feature.group].append(feature)
        said[feature.group].append(each)
    return own, said


def decode_all(
    task: Task[R, P],
    records: Sequence[R],
    features: Sequence[Feature],
    outputs: Sequence[Outputs],
    labels: Sequence[str],
    settings: Settings,
) -> list[P]:
    """The answer to every record, in order."""
    grouped = by_record(len(records), features, outputs)
    return [
        task.decode(record, own, said, labels, settings) for record, own, said in zip(records, *grouped, strict=True)
    ]
