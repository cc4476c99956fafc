"""`weitiao.tune` end to end on a tiny model: what it refuses, what it leaves, workers that die, going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.verbs.trained import recipe, write

import weitiao
from weitiao.artifact import read_json
from weitiao.cli import main
from weitiao.errors import Interrupted, ProblemsFound, Refused
from weitiao.recipe import load_recipe
from weitiao.tuning.study import About, Study, StudyFolder
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.searching.processes import no_more_than_needed
from weitiao.verbs.searching.trials import fit_part
from weitiao.verbs.searching.workers import work
from weitiao.verbs.tune import Tuned

PATIENCE = 180  # seconds; a busy machine needs half a minute to import torch
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "LANGUAGE": "en"}
RATES = {"training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}}


def small(folder: Path, **changes: Any) -> dict[str, Any]:
    training = {"max_steps": 2, "batch_size": 16, "learning_rate": 3e-3}
    return recipe(folder, **{"training": training, "evaluation": {"resamples": 100}, **changes})


def tuned(folder: Path, space: Any, made: dict[str, Any] | None = None, **options: Any) -> Tuned:
    return weitiao.tune(made or small(folder), space=space, **{"trials": 2, "seeds": 0, **options})


def said(folder: Path, space: Any, made: dict[str, Any] | None = None, **options: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        tuned(folder, space, made, **options)
    assert not (folder / "run-tune").exists()
    return str(caught.value).replace(str(folder) + "/", "").splitlines()


def test_a_space_of_single_values_has_nothing_to_search_once_its_keys_are_right(tmp_path: Path) -> None:
    (wrong,) = said(tmp_path, {"training.epoch": 3})
    assert wrong.endswith("unknown key 'training.epoch'; did you mean 'epochs'?")
    (right,) = said(tmp_path, {"training.epochs": 3})
    assert right.startswith("nothing to search: expected a list of choices or a range")


def test_mistakes_in_the_space_are_told_with_file_and_line_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "training.learning_rat: [1e-4, 1e-3]\n"
        "method:\n"
        "  - {name: freze, layers: [1, 2]}\n"
        "  - name: freeze\n"
        "    layer: [1, 2]\n"
        "training.batch_size: {low: 8, high: 16}\n"
        "model.dropout: [0.1, 7]\n",
        "utf-8",
    )
    lines = said(tmp_path, path)
    assert lines.pop(1).startswith("space.yaml:3: unknown method 'freze'; expected one of: ")
    assert lines == [
        "space.yaml:1: unknown key 'training.learning_rat'; did you mean 'learning_rate'?",
        "space.yaml:5: unknown key 'method.layer'; did you mean 'layers'?",
        "space.yaml:6: `training.batch_size`: got 8.0; expected a whole number",
        "space.yaml:6: `training.batch_size`: got 16.0; expected a whole number",
        "space.yaml:7: `model.dropout`: got 7; expected a number < 1",
    ]


def test_keys_by_which_trials_could_not_be_compared(tmp_path: Path) -> None:
    first, second, third = said(
        tmp_path, ["seed=[1, 2]", "training=[{metric: loss}, {epochs: 2}]", "task=[tag, classify]"]
    )
    assert (
        first == "command line: `seed` is the same for all trials, or they could not be compared; set it in the recipe"
    )
    assert "`training.metric` is the same" in second
    assert "`task` is the same" in third


def test_an_option_of_a_searched_method_is_no_mistake(tmp_path: Path) -> None:
    """`layers` is unknown to the recipe's own method, and to one of the two that are searched."""
    found = tuned(tmp_path, {"method": ["freeze", "head"], "method.layers": [1]}, sampler="grid")
    assert found.result.counts["complete"] == found.result.counts["impossible"] == 1
    assert "unknown key 'method.layers'" in next(each.reason for each in found.result.trials if each.reason)


