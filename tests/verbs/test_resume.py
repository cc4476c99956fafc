"""Going on with a run: from the written recipe alone, from another folder, and only as long as nothing changed."""

from __future__ import annotations

import csv
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file
from tests.verbs.trained import recipe

import weitiao
from weitiao.artifact import read_json, write_json
from weitiao.cli import main
from weitiao.errors import Interrupted, Refused
from weitiao.recipe import dump_recipe, load_recipe
from weitiao.verbs.preparing.frame import frame

WEIGHTS = "model/model.safetensors"


def interrupted(made: dict[str, Any], *, data: Any = None) -> Path:
    """A run that a signal ended at its third step."""

    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 3:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        weitiao.train(made, data=data, on_event=interrupt)
    return Path(made["output"])


def relative(folder: Path) -> dict[str, Any]:
    made = recipe(folder)
    del made["data"]["dev"], made["training"]["learning_rate"]
    made["training"]["epochs"] = 2
    made["model"]["name"] = "./tiny"
    made["data"] = {"train": "train.csv", "test": ["test.csv"]}
    return {**made, "output": "run"}


def test_the_written_recipe_has_what_took_effect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = weitiao.train(relative(tmp_path))
    written = load_recipe(first.folder.recipe, frame())
    assert written.data.train == str(tmp_path / "train.csv")
    assert written.data.test == [str(tmp_path / "test.csv")]
    assert (written.data.dev, "dev" in written.data.model_fields_set) == ("10%", True)
    assert written.model.name == str(tmp_path / "tiny")
    assert written.training.learning_rate == 1e-4  # of a narrow model
    assert written.training.max_length == 128
    assert written.training.metric == "accuracy"
    assert dump_recipe(written) == first.folder.recipe.read_text("utf-8")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = weitiao.train(tmp_path / "run/recipe.yaml", overrides=["output=again"])
    for name in (WEIGHTS, "predictions.jsonl", "log.jsonl"):
        assert (again.path / name).read_bytes() == (tmp_path / "run" / name).read_bytes()
    assert weitiao.load(tmp_path / "run") is not None
    assert weitiao.evaluate(tmp_path / "run").report.rows == 40


def test_a_recipe_object_is_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = load_recipe(relative(tmp_path), frame())
    assert not weitiao.check(made).problems
    assert weitiao.train(made, overrides=["training.max_steps=2"]).path == Path("run")


def test_resumed_from_another_folder_it_ends_in_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    straight = weitiao.train({**relative(tmp_path), "output": str(tmp_path / "straight")})
    interrupted(relative(tmp_path))
    monkeypatch.chdir(tmp_path.parent)
    resumed = weitiao.train(resume=tmp_path / "run")
    for name in ("report.json", "report.html", "README.md"):  # what is passed around names nobody's folders
        assert f"{tmp_path.name}/tiny" in (resumed.path / name).read_text("utf-8")
        assert str(tmp_path.parent) not in (resumed.path / name).read_text("utf-8")
    for name in (WEIGHTS, "predictions.jsonl", "log.jsonl"):
        assert (resumed.path / name).read_bytes() == (straight.path / name).read_bytes()


def edited_recipe(folder: Path) -> None:
    path = folder / "run/recipe.yaml"
    path.write_text(path.read_text("utf-8").replace("weight_decay: 0.01", "weight_decay: 0.02"), "utf-8")


def other_weights(folder: Path) -> None:
    path = folder / "tiny/model.safetensors"
    tensors = load_file(path)
    first = min(tensors)
    save_file({**tensors, first: tensors[first] + 1}, path, metadata={"format": "pt"})


@pytest.mark.parametrize(("change", "what"), [(edited_recipe, "recipe.yaml"), (other_weights, "the pretrained model")])
def test_a_changed_recipe_or_model_is_refused(change: Callable[[Path], None], what: str, tmp_path: Path) -> None:
    run = interrupted(recipe(tmp_path))
    change(tmp_path)
    with pytest.raises(Refused) as caught:
        weitiao.train(resume=run)
    assert str(caught.value) == (f"{run}: {what} changed since the run began, so it cannot be resumed; start a new run")


def test_other_threads_and_processes_are_noted(tmp_path: Path) -> None:
    run = interrupted(recipe(tmp_path))
    data = read_json(run / "data.json")
    threads = data["resume"]["threads"]
    write_json(run / "data.json", {**data, "resume": {**data["resume"], "threads": 99, "processes": 2}})
    notes: list[str] = []
    weitiao.train(resume=run, on_event=lambda event: notes.append(event.get("text", "")))
    assert f"torch threads: {threads} instead of 99; the result may differ in its last bits" in notes
    assert "processes: 1 instead of 2; the result may differ in its last bits" in notes


def test_killed_before_the_data_were_noted(tmp_path: Path) -> None:
    run = interrupted(recipe(tmp_path))
    (run / "data.json").unlink()
    shutil.rmtree(run / "checkpoints")
    weitiao.train(resume=run)
    assert read_json(run / "data.json")["resume"]["processes"] == 1


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def test_a_run_on_rows_in_memory_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = recipe(tmp_path)
    rows = {"train": rows_of(tmp_path / "train.csv")}
    run = interrupted({**made, "data": {"train": "memory", "dev": "20%"}}, data=rows)
    assert main(["train", "--resume", str(run)]) == 2
    assert f"hand the rows over: weitiao.train(resume='{run}', data=rows)" in capsys.readouterr().err
    assert weitiao.train(resume=run, data=rows).report.split == "dev"


@pytest.mark.parametrize(
    "own",
    [
        {"train": "absent.csv"},
        {"train": "absent.csv", "dev": "absent.csv", "test": ["absent.csv"]},
        {"file": "absent.csv", "dev": "30%"},
        "absent.csv",
        None,
    ],
)
def test_rows_in_python_replace_all_of_the_recipes_sources(own: Any, tmp_path: Path) -> None:
    made = {**recipe(tmp_path), "data": own}
    if own is None:
        del made["data"]
    rows = rows_of(tmp_path / "train.csv")
    for data in (rows, {"train": rows}):
        found = weitiao.check(made, data=data)
        assert not found.problems
        dev = 48 if isinstance(own, dict) and own.get("dev") == "30%" else 16
        assert found.dataset is not None
        assert {name: len(each) for name, each in found.dataset.records.items()} == {"train": 160 - dev, "dev": dev}
    made["training"]["max_steps"] = 2
    assert weitiao.train(made, data=rows).report.split == "dev"
