"""A task for tests of the data room: text and label, no more, so that `data` is tested without `tasks`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weitiao.data import Dataset, load_data
from weitiao.recipe import DataSpec
from weitiao.records import ClassifyRecord


@dataclass(frozen=True)
class Field:
    name: str
    required: bool = True
    aliases: tuple[str, ...] = ()
    only_labelled: bool = False
    instead: tuple[str, ...] = ()


FIELDS = (Field("text", aliases=("text", "review")), Field("label", aliases=("label", "category"), only_labelled=True))


def read(fields: Mapping[str, object], *, file: str, line: int, group: str) -> ClassifyRecord:
    text, label = str(fields["text"] or "").strip(), str(fields["label"] or "").strip()
    if not text:
        raise ValueError("empty text")
    if not label:
        raise ValueError("no label")
    return ClassifyRecord(file=file, line=line, group=group, text=text, labels=(label,))


def load(memory: Mapping[str, Any] | None = None, **spec: Any) -> Dataset:
    return load_data(
        DataSpec(**spec),
        fields=FIELDS,
        read=read,
        answer=lambda record: record.label,
        surface=lambda record: record.text,
        memory=memory,
    )


def counts(dataset: Dataset) -> dict[str, int]:
    return {split: len(rows) for split, rows in dataset.records.items()}


def codes(dataset: Dataset) -> list[str]:
    return [problem.code for problem in dataset.problems]


def messages(dataset: Dataset) -> str:
    return "\n".join(str(problem) for problem in dataset.problems)
