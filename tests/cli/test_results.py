"""The end of a run as it is printed: figures, how training went, and commands that work."""

from __future__ import annotations

import shlex
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


def next_commands(said: str) -> list[list[str]]:
    """The words that follow the program's name in the commands at the end of a run."""
    lines = [shlex.split(line) for line in said.partition("\nNext:\n")[2].splitlines() if line.startswith("  ")]
    return [words[words.index("weitiao") + 1 :] for words in lines]


def test_the_next_commands_work_as_they_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "o'neil's rows"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(["train", written(folder, recipe(folder, training={"max_steps": 4, "batch_size": 16}))]) == 0
    predict, evaluate, serve = next_commands(capsys.readouterr().out)
    assert [predict[:2], evaluate, serve] == [[verb, str(folder / "run")] for verb in ("predict", "evaluate", "serve")]
    assert f"\n{predict[2]}," in (folder / "test.csv").read_text("utf-8")
    for words in (predict, evaluate):
        assert main(words) == 0
    assert predict[2] in capsys.readouterr().out


def test_without_held_out_rows_nobody_is_sent_to_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = recipe(tmp_path, training={"max_steps": 2, "batch_size": 16})
    made["data"] = {"train": made["data"]["train"], "dev": None}
    assert main(["train", written(tmp_path, made)]) == 0
    said = capsys.readouterr().out
    assert [words[0] for words in next_commands(said)] == ["predict", "serve"]


def test_evaluating_new_rows_does_not_repeat_the_verdict_on_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    assert main(["train", written(tmp_path, recipe(tmp_path, training={"max_steps": 4, "batch_size": 16}))]) == 0
    assert "\ntraining  " in capsys.readouterr().out
    assert main(["evaluate", run]) == 0
    assert "\ntraining  " in capsys.readouterr().out
    assert main(["evaluate", run, "--data", str(tmp_path / "test.csv")]) == 0
    said = capsys.readouterr().out
    assert "\ntraining  " not in said
    assert "To try:" not in said
    assert "\nbaseline tfidf " in said


def test_new_says_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["new", "classify", "my recipe.yaml", "--model", "./m"]) == 0
    assert next_commands(capsys.readouterr().out) == [["check", "my recipe.yaml"], ["train", "my recipe.yaml"]]
    assert "  name: ./m\n" in Path("my recipe.yaml").read_text("utf-8")
