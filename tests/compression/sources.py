"""A `model/` folder of any tiny family to compress, and the `Source` that a step is given of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.models import families
from weitiao.artifact import read_json
from weitiao.compression.base import Source
from weitiao.models.network import Network
from weitiao.models.saving import save_model
from weitiao.records import Record
from weitiao.tasks import TASKS
from weitiao.text import load_tokenizer


def saved(family: str, folder: Path, *, network: Network | None = None, **options: Any) -> Path:
    """A classifier of three labels as a run leaves it, lively so that its answers differ from text to text."""
    network = network or families.lively(families.network(family, **options))
    base = families.folder(family)
    spec = network.spec
    card = {
        "task": "classify", "options": {}, "labels": list(families.LABELS), "settings": {}, "max_length": 64,
        "network": {"head": spec.head, "kind": spec.kind, "pad_id": spec.pad_id}, "name": "tiny",
    }  # fmt: skip
    save_model(network.eval(), card, folder, base=base, tokenizer=load_tokenizer(base))
    return folder


def source(folder: Path, records: Sequence[Record] | None = None, texts: Sequence[str] | None = None) -> Source:
    """The source of a step; its splits all have the same records."""
    return Source(folder, read_json(folder / "task.json"), lambda split: records or rows(), texts)


def rows(count: int = 24) -> list[Record]:
    """Texts of every length with labels."""
    task = TASKS["classify"]()
    words, labels = families.WORDS, families.LABELS
    return [
        task.read(
            {"text": " ".join(words[(row * 5 + place) % len(words)] for place in range(1 + row)),
             "label": labels[row % 3]},
            file="rows.csv", line=row + 2, group="", labelled=True,
        )
        for row in range(count)
    ]  # fmt: skip
