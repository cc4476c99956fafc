"""`weitiao curve`: nested sizes, what is kept of each, an interruption anywhere, and the same curve after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.verbs.trained import recipe, write

import weitiao
from weitiao.cli import main
from weitiao.errors import Interrupted, Refused
from weitiao.evaluation.learning import LearningCurve

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "LANGUAGE": "en"}


def small(folder: Path, **changes: Any) -> dict[str, Any]:
    return recipe(folder, **{"training": {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3}, **changes})


def drawn(folder: Path, **changes: Any) -> LearningCurve:
    return weitiao.curve(small(folder, **changes), points=3, seeds=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data, and an undisturbed curve in `run-curve`."""
    made = tmp_path_factory.mktemp("curve")
    drawn(made)
    return made


def read(folder: Path) -> LearningCurve:
    return LearningCurve.model_validate_json((folder / "curve.json").read_text("utf-8"))


def test_sizes_double_and_every_model_answers_dev(folder: Path) -> None:
    curve = read(folder / "run-curve")
    assert [each.share for each in curve.points] == [0.25, 0.5, 1.0]
    assert [each.rows for each in curve.points] == [32, 64, 128]
    assert (curve.split, curve.scored_rows, curve.metric) == ("dev", 32, "accuracy")
    assert all(list(each.seeds) == ["17", "18"] for each in curve.points)
    for each in curve.points:
        assert each.score.low <= each.score.value <= each.score.high
        assert each.score.value == pytest.approx(sum(each.seeds.values()) / 2)


def test_of_a_finished_fit_its_scores_and_its_log_are_kept(folder: Path) -> None:
    point = folder / "run-curve/points/0.25/17"
    assert sorted(each.name for each in point.iterdir()) == ["fit.json", "log.jsonl", "score.json"]
    score = json.loads((point / "score.json").read_text("utf-8"))
    assert len(score["draws"]) == 200
    assert not (folder / "run-curve/cache").exists()
    assert {"curve.json", "curve.html", "curve.png", "recipe.yaml", "data.json", "sizes.json"} < {
        each.name for each in (folder / "run-curve").iterdir()
    }


def test_an_interrupted_curve_goes_on_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    phases = 0

    def leave(event: dict[str, Any]) -> None:
        nonlocal phases
        phases += "seed" in event.get("text", "")
        if phases == 4:
            raise KeyboardInterrupt

    made = small(tmp_path)
    made["data"] = small(folder)["data"]
    with pytest.raises(Interrupted, match=f"go on with: weitiao curve --resume {tmp_path / 'run-curve'}"):
        weitiao.curve(made, points=3, seeds=2, on_event=leave)
    finished = sorted((tmp_path / "run-curve").rglob("score.json"))
    assert len(finished) == 3
    before = [path.stat().st_mtime_ns for path in finished]
    weitiao.curve(resume=tmp_path / "run-curve")
    assert [path.stat().st_mtime_ns for path in finished] == before
    one, other = read(tmp_path / "run-curve"), read(folder / "run-curve")
    assert one.model_copy(update={"model": other.model}) == other


def test_a_method_that_is_left_open_is_said_to_be_one_for_all_sizes(tmp_path: Path) -> None:
    notes: list[str] = []
    made = small(tmp_path, method="auto", training={"max_steps": 1})
    weitiao.curve(made, points=1, seeds=1, on_event=lambda event: notes.append(event.get("text", "")))
    assert "`method: auto` is settled once, on all rows: every size is trained by full" in notes


def test_a_curve_is_never_overwritten(folder: Path) -> None:
    words = (
        r"a curve is already there; go on with it by: weitiao curve --resume .*, or name another folder with --output"
    )
    with pytest.raises(Refused, match=words):
        drawn(folder)


def test_other_rows_are_refused_on_resuming(tmp_path: Path) -> None:
    weitiao.curve(small(tmp_path), points=1, seeds=1)
    write(tmp_path / "train.csv", 150, seed=9)
    with pytest.raises(Refused, match="the data changed since the run began"):
        weitiao.curve(resume=tmp_path / "run-curve")


def test_a_run_is_no_curve(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"not a folder of weitiao curve \(no sizes\.json in it\)"):
        weitiao.curve(resume=tmp_path)


