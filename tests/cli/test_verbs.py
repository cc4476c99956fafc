"""Verbs through the command line: what they print, with a tiny model."""

from __future__ import annotations

import json
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


def test_train_warns_before_it_opens_the_model_and_only_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe(tmp_path, training={"epochs": 1, "batch_size": 16})
    path = tmp_path / "train.csv"
    path.write_text(path.read_text("utf-8") + "good film one,pos\ngood film one,neg\n", "utf-8")
    assert main(["train", written(tmp_path, made)]) == 0
    said = capsys.readouterr().err
    assert said.count("with different labels") == said.count("\n1 warning\n") == 1
    assert said.index("with different labels") < said.index("\n1 warning\n") < said.index("opening the model")


def test_evaluate_says_once_what_it_measures_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", written(tmp_path, recipe(tmp_path, training={"epochs": 1, "batch_size": 16}))]) == 0
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    said = capsys.readouterr()
    assert (said.out + said.err).replace(str(tmp_path), "").count("test") == 1
    assert main(["evaluate", str(tmp_path / "run"), "--data", str(tmp_path / "test.csv")]) == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"measured on 40 of 40 rows of {tmp_path / 'test.csv'}\n")
    assert "measured on" not in said.err


def test_the_score_of_a_run_has_one_interval_in_its_report_and_beside_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, rate in (("a", 3e-3), ("b", 1e-5)):
        made = recipe(tmp_path, output=str(tmp_path / name), training={"epochs": 2, "learning_rate": rate})
        assert main(["train", written(tmp_path, made)]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["metrics"]["accuracy"]
    for name in ("a", "b"):
        assert shown[name] == json.loads((tmp_path / name / "report.json").read_text())["metrics"]["accuracy"]
    assert shown["a"]["value"] - shown["b"]["value"] == pytest.approx(shown["difference"]["value"])


def test_the_adapter_of_a_run_answers_is_listed_and_becomes_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = recipe(tmp_path, training={"epochs": 1, "batch_size": 16}, method={"name": "freeze", "layers": 1})
    assert main(["train", written(tmp_path, made)]) == 0
    run, target = tmp_path / "run", tmp_path / "merged"
    capsys.readouterr()
    assert main(["adapters", "list", str(tmp_path), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["adapters"]
    assert (entry["name"], entry["method"], entry["base"]) == ("run", "freeze", str(tmp_path / "tiny"))
    assert main(["adapters", "merge", str(run), str(target)]) == 0
    assert capsys.readouterr().out == f"wrote {target}\n"
    said = []
    for model in (run, run / "adapter", target):
        assert main(["predict", str(model), "good film", "bad room"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] == said[2]
    for source, model in (("a.jsonl", run), ("b.jsonl", run / "adapter")):
        output = str(tmp_path / source)
        assert main(["predict", str(model), "--input", str(tmp_path / "test.csv"), "--output", output]) == 0
    labels = [
        [json.loads(line)["prediction"]["labels"] for line in (tmp_path / name).read_text("utf-8").splitlines()]
        for name in ("a.jsonl", "b.jsonl")
    ]
    assert labels[0] == labels[1]
    assert len(labels[0]) == 40


def test_predict_says_how_many_texts_it_read_in_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = recipe(tmp_path, training={"epochs": 1, "batch_size": 16, "max_length": 16})
    assert main(["train", written(tmp_path, made)]) == 0
    (tmp_path / "new.csv").write_text("review\n" + "good film " * 40 + "\nnice room\n", "utf-8")
    run, output = str(tmp_path / "run"), str(tmp_path / "out.jsonl")
    capsys.readouterr()
    assert main(["predict", run, "--input", str(tmp_path / "new.csv"), "--output", output, "--json"]) == 0
    said = capsys.readouterr()
    sentence = "warning: 1 of 2 texts is longer than 16 tokens; the model read only its beginning"
    assert said.err.splitlines()[-1] == sentence
    told = json.loads(said.out)
    assert (told["truncated"], told["max_length"]) == (1, 16)
    assert main(["predict", run, "nice room", "good film " * 40, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == sentence
    assert json.loads(said.out)["truncated"] == [1]
    assert main(["predict", run, "nice room"]) == 0
    assert "longer than" not in capsys.readouterr().err


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


def test_help_names_both_sides_of_a_switch(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learn", "--help"]) == 0
    said = capsys.readouterr().out
    assert "--promote, --no-promote" in said and "[default: --promote]" in said
    assert main(["learn", "run", "--no-promot"]) == 2
    assert "unknown option '--no-promot'; did you mean '--no-promote'?" in capsys.readouterr().err
