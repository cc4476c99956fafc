"""Every task goes the whole way with a tiny model, check to serve; stopped and resumed, it ends in the same bytes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.verbs.test_train import ENVIRONMENT, LAUNCHERS, losses

import weitiao
from weitiao.errors import Interrupted
from weitiao.models.tiny import tiny
from weitiao.serving.desk import Desk, Limits
from weitiao.serving.predictor import Predictor
from weitiao.tasks import TASKS

Rows = Sequence[Mapping[str, Any]]
NAMES = [("Anna", "Rome"), ("Bob", "Paris"), ("Lee", "Rome"), ("Ida", "Oslo")]
TREE = {"upos": ["NOUN", "VERB", "NOUN"], "heads": [2, 0, 2], "deprels": ["nsubj", "root", "obj"]}


def spans(person: str, place: str) -> list[list[Any]]:
    start = len(person) + 10
    return [[0, len(person), "PER"], [start, start + len(place), "LOC"]]


def told(person: str, place: str) -> str:
    return f"{person} lives in {place}."


ROWS: Mapping[str, Rows] = {
    "answer": [
        {"question": "Who is it?", "text": told(*names), "answers": [{"text": names[0], "start": 0}]} for names in NAMES
    ],
    "classify": [{"text": told(*names), "label": "north" if names[1] == "Oslo" else "south"} for names in NAMES],
    "cloze": [{"text": told(*names), "label": "Oslo" if names[1] == "Oslo" else "Rome"} for names in NAMES],
    "embed": [{"text": f"Where is {a}?", "text_pair": told(a, b)} for a, b in NAMES],
    "entail": [{"text": told(*names), "label": "cold" if names[1] == "Oslo" else "warm"} for names in NAMES],
    "event": [
        {
            "text": told(*names),
            "events": [
                {
                    "type": "live",
                    "trigger": [len(names[0]) + 1, len(names[0]) + 6],
                    "arguments": [[0, len(names[0]), "who"]],
                }
            ],
        }
        for names in NAMES
    ],
    "intent_slot": [
        {"text": told(*names), "intent": "north" if names[1] == "Oslo" else "south", "spans": spans(*names)}
        for names in NAMES
    ],
    "parse": [{"text": f"{a} loves {b}", "tokens": [a, "loves", b], **TREE} for a, b in NAMES],
    "rank": [
        {"query": f"Where is {a}?", "text": told(c, d), "label": int(a == c)} for a, _b in NAMES for c, d in NAMES
    ],
    "regress": [{"text": told(*names), "score": float(len(names[1]))} for names in NAMES],
    "relate": [
        {"text": told(*names), "head": names[0], "tail": names[1], "relation": "cold" if names[1] == "Oslo" else "warm"}
        for names in NAMES
    ],
    "span": [{"text": told(*names), "spans": spans(*names)} for names in NAMES],
    "tag": [{"text": told(*names), "spans": spans(*names)} for names in NAMES],
}


def test_every_task_is_here() -> None:
    assert set(ROWS) == set(TASKS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [told(*names) for names in NAMES] + ["Who is it? Where is it? loves"]
    folder = tmp_path_factory.mktemp("tiny")
    tiny("bert", folder / "entails", texts=texts, speaks="entails")
    return tiny("bert", folder / "m", texts=texts, speaks="masked")


def model_for(name: str, model: Path) -> str:
    """The model that a task asks: one of inference for `entail`."""
    return str(model.parent / "entails" if name == "entail" else model)


def recipe(name: str, folder: Path, **others: Any) -> dict[str, Any]:
    """A recipe of a task on its rows, written to files in the folder."""
    files = {}
    for split in ("train", "dev", "test"):
        files[split] = folder / f"{split}.jsonl"
        files[split].write_text("".join(json.dumps(row) + "\n" for row in ROWS[name]), "utf-8")
    return {
        "task": name, "data": {split: str(path) for split, path in files.items()},
        "training": {"epochs": 2, "batch_size": 4, "learning_rate": 1e-3}, "evaluation": {"resamples": 100}, **others,
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(ROWS))
def test_the_whole_way(name: str, model: Path, tmp_path: Path) -> None:
    made = recipe(name, tmp_path, model=model_for(name, model))
    found = weitiao.check({**made, "output": str(tmp_path / "checked")})
    assert [problem for problem in found.problems if problem.severity == "error"] == []
    runs = [weitiao.train({**made, "seed": seed, "output": str(tmp_path / f"run{seed}")}) for seed in (1, 2)]
    report = runs[0].report
    assert report.rows == len(ROWS[name])
    again = runs[0].evaluate()
    assert again.report.metrics[report.headline].value == pytest.approx(report.metrics[report.headline].value)
    fresh = weitiao.evaluate(runs[0].path, data=made["data"]["test"])
    assert fresh.report.metrics[report.headline].value == pytest.approx(report.metrics[report.headline].value)
    compared = weitiao.compare(runs[0].path, runs[1].path)
    assert compared.sentence()
    assert compared.rows == report.rows
    answers = tmp_path / "answers.jsonl"
    weitiao.predict_file(runs[0].path, made["data"]["test"], answers)
    lines = [json.loads(line) for line in answers.read_text("utf-8").splitlines()]
    assert [line["error"] for line in lines] == [None] * len(ROWS[name])
    assert served(runs[0].path, name, ROWS[name][0])


def served(run: Path, name: str, row: Mapping[str, Any]) -> Any:
    """The server's answer to the fields of a row that are asked."""
    asked = {field.name for field in TASKS[name]().fields if not field.only_labelled}
    record = TASKS[name]().read(dict(row), file="", line=0)
    body = {key: value for key, value in record.model_dump(mode="json").items() if key in asked and value is not None}
    answer = Desk([Predictor.load(run)], Limits()).answer(run.name, json.dumps(body).encode())
    return answer["predictions"][0]