def test_without_dev_the_test_rows_are_scored_and_it_is_said(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["data"]["dev"] = None
    curve = weitiao.curve(made, points=1, seeds=1)
    assert (curve.split, curve.scored_rows) == ("test", 40)
    assert "on test goes from" in curve.sentences[0]


def test_without_dev_and_test_there_is_nothing_to_score_on(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["data"] |= {"dev": None, "test": None}
    with pytest.raises(Refused, match="needs rows to score on"):
        weitiao.curve(made, points=1, seeds=1)
    assert not (tmp_path / "run-curve").exists()


@pytest.mark.parametrize(("points", "seeds"), [(0, 1), (1, 0), (1, -1), (-3, 3)])
def test_no_size_and_no_seed_are_refused_before_anything_is_written(tmp_path: Path, points: int, seeds: int) -> None:
    with pytest.raises(Refused, match=f"`points` is {points} and `seeds` is {seeds}; expected at least 1 of each"):
        weitiao.curve(small(tmp_path), points=points, seeds=seeds)
    assert not (tmp_path / "run-curve").exists()


def noted(made: dict[str, Any], **asked: int) -> list[str]:
    """What a curve notes before it trains."""
    notes: list[str] = []

    def leave(event: dict[str, Any]) -> None:
        if event["kind"] == "note":
            notes.append(event["text"])
        if "seed" in event.get("text", "") and event["kind"] == "phase":
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        weitiao.curve(made, **asked, on_event=leave)
    return notes


def test_seeds_and_folds_of_the_recipe_are_said_to_be_left_aside(tmp_path: Path) -> None:
    notes = noted(small(tmp_path, seeds=5, folds=2), points=1, seeds=2)
    assert "`seeds: 5` of the recipe is left aside; --seeds says how many models each size has, here 2" in notes
    assert "`folds: 2` of the recipe is left aside: every model of a curve answers the same rows of dev" in notes


def test_it_is_said_how_many_sizes_the_rows_make(tmp_path: Path) -> None:
    words = "sizes: 5 of the 50 asked for; each is half the next, and of 128 training rows one more would have fewer"
    assert any(note.startswith(words) for note in noted(small(tmp_path), points=50, seeds=1))


def test_nothing_is_noted_of_a_curve_as_it_was_asked_for(tmp_path: Path) -> None:
    made = small(tmp_path)
    write(tmp_path / "dev.csv", 100, seed=3)
    made["data"]["dev"] = str(tmp_path / "dev.csv")
    assert noted(made, points=5, seeds=1) == []


def test_few_scored_rows_are_noted_with_what_gives_more(tmp_path: Path) -> None:
    (few,) = noted(small(tmp_path), points=1, seeds=1)
    assert few.startswith(
        "32 rows to score are few: below 100 a share is known to within 10 points at best; label more"
    )


def test_sizes_too_small_to_learn_from_are_left_out(tmp_path: Path) -> None:
    made = small(tmp_path, training={"epochs": 0.2, "batch_size": 64})
    curve = weitiao.curve(made, points=9, seeds=1)
    assert curve.points[0].rows == 8


def test_what_is_passed_around_has_no_path_of_this_machine_and_speaks_as_the_recipe_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    curve = weitiao.curve(small(tmp_path, report={"language": "zh_CN"}), points=1, seeds=1)
    assert curve.model == "tiny"
    page = (tmp_path / "run-curve/curve.html").read_text("utf-8")
    assert '<html lang="zh-CN">' in page
    assert str(tmp_path) not in page


def test_the_command_prints_what_the_curve_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    YAML().dump(small(tmp_path), tmp_path / "recipe.yaml")
    words = ["curve", str(tmp_path / "recipe.yaml"), "--points", "1", "--seeds", "1", "--output", str(tmp_path / "c")]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "no law is fitted through fewer than 4 sizes" in said
    assert main(["curve", "--resume", str(tmp_path / "c"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["points"][0]["rows"] == 128
    assert main(["curve", str(tmp_path / "recipe.yaml"), "--points", "0"]) == 2
    assert "`points` is 0 and `seeds` is 3; expected at least 1 of each" in capsys.readouterr().err


@pytest.mark.slow
def test_a_signal_ends_it_with_130(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["training"]["epochs"] = 60
    YAML().dump(made, tmp_path / "recipe.yaml")
    process = subprocess.Popen(
        [sys.executable, "-m", "weitiao", "curve", str(tmp_path / "recipe.yaml")],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 180
    while not list((tmp_path / "run-curve").rglob("log.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert "go on with: weitiao curve --resume" in err
