"""A run with an objective, an average and a tracker: the tracker changes nothing, and is told all that the log has."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.artifact import sha256_of
from weitiao.training import trackers

TRAINING = {"epochs": 2, "batch_size": 32, "learning_rate": 3e-3, "objective": "rdrop", "ema": 0.9}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs the extra tensorboard")
def test_a_tracker_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, dict[str, Any]]] = []
    started = trackers.STARTED["tensorboard"]

    def noted(*words: Any) -> Any:
        tracker = started(*words)
        log = tracker.log
        tracker.log = lambda values, step: (told.append((step, values)), log(values, step=step))
        return tracker

    monkeypatch.setitem(trackers.STARTED, "tensorboard", noted)
    runs = [
        weitiao.train(
            recipe(tmp_path, training=TRAINING, seeds=2, tracking={"trackers": names}, output=str(tmp_path / name))
        )
        for name, names in (("plain", []), ("tracked", ["tensorboard"]))
    ]
    plain, tracked = (sha256_of(run.path / "model" / "model.safetensors") for run in runs)
    assert plain == tracked
    assert not list((tmp_path / "plain").rglob("trackers"))
    logs = sorted((tmp_path / "tracked/seeds").glob("*/log.jsonl"))
    lines = [json.loads(line) for log in logs for line in log.read_text("utf-8").splitlines()]
    assert [step for step, _values in told] == [line["step"] for line in lines]
    assert [values["train/loss"] for _step, values in told if "train/loss" in values] == [
        line["loss"] for line in lines if "loss" in line
    ]
    for log in logs:
        assert list((log.parent / "trackers/tensorboard").glob("events.out.tfevents.*"))
