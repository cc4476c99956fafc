"""A fitted tiny model as a step finds it: a `model/` folder, and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tests.models.families import folder as pretrained
from tests.models.families import lively
from weitiao.compression.base import Source
from weitiao.models.network import NetworkSpec, build
from weitiao.models.saving import save_model
from weitiao.records import ClassifyRecord, Record
from weitiao.text import load_tokenizer

LABELS = ["negative", "positive"]
GOOD, BAD, OTHER = ("good", "warm", "好"), ("bad", "dull", "差"), ("film", "room", "food", "服务", "味道", "two hours")


def rows(count: int, *, split: str = "train", seed: int = 0) -> list[Record]:
    """Reviews whose first word decides the label."""
    made: list[Record] = []
    for row in range(count):
        number = row + seed
        label = number % 2
        words = [(BAD, GOOD)[label][number // 2 % 3], *(OTHER[(number * 7 + each * each) % 6] for each in range(number % 5))]
        made.append(ClassifyRecord(text=" ".join(words), labels=(LABELS[label],), file=f"{split}.csv", line=row + 2))
    return made


ROWS: Mapping[str, Sequence[Record]] = {"train": rows(48), "dev": rows(24, split="dev", seed=3)}


def fitted(
    family: str,
    target: Path,
    *,
    base: Path | None = None,
    kind: str = "mean",
    task: str = "classify",
    options: Mapping[str, Any] | None = None,
    records: Mapping[str, Sequence[Record]] = ROWS,
    texts: Sequence[str] | None = None,
    labels: Sequence[str] = LABELS,
    **spec: Any,
) -> Source:
    """A model of random but lively weights, written to `target`, with the rows that a run would have."""
    base = base or pretrained(family)
    torch.manual_seed(1)
    head = {"classify": "classify", "cloze": "cloze", "tag": "tag", "regress": "score"}[task]
    made = NetworkSpec(
        head, kind, list(labels), pad_id=load_tokenizer(base).pad_id, dropout=0.0, **spec  # type: ignore[arg-type]
    )
    network = lively(build(base, made), 0.1).eval()
    saved = {key: value for key, value in asdict(network.spec).items() if key != "trust_remote_code"}
    card = {
        "weitiao": "0", "task": task, "options": dict(options or {}), "labels": list(labels), "settings": {},
        "network": saved, "max_length": 64, "fields": ["text"], "name": "made",
    }  # fmt: skip
    save_model(network, card, target, base=base, tokenizer=None)
    return Source(target, card, lambda split: records.get(split, []), texts)
