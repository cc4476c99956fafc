"""Signals through the command line: wherever they hit, the run is left in order and can be gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.verbs.trained import recipe, write

import weitiao
from weitiao.errors import Interrupted
from weitiao.models.tiny import tiny

WEIGHTS = "model/model.safetensors"
PATIENCE = 180  # seconds; a busy machine needs half a minute to import torch
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "LANGUAGE": "en"}


def start(folder: Path, made: dict[str, Any]) -> subprocess.Popen[str]:
    YAML().dump(made, folder / "recipe.yaml")
    return launch(folder / "recipe.yaml")


def launch(*words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "weitiao", "train", *map(str, words)],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def lines(log: Path) -> int:
    return len(log.read_bytes().splitlines()) if log.is_file() else 0


def short(folder: Path) -> dict[str, Any]:
    made = recipe(folder, seeds=2)
    made["training"]["epochs"] = 2
    return made


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data and an undisturbed run."""
    folder = tmp_path_factory.mktemp("straight")
    weitiao.train(short(folder))
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_model_is_opened(number: signal.Signals, tmp_path: Path) -> None:
    process = start(tmp_path, recipe(tmp_path))
    wait_for((tmp_path / "run/data.json").is_file)
    process.send_signal(number)
    _out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert f"the run is saved; go on with: weitiao train --resume {tmp_path / 'run'}" in err
    assert not (tmp_path / "run/model").exists()
    straight = weitiao.train(recipe(tmp_path, output=str(tmp_path / "straight")))
    resumed = weitiao.train(resume=tmp_path / "run")
    assert (resumed.path / WEIGHTS).read_bytes() == (straight.path / WEIGHTS).read_bytes()


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    process = start(tmp_path, recipe(tmp_path))
    wait_for((tmp_path / "run/data.json").is_file)
    process.send_signal(signal.SIGTERM)
    time.sleep(0.1)  # two of the same kind at the same moment would be one
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGTERM
    assert weitiao.train(resume=tmp_path / "run").report.rows == 40


def test_sigterm_while_the_frozen_layers_run(tmp_path: Path) -> None:
    """They may take minutes, so they are left in the middle; what was half made is gone."""
    tiny("bert", tmp_path / "tiny", hidden=768)
    made = recipe(tmp_path, method={"name": "freeze", "layers": 1})
    made["training"]["max_steps"] = 2
    write(tmp_path / "train.csv", 600, seed=1)
    process, cache = start(tmp_path, made), tmp_path / "run/cache"
    wait_for(lambda: any(cache.glob(".train.bin.*.tmp")))
    process.send_signal(signal.SIGTERM)
    _out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert f"interrupted before fitting; the run is saved; go on with: weitiao train --resume {tmp_path / 'run'}" in err
    assert not list(cache.iterdir())
    resumed = weitiao.train(resume=tmp_path / "run")
    assert len(resumed.report.curves.train) == 2


def test_ctrl_c_while_a_resumed_run_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = weitiao.train(recipe(tmp_path))

    def interrupt(*_arguments: object, **_options: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("weitiao.verbs.preparing.claimed.inspect", interrupt)
    with pytest.raises(Interrupted, match=r"^interrupted; go on with: weitiao train --resume .*run$"):
        weitiao.train(resume=run.path)


def test_sigint_in_the_loop(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    made["training"]["epochs"] = 200
    process = start(tmp_path, made)
    wait_for(lambda: lines(tmp_path / "run/log.jsonl") > 20)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "interrupted at step" in err
    assert f"go on with: weitiao train --resume {tmp_path / 'run'}" in err


@pytest.mark.parametrize("moment", ["the last step", "the last evaluation", "saving the model", "the second seed"])
def test_a_late_signal_is_not_forgotten(moment: str, two_seeds: Path, tmp_path: Path) -> None:
    sent = False

    def interrupt(event: dict[str, Any]) -> None:
        nonlocal sent
        at = {
            "the last step": event["kind"] == "step" and event["step"] == 16,
            "the last evaluation": event["kind"] == "evaluation" and event["step"] == 16,
            "saving the model": event.get("text") == "saving the model",
            "the second seed": event.get("text") == "seed 18",
        }
        if at[moment] and not sent:
            sent = True
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted, match=r"the run is saved; go on with: weitiao train --resume .*run$"):
        weitiao.train({**short(two_seeds), "output": str(tmp_path / "run")}, on_event=interrupt)
    assert not (tmp_path / "run/seeds/18").exists()
    resumed = weitiao.train(resume=tmp_path / "run")
    for name in (WEIGHTS, "predictions.jsonl", "log.jsonl"):
        assert (resumed.path / name).read_bytes() == (two_seeds / "run" / name).read_bytes()