def test_a_head_learns_by_steps_in_all_trials_where_anything_of_steps_is_searched(tmp_path: Path) -> None:
    made = recipe(tmp_path, method="head", training={}, evaluation={"resamples": 100})
    made["model"]["head"] = "mean"
    solvers = []
    for number, space in enumerate(({"training.epochs": [1.0, 2.0]}, {"method.cost": [0.5, 2.0]})):
        found = weitiao.tune(made, space=space, sampler="grid", seeds=0, output=tmp_path / f"study-{number}")
        assert found.result.counts["complete"] == 2
        solvers.append(load_recipe(found.best, frame()).method.options.solver)  # type: ignore[attr-defined]
    assert solvers == ["sgd", "lbfgs"]


def test_recipe_and_space_are_told_together(tmp_path: Path) -> None:
    lines = said(tmp_path, {"training.warmup": []}, small(tmp_path, trainin={}))
    assert len(lines) == 2
    assert "unknown key 'trainin'" in lines[0]
    assert "`training.warmup` has no choices" in lines[1]
    lines = said(tmp_path, {"training.warmpu": [0.1, 0.2]}, small(tmp_path, model="./nowhere"))
    assert len(lines) == 2
    assert "model './nowhere': no such folder" in lines[0]
    assert "unknown key 'training.warmpu'; did you mean 'warmup'?" in lines[1]


def test_a_space_without_hope_is_refused_at_once(tmp_path: Path) -> None:
    (line,) = said(tmp_path, {"method": [{"name": "freeze", "layers": [7, 8]}], "training.warmup": [0.1, 0.2]})
    assert line.startswith("none of the 4 combinations that were looked at can be trained; the first, because: ")
    assert line.endswith("`method.layers` is 7, but the model has 2 layers")


def test_a_method_with_a_search_of_its_own_is_written_as_a_list(tmp_path: Path) -> None:
    made = small(tmp_path, method="head")
    assert said(tmp_path, "method={name: freeze, layers: [7, 8]}", made) == [
        "command line: the alternatives of `method` are written as a list: `method=[{name: freeze, layers: [7, 8]}]`"
    ]


