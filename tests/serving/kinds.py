"""A tiny run of each task, with random weights: for what must hold for every kind of answer.

`ROWS` has labelled rows of each task; the first is what the tests correct. `run_of(task, folder)` leaves a run folder
with its data beside, as training would.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from weitiao.tasks import TASKS

TEXT = "Ann saw Bob in Paris."
ROWS: dict[str, list[dict[str, Any]]] = {
    "answer": [
        {"question": "Who saw Bob?", "text": TEXT, "answers": [{"text": "Ann", "start": 0}]},
        {"question": "When?", "text": TEXT, "answers": []},
    ],
    "classify": [{"text": "not a good film", "label": "neg"}, {"text": "好看", "label": "pos"}],
    "embed": [
        {"text": "a good film", "text_pair": "a fine film", "score": 0.9},
        {"text": "a good film", "text_pair": "it rains", "score": 0.1},
    ],
    "event": [
        {
            "text": TEXT,
            "events": [{"type": "Meet", "start": 4, "end": 7, "arguments": [{"start": 0, "end": 3, "label": "who"}]}],
        },
    ],
    "intent_slot": [
        {"text": "fly to Paris", "intent": "flight", "spans": [{"start": 7, "end": 12, "label": "city"}]},
        {"text": "what does it cost", "intent": "price", "spans": []},
    ],
    "parse": [
        {
            "text": "good film",
            "tokens": ["good", "film"],
            "upos": ["ADJ", "NOUN"],
            "heads": [2, 0],
            "deprels": ["amod", "root"],
        },
    ],
    "rank": [
        {"query": "who is Ann", "text": "Ann is a doctor", "label": 2},
        {"query": "who is Ann", "text": "it rains", "label": 0},
    ],
    "regress": [
        {"text": "a good film", "text_pair": "a fine film", "score": 4.5},
        {"text": "a good film", "text_pair": "it rains", "score": 0.5},
    ],
    "relate": [
        {"text": TEXT, "head": {"start": 0, "end": 3}, "tail": {"start": 8, "end": 11}, "relation": "sees"},
        {"text": TEXT, "head": {"start": 8, "end": 11}, "tail": {"start": 0, "end": 3}, "relation": "no_relation"},
    ],
    "span": [{"text": TEXT, "spans": [{"start": 0, "end": 3, "label": "person"}]}],
    "tag": [
        {"text": TEXT, "spans": [{"start": 0, "end": 3, "label": "person"}, {"start": 15, "end": 20, "label": "place"}]}
    ],
}


def run_of(task_name: str, folder: Path, *, name: str = "", rows: list[dict[str, Any]] | None = None) -> Path:
    """A finished run of the task in a folder of its name."""
    import torch

    from weitiao.models.network import NetworkSpec, build
    from weitiao.models.tiny import tiny

    name = name or task_name
    run, rows = folder / name, rows or ROWS[task_name]
    task = TASKS[task_name]()
    records = [task.read(row, file="rows.jsonl", line=line) for line, row in enumerate(rows, 1)]
    labels = list(task.label_space(records))
    pretrained = folder / "tiny"
    if not pretrained.is_dir():
        tiny("bert", pretrained)
    kind: Literal["stock", "mean"] = "stock" if task.stock and not task.pools else "mean"
    spec = NetworkSpec(task.head, kind, list(task.classes(labels)), dict(task.head_options()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = build(pretrained, spec)
    model = run / "model"
    model.mkdir(parents=True)
    network.save(model)
    for each in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pretrained / each, model / each)
    card = {
        "task": task_name, "options": {}, "labels": labels, "settings": {}, "max_length": 64, "name": name,
        "network": {"head": task.head, "kind": kind, "labels": spec.labels, "options": spec.options},
    }  # fmt: skip
    (model / "task.json").write_text(json.dumps(card), "utf-8")
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (run / "rows.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    recipe = f"task: {task_name}\nmodel: {pretrained}\ndata: {run / 'rows.jsonl'}\n"
    (run / "recipe.yaml").write_text(recipe, "utf-8")
    return run


def asked(task_name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the server is asked, what is right) of the task's first row."""
    row = ROWS[task_name][0]
    only = {spec.name for spec in TASKS[task_name].fields if spec.only_labelled} | {"tokens"}
    fields = {key: value for key, value in row.items() if key not in only}
    for side in {"head", "tail"} & fields.keys():
        fields[side] = [fields[side]["start"], fields[side]["end"]]
    return fields, {key: value for key, value in row.items() if key in only}