@pytest.mark.parametrize("name", sorted(ROWS))
def test_stopped_and_resumed_it_ends_in_the_same_bytes(name: str, model: Path, tmp_path: Path) -> None:
    made = recipe(
        name, tmp_path, model=model_for(name, model), training={"epochs": 4, "batch_size": 2, "learning_rate": 1e-3}
    )

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 3:
            signal.raise_signal(signal.SIGTERM)

    straight = weitiao.train({**made, "output": str(tmp_path / "straight")})
    with pytest.raises(Interrupted):
        weitiao.train({**made, "output": str(tmp_path / "stopped")}, on_event=interrupt)
    resumed = weitiao.train(resume=tmp_path / "stopped")
    for file in ("model/model.safetensors", "predictions.jsonl", "log.jsonl"):
        assert (resumed.path / file).read_bytes() == (straight.path / file).read_bytes()


@pytest.mark.parametrize("crf", [False, True])
def test_two_processes_give_the_tagger_of_one(crf: bool, model: Path, tmp_path: Path) -> None:
    """Spans of texts that take several windows, dropout 0; the loss of each step as that of one process."""
    made = recipe(
        "tag", tmp_path, task={"name": "tag", "crf": crf}, model={"name": str(model), "dropout": 0.0},
        training={"epochs": 10, "batch_size": 3, "learning_rate": 1e-3, "max_length": 8},
    )  # fmt: skip
    alone = weitiao.train({**made, "output": str(tmp_path / "alone")})
    written = tmp_path / "recipe.yaml"
    written.write_text(json.dumps({**made, "output": str(tmp_path / "run")}), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", *LAUNCHERS["torchrun"], "-m", "weitiao", "train", str(written)],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(losses(alone.path)) == 20
    np.testing.assert_allclose(losses(tmp_path / "run"), losses(alone.path), rtol=1e-5)
    one, two = (load_file(run / "model/model.safetensors") for run in (alone.path, tmp_path / "run"))
    assert max(float(np.abs(two[name] - one[name]).max()) for name in one) < 1e-4
