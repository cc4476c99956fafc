"""Verbs through the command line: what they print, with a tiny model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.verbs.trained import recipe

from weitiao.cli import main


def written(folder: Path, made: Mapping[str, Any]) -> str:
    """The recipe as a file."""
    path = folder / "recipe.yaml"
    YAML().dump(dict(made), path)
    return str(path)


def test_train_without_a_dev_split_shows_the_training_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = recipe(tmp_path, training={"epochs": 2, "batch_size": 16})
    made["data"]["dev"] = None
    assert main(["train", written(tmp_path, made)]) == 0
    said = capsys.readouterr().err
    assert "step 10: training loss " in said
    assert "step 20: training loss " in said


def test_check_says_that_a_run_is_already_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = recipe(tmp_path)
    path = written(tmp_path, made)
    assert main(["check", path]) == 0
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "log.jsonl").write_text("{}\n")
    capsys.readouterr()
    assert main(["check", path]) == 2
    said = capsys.readouterr().err
    assert f"error: {path}:" in said
    assert f"{tmp_path / 'run'}: a run is already there and is never overwritten; set another `output`" in said


@pytest.mark.parametrize("verb", ["train", "check", "evaluate", "predict", "serve", "new", "quickstart"])
def test_help_shows_no_empty_default(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert "[default: ]" not in capsys.readouterr().out