def test_a_search_that_cannot_work(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["data"]["dev"] = None
    assert "there are none; set `data.dev`" in said(tmp_path, RATES, made)[0]
    assert said(tmp_path, RATES, sampler="gird")[0].startswith("unknown sampler 'gird'")
    assert said(tmp_path, RATES, trials=1.5) == ["`trials`: got 1.5; expected a whole number"]
    assert said(tmp_path, RATES, workers=1.5) == ["`workers` is 1.5; expected at least 1"]
    assert said(tmp_path, RATES, pruner="median") == [
        "median needs two evaluations of a trial at least, and it has 1; set training.evaluate_every"
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            [
                "a.yaml",
                "b=1",
                "--resume",
                "runs/a",
                "--space",
                "a=[1, 2]",
                "--output",
                "runs/b",
                "--sampler",
                "grid",
                "--pruner",
                "median",
                "--seeds",
                "3",
                "--against",
                "ms_per_text",
                "--storage",
                "sqlite",
            ],
            "and leave out RECIPE, KEY=VALUE, --space, --output, --sampler, --pruner, --against, --seeds, --storage",
        ),
        ([], "RECIPE is missing"),
        (["recipe.yaml"], "--space is missing"),
        (["--resume", "runs/a", "--space", "a=[1, 2]"], "--resume goes on with the search's own recipe and space"),
        (["--resume", "runs/none"], "not a study (no study.json in it)"),
        (["recipe.yaml", "--space", "a=[1, 2]", "--workers", "0"], "`workers` is 0; expected at least 1"),
    ],
)
def test_words_that_do_not_go_together(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_what_a_search_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the command line: a grid of which one is impossible, the comparison, and a best recipe to train."""
    path, space = tmp_path / "recipe.yaml", tmp_path / "space.yaml"
    YAML().dump(small(tmp_path), path)
    space.write_text("method: [{name: freeze, layers: [1, 5]}, head]\n", "utf-8")
    words = ["tune", str(path), "--space", str(space), "--sampler", "grid", "--seeds", "2"]
    assert main([*words, "--output", str(tmp_path / "study"), "--json"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)["result"]
    assert "trial 1 is impossible: `method.layers` is 5, but the model has 2 layers" in printed.err
    assert result["counts"] == {"complete": 2, "pruned": 0, "impossible": 1, "failed": 0, "lost": 0}
    assert not (tmp_path / "study/trials/1").exists()  # nothing was trained
    assert set(result["seeds"]["best"]) == set(result["seeds"]["recipe"]) == {"18", "19"}  # the search had 17
    assert result["comparison"]["split"] == "dev"
    assert result["seconds"] > sum(each["seconds"] for each in result["trials"])  # the comparison takes time too
    assert read_json(tmp_path / "study/tune.json") == result
    assert {each.name for each in (tmp_path / "study/trials/0").iterdir()} == {
        "recipe.yaml", "log.jsonl", "fit.json", "part.json",
    }  # fmt: skip
    assert (tmp_path / "study/tune.html").read_text("utf-8").startswith("<!doctype html>")
    assert main(["train", str(tmp_path / "study/best.yaml")]) == 0
    capsys.readouterr()
    assert main(["tune", "--resume", str(tmp_path / "study")]) == 0  # what is done is not done again
    assert "is the best of 2: accuracy" in capsys.readouterr().out
    assert main([*words, "--output", str(tmp_path / "study")]) == 2


def test_the_test_rows_decide_nothing(tmp_path: Path) -> None:
    made = small(tmp_path)
    first = tuned(tmp_path, RATES, made, output=tmp_path / "one")
    write(tmp_path / "test.csv", 30, seed=5)
    second = tuned(tmp_path, RATES, made, output=tmp_path / "two")
    assert [each.score for each in first.result.trials] == [each.score for each in second.result.trials]
    scores = [json.loads(line)["dev"]["accuracy"] for line in _log(tmp_path / "one/trials/0") if "dev" in line]
    assert first.result.trials[0].score == max(scores)


def _log(folder: Path) -> list[str]:
    return (folder / "log.jsonl").read_text("utf-8").splitlines()


def test_a_winner_that_is_the_recipe_is_not_trained_against_it(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    space = {"training.learning_rate": [3e-3], "method": ["full", "head"]}
    found = tuned(tmp_path, space, sampler="grid", seeds=1, trials=1, on_event=told.append)
    assert found.result.same and found.result.comparison is None
    assert not [each for each in told if "seed" in each.get("text", "")]
    sentence = "The best recipe is the recipe as it is, so the two were not trained and compared."
    assert found.result.sentences()[1] == sentence
    assert sentence in StudyFolder(found.path).page.read_text("utf-8")


def test_trials_on_folds_and_their_pruner(tmp_path: Path) -> None:
    made = small(tmp_path, folds=5)
    made["data"]["dev"] = None
    found = tuned(tmp_path, {"method": ["full", "head"]}, made, pruner="wilcoxon", seeds=1)
    first = found.result.trials[0]
    assert len(first.parts) == len(first.curve) == 5
    assert first.score == pytest.approx(sum(first.parts.values()) / 5)
    assert found.result.comparison is not None
    assert (found.result.comparison.split, found.result.comparison.rows) == ("train", 160)


def test_wilcoxon_spares_a_trial_whose_last_part_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pruner that would give up everything has nothing to save behind the last fold."""
    asked: list[int] = []

    def prune(_self: Any, _study: Any, trial: Any) -> bool:
        asked.append(max(trial.intermediate_values))
        return trial.number == 1 and asked[-1] == 2

    monkeypatch.setattr("optuna.pruners.WilcoxonPruner.prune", prune)
    made = small(tmp_path, folds=5)
    made["data"]["dev"] = None
    found = tuned(tmp_path, {"method": ["full", "head"]}, made, pruner="wilcoxon", sampler="grid")
    assert [each.state for each in found.result.trials] == ["complete", "pruned"]
    assert asked == [0, 1, 2, 3, 0, 1, 2]
    assert not list((tmp_path / "run-tune/trials").rglob("model.safetensors"))


@pytest.mark.parametrize("folds", [None, 3])
def test_a_trial_that_was_measured_and_not_noted_keeps_its_figures(
    folds: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the end of its last fit and the study's word of it, when its weights are gone."""
    costs = ("model_bytes", "ms_per_text")
    made = small(tmp_path, folds=folds)
    if folds:
        made["data"]["dev"] = None
    complete = Study.complete

    def killed(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "complete", killed)
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path, RATES, made, trials=1, against=costs)
    assert not list((tmp_path / "run-tune/trials").rglob("model.safetensors"))
    monkeypatch.setattr(Study, "complete", complete)
    (trial,) = (each for each in weitiao.tune(resume=tmp_path / "run-tune").result.trials if each.state == "complete")
    assert trial.costs["model_bytes"] > 1000 and trial.costs["ms_per_text"] > 0
    assert trial.score is not None and len(trial.parts) == (folds or 1)


def test_a_combination_that_breaks_does_not_end_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(found: Any, *rest: Any, **options: Any) -> Any:
        if found.recipe.method.name == "full":
            raise RuntimeError("cannot allocate memory")
        return fit_part(found, *rest, **options)

    monkeypatch.setattr("weitiao.verbs.searching.trials.fit_part", broken)
    found = tuned(tmp_path, {"method": ["full", "head"]}, sampler="grid")
    assert [(each.state, each.reason) for each in found.result.trials] == [
        ("failed", "RuntimeError: cannot allocate memory"), ("complete", ""),
    ]  # fmt: skip


def test_score_against_costs(tmp_path: Path) -> None:
    costs = ("ms_per_text", "model_bytes", "trained_parameters")
    found = tuned(tmp_path, {"method": ["full", "head"]}, sampler="grid", against=costs)
    whole, head = (found.result.trial(number).costs for number in (0, 1))
    assert whole["trained_parameters"] > head["trained_parameters"] > 0
    assert whole["model_bytes"] > 1000 and whole["ms_per_text"] > 0
    assert 1 in found.result.front


def test_a_trial_that_is_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optuna.pruners.MedianPruner.prune", lambda _self, _study, trial: trial.number == 1)
    made = small(tmp_path)
    made["training"] |= {"max_steps": 4, "evaluate_every": 1}
    found = tuned(tmp_path, RATES, made, pruner="median")
    assert [each.state for each in found.result.trials] == ["complete", "pruned"]
    assert [step for step, _value in found.result.trials[0].curve] == [1, 2, 3, 4]
    assert len(found.result.trials[1].curve) == 1
    assert not (tmp_path / "run-tune/trials/1/checkpoints").exists()


def test_a_trial_that_breaks_costs_that_trial(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["training"] |= {"max_steps": 4, "clip": None}
    found = tuned(tmp_path, {"training.learning_rate": [1e-3, 1e38]}, made, sampler="grid")
    assert [each.state for each in found.result.trials] == ["complete", "failed"]
    assert "not finite" in found.result.trials[1].reason


def test_what_was_measured_is_not_trained_again(tmp_path: Path) -> None:
    space = {"method": ["head", "full"], "training.warmup": [0.0, 0.1]}
    found = tuned(tmp_path, space, sampler="random", trials=4)
    trained = {int(path.parent.name) for path in (tmp_path / "run-tune/trials").glob("*/fit.json")}
    again = {each.number for each in found.result.trials if each.reason.startswith("the same as trial")}
    assert trained | again == {0, 1, 2, 3} and not trained & again
    assert found.result.counts["complete"] == 4


def test_a_space_that_is_used_up_ends_the_search(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    space = {"method": ["head", "full"]}
    found = tuned(tmp_path, space, trials=None, minutes=60, sampler="random", on_event=told.append)
    assert len([each for each in found.result.trials if not each.reason]) == 2
    notes = [each["text"] for each in told if each["kind"] == "note"]
    assert notes[-1] == "every combination of the space was tried (2); the search ends before its budget"
    told.clear()
    weitiao.tune(resume=found.path, trials=500, on_event=told.append)
    assert [each["text"] for each in told if each["kind"] == "note"] == [
        "every combination of the space was tried (2); there is nothing to go on with"
    ]


def test_going_on_takes_nothing_of_what_began_the_search(tmp_path: Path) -> None:
    tuned(tmp_path, RATES, trials=1)
    with pytest.raises(Refused, match=r"^`resume` goes on .* and leave out space, overrides, sampler, seeds$"):
        weitiao.tune(resume=tmp_path / "run-tune", space=RATES, overrides="seed=1", sampler="tpe", seeds=3)


def test_a_word_that_stands_alone_is_one(tmp_path: Path) -> None:
    found = tuned(tmp_path, RATES, overrides="training.max_steps=1", against="trained_parameters", trials=1)
    assert list(found.result.trials[0].costs) == ["trained_parameters"]
    assert read_json(tmp_path / "run-tune/study.json")["search"]["against"] == ["trained_parameters"]
    assert "max_steps: 1" in found.recipe.read_text("utf-8")


def test_no_more_workers_than_trials_and_a_word_on_more_than_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weitiao.verbs.searching.processes.cores", lambda: 2)
    tuned(tmp_path, RATES, trials=1)
    folder = StudyFolder(tmp_path / "run-tune")
    about = About.read(folder)
    told: list[dict[str, Any]] = []
    needed = {}
    for trials in (2, 4, 900):
        replace(about, search=about.search.model_copy(update={"trials": trials})).write(folder)
        needed[trials] = no_more_than_needed(Study(folder), 500, told.append)
    assert needed == {2: 1, 4: 3, 900: 500}
    assert [each["text"] for each in told] == [
        "3 workers share 2 cores, each with a memory of its own",
        "500 workers share 2 cores, each with a memory of its own",
    ]


def test_the_console_marks_the_front(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    YAML().dump(small(tmp_path), tmp_path / "recipe.yaml")
    words = ["tune", str(tmp_path / "recipe.yaml"), "--space", "method=[full, head]", "--sampler", "grid"]
    assert main([*words, "--seeds", "0", "--against", "trained_parameters"]) == 0
    printed = capsys.readouterr().out
    front = read_json(tmp_path / "run-tune/tune.json")["front"]
    assert 1 in front and "* no other trial beats it in everything" in printed
    marked = [int(line.split("*")[0]) for line in printed.splitlines() if line.strip()[1:2] == "*"]
    assert sorted(marked) == front


def test_a_search_goes_on_with_a_larger_budget(tmp_path: Path) -> None:
    tuned(tmp_path, RATES, trials=1)
    found = weitiao.tune(resume=tmp_path / "run-tune", trials=2)
    assert found.result.counts["complete"] == 2


def test_what_is_given_on_going_on_takes_the_place_of_both_limits(tmp_path: Path) -> None:
    tuned(tmp_path, RATES, trials=1)
    told: list[dict[str, Any]] = []
    weitiao.tune(resume=tmp_path / "run-tune", on_event=told.append)
    assert [each["text"] for each in told if each["kind"] == "note"] == [
        "the budget of this search is used up; to go on, give more trials or minutes than it had"
    ]
    found = weitiao.tune(resume=tmp_path / "run-tune", minutes=0.01)
    assert found.result.counts["complete"] >= 1
    search = About.read(StudyFolder(tmp_path / "run-tune")).search
    assert (search.trials, search.minutes) == (None, 0.01)


def test_other_rows_are_refused_on_going_on(tmp_path: Path) -> None:
    tuned(tmp_path, RATES, trials=1)
    write(tmp_path / "train.csv", 150, seed=9)
    with pytest.raises(Refused, match="the data changed since the search began"):
        weitiao.tune(resume=tmp_path / "run-tune", trials=2)


def test_a_signal_leaves_a_study_that_goes_on(tmp_path: Path) -> None:
    """In the middle of a trial, which goes on from its checkpoint and ends as if nothing had been."""
    made = small(tmp_path)
    made["training"] |= {"max_steps": 6, "evaluate_every": 2}
    straight = tuned(tmp_path, RATES, made, output=tmp_path / "straight", pruner="median")
    sent = False

    def interrupt(folder: Path) -> None:
        nonlocal sent
        if not sent and (folder / "trials/1/log.jsonl").is_file() and len(_log(folder / "trials/1")) > 3:
            sent = True
            signal.raise_signal(signal.SIGTERM)

    watching = _Watched(lambda: interrupt(tmp_path / "run-tune"))
    with (
        watching,
        pytest.raises(Interrupted, match=r"interrupted; the study is saved; go on with: weitiao tune --resume"),
    ):
        tuned(tmp_path, RATES, made, pruner="median")
    resumed = weitiao.tune(resume=tmp_path / "run-tune")
    assert resumed.result.counts["lost"] == 1
    scores = [each.score for each in resumed.result.trials if each.score is not None]
    assert scores == [each.score for each in straight.result.trials]
    assert resumed.result.trials[2].curve == straight.result.trials[1].curve
    lost, own = tmp_path / "run-tune/trials/1", tmp_path / "run-tune/trials/2"
    assert not lost.exists()
    assert _log(own) == _log(tmp_path / "straight/trials/1")


class _Watched:
    """Calls a function after each training step."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action, self.patch = action, pytest.MonkeyPatch()

    def __enter__(self) -> None:
        from weitiao.training.journal import Journal

        write_line = Journal.write

        def write_and_act(journal: Journal, entry: Any) -> None:
            write_line(journal, entry)
            self.action()

        self.patch.setattr(Journal, "write", write_and_act)

    def __exit__(self, *_exception: object) -> None:
        self.patch.undo()


def test_one_worker_by_itself(tmp_path: Path) -> None:
    """What a cluster runs: `work` on the folder of a study."""
    tuned(tmp_path, RATES, trials=1)
    folder = StudyFolder(tmp_path / "run-tune")
    assert work(folder.path) == 0  # the budget is used up
    about = About.read(folder)
    replace(about, search=about.search.model_copy(update={"trials": 2})).write(folder)
    assert work(folder.path) == 1
    assert [trial.state.name for trial in Study(folder).trials()] == ["COMPLETE", "COMPLETE"]


def start(*words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "weitiao", "tune", *map(str, words)],
        env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_kill_in_the_middle_and_resume(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["training"] |= {"epochs": 5, "max_steps": 40}
    YAML().dump(made, tmp_path / "recipe.yaml")
    space = f"training.learning_rate={json.dumps(RATES['training.learning_rate'])}"
    process = start(tmp_path / "recipe.yaml", "--space", space, "--trials", "3", "--seeds", "0")
    study = tmp_path / "run-tune"
    wait_for((study / "trials/1/log.jsonl").is_file)
    process.kill()
    process.communicate()
    found = weitiao.tune(resume=study)
    assert found.result.counts["complete"] == 3
    assert found.result.counts["lost"] == 1
    straight = tuned(tmp_path, RATES, made, trials=3, output=tmp_path / "straight")
    scores = [each.score for each in found.result.trials if each.score is not None]
    assert scores == [each.score for each in straight.result.trials]


@pytest.mark.slow
def test_two_workers_of_which_one_is_killed(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["training"] |= {"epochs": 8, "max_steps": 60}
    YAML().dump(made, tmp_path / "recipe.yaml")
    space = f"training.learning_rate={json.dumps(RATES['training.learning_rate'])}"
    process = start(tmp_path / "recipe.yaml", "--space", space, "--trials", "5", "--seeds", "0", "--workers", "2")
    study = tmp_path / "run-tune"
    wait_for(lambda: len(list(study.glob("trials/*/log.jsonl"))) >= 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    _out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    result = read_json(study / "tune.json")
    assert result["counts"]["complete"] == 5
    assert result["counts"]["lost"] <= 1
    assert "worker" in err


@pytest.mark.slow
def test_a_signal_reaches_all_workers(tmp_path: Path) -> None:
    made = small(tmp_path)
    made["training"] |= {"epochs": 5000, "max_steps": 40000}
    YAML().dump(made, tmp_path / "recipe.yaml")
    space = f"training.learning_rate={json.dumps(RATES['training.learning_rate'])}"
    process = start(tmp_path / "recipe.yaml", "--space", space, "--trials", "4", "--seeds", "0", "--workers", "2")
    study = tmp_path / "run-tune"
    wait_for(lambda: len(list(study.glob("trials/*/log.jsonl"))) >= 2)
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "interrupted; the study is saved; go on with: weitiao tune --resume" in err
    states = [trial.state.name for trial in Study(StudyFolder(study)).trials()]
    assert states == ["FAIL", "FAIL", "WAITING", "WAITING"]  # both put back


def test_problems_as_python_sees_them(tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound) as caught:
        tuned(tmp_path, {"training.epoch": [1, 2]})
    (problem,) = caught.value.problems
    assert problem.code == "unknown-key"
