"""Checkpoints: whole, checksummed to the last digit, one a step, and never gone before the next is there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.fits import StoppedError, run, same, weights
from weitiao import artifact
from weitiao.errors import Interrupted
from weitiao.training import checkpoint


def tensors() -> checkpoint.Tensors:
    torch.manual_seed(0)
    made = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(made.parameters())
    made(torch.ones(1, 3)).sum().backward()
    optimiser.step()
    return {
        "weights": made.state_dict(),
        "optimizer": checkpoint.moments(optimiser),
        "method": {"ranks": torch.ones(2)},
    }


STATE = {"step": 120, "seconds": 1.25, "best": 0.875, "history": [{"step": 60, "dev": {"loss": float("nan"), "正": 1}}]}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return checkpoint.save(tmp_path, tensors(), STATE)


def rewritten(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        state = json.loads((path / checkpoint.STATE).read_text("utf-8"))
        change(state)
        (path / checkpoint.STATE).write_text(json.dumps(state), "utf-8")

    return harm


def flipped_digit(path: Path) -> None:
    text = (path / checkpoint.STATE).read_text("utf-8")
    (path / checkpoint.STATE).write_text(text.replace("0.875", "0.975"), "utf-8")


def test_it_is_intact_and_gives_back_its_state(saved: Path) -> None:
    assert checkpoint.fault(saved) == ""
    found, state = checkpoint.load(saved)
    assert json.dumps(state) == json.dumps(STATE)
    assert {stem: same(dict(found[stem]), dict(each)) for stem, each in tensors().items()} == dict.fromkeys(found, True)
    assert checkpoint.newest(saved.parent) == (saved, [])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (flipped_digit, "state.json does not match its checksum"),
        (rewritten(lambda state: state["sha256"].clear()), "weights.safetensors does not match its checksum"),
        (rewritten(lambda state: state["sha256"].pop("optimizer.safetensors")), "optimizer.safetensors does not match"),
        (rewritten(lambda state: state.pop("sha256")), "the checkpoint is torn"),
        (lambda path: path.rename(path.with_name("step-00000121")), "state.json is of step 120"),
        (lambda path: (path / "weights.safetensors").unlink(), "the checkpoint is torn"),
        (lambda path: (path / "method.safetensors").unlink(), "the checkpoint is torn"),
        (lambda path: (path / checkpoint.STATE).write_text("[]"), "the checkpoint is torn"),
    ],
)
def test_what_is_not_whole_is_passed_over(saved: Path, harm: Callable[[Path], Any], reason: str) -> None:
    harm(saved)
    (path,) = saved.parent.iterdir()
    assert reason in checkpoint.fault(path)
    found, warnings = checkpoint.newest(saved.parent)
    assert found is None
    assert reason in warnings[0]


def test_an_intact_checkpoint_of_the_step_is_not_touched(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_names: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(artifact.os, "replace", killed)
    assert checkpoint.save(saved.parent, tensors(), STATE) == saved
    assert checkpoint.fault(saved) == ""


def test_a_torn_checkpoint_of_the_step_is_replaced(saved: Path) -> None:
    flipped_digit(saved)
    checkpoint.save(saved.parent, tensors(), STATE)
    assert checkpoint.fault(saved) == ""


def test_leaving_writes_nothing_when_the_step_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one checkpoint kept, a second save of the step would put the only one at risk."""
    written: list[int] = []
    save = checkpoint.save

    def noted(folder: Path, tensors: Any, state: Any) -> Path:
        written.append(state["step"])
        return save(folder, tensors, state)

    monkeypatch.setattr(checkpoint, "save", noted)
    with pytest.raises(Interrupted, match="interrupted at step 7 of 21; the run is saved"):
        run(tmp_path, keep_checkpoints=1, stop_at_step=7)
    assert written == [7]


@pytest.mark.parametrize("renames", [1, 2, 3])
def test_a_run_killed_while_a_checkpoint_is_put_in_place_resumes(
    renames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, _result, _events = run(tmp_path / "a", dropout=0.2, keep_checkpoints=1)
    replace, left = os.replace, renames

    def killed(source: Path, target: Path) -> None:
        nonlocal left
        if Path(target).name.startswith("step-"):
            left -= 1
            if not left:
                raise StoppedError
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(artifact.os, "replace", killed)
        with pytest.raises(StoppedError):
            run(tmp_path / "b", dropout=0.2, keep_checkpoints=1)
    resumed, _result, _events = run(tmp_path / "b", dropout=0.2, keep_checkpoints=1)
    assert same(weights(straight), weights(resumed))
