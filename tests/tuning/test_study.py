"""A study that workers share: the budget, lost trials, what is drawn again, and half-written journals. No training."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from weitiao.errors import Refused
from weitiao.tuning.page import render_page
from weitiao.tuning.reading import read_space
from weitiao.tuning.result import make_result
from weitiao.tuning.search import Search
from weitiao.tuning.study import REPEATS, RETRIES, About, Study, StudyFolder, busy_seconds, exhausted, trials_left

SPACE = {"model.dropout": {"low": 0.0, "high": 0.5}, "method": ["head", "full"]}


def begun(path: Path, space: Any = None, **search: Any) -> StudyFolder:
    folder = StudyFolder(path)
    settings = Search(**{"sampler": "random", "trials": 4, "seeds": 0, **search})
    About(settings, read_space(space or SPACE), "accuracy", True, {"dev": "x"}, 3).write(folder)
    return folder


def parameters(study: Study) -> list[dict[str, Any]]:
    return [trial.params for trial in study.trials()]


def run_all(study: Study) -> None:
    with study.worker() as name:
        while (asked := study.ask(name)) is not None:
            study.complete(asked[0], [asked[0].number / 10])


def test_a_lost_trial_does_not_change_what_is_drawn_after_it(tmp_path: Path) -> None:
    straight = Study(begun(tmp_path / "straight"))
    run_all(straight)
    study = Study(begun(tmp_path / "lost"))
    with study.worker() as name:
        study.ask(name)
    run_all(study)
    done = [trial.params for trial in study.trials() if trial.state.name == "COMPLETE"]
    assert done == parameters(straight)


@pytest.mark.parametrize("storage", ["journal", "sqlite"])
def test_a_budget_is_used_up_and_a_larger_one_goes_on(storage: str, tmp_path: Path) -> None:
    folder = begun(tmp_path, storage=storage)
    run_all(Study(folder))
    assert len(Study(folder).trials()) == 4
    begun(tmp_path, storage=storage, trials=6)
    study = Study(folder)
    run_all(study)
    assert [trial.number for trial in study.trials()] == list(range(6))


@pytest.mark.parametrize("sampler", ["cmaes", "nsga2"])
def test_samplers_draw_within_the_space(sampler: str, tmp_path: Path) -> None:
    space = {"model.dropout": {"low": 0.1, "high": 0.2}, "training.warmup": {"low": 0, "high": 9, "int": True}}
    study = Study(begun(tmp_path, space, sampler=sampler, trials=6))
    run_all(study)
    assert len({str(each) for each in parameters(study)}) == 6
    assert all(
        0.1 <= each["model.dropout"] <= 0.2 and each["training.warmup"] in range(10) for each in parameters(study)
    )


def test_nsga2_learns_from_scores_within_the_usual_budget(tmp_path: Path) -> None:
    """Twenty trials are several generations: less dropout is better in one study and worse in the other."""
    drawn = {}
    for sign in (1, -1):
        study = Study(begun(tmp_path / str(sign), sampler="nsga2", trials=20))
        with study.worker() as name:
            while (asked := study.ask(name)) is not None:
                study.complete(asked[0], [sign * asked[0].params["model.dropout"]])
        drawn[sign] = [each["model.dropout"] for each in parameters(study)]
    assert drawn[1][:5] == drawn[-1][:5]
    assert sum(drawn[1][10:]) > sum(drawn[-1][10:])


@pytest.mark.parametrize("pruner", ["median", "hyperband", "wilcoxon"])
def test_pruners_give_up_what_is_worse(pruner: str, tmp_path: Path) -> None:
    """The later the trial, the worse it is from its first value on."""
    study = Study(begun(tmp_path, pruner=pruner, trials=12))
    with study.worker() as name:
        while (asked := study.ask(name)) is not None:
            _learn(study, asked[0])
    states = [trial.state.name for trial in study.trials()]
    assert states[0] == "COMPLETE"
    assert "PRUNED" in states


def _learn(study: Study, trial: Any) -> None:
    for number in range(1, 9):
        trial.report(1 - 0.05 * trial.number + 0.001 * number * (trial.number + 1), number)
        if trial.should_prune():
            study.prune(trial, "pruned", "worse")
            return
    study.complete(trial, [1 - 0.05 * trial.number])


def test_what_is_drawn_does_not_depend_on_interruptions(tmp_path: Path) -> None:
    straight = Study(begun(tmp_path / "straight", sampler="tpe", trials=14))
    run_all(straight)
    for trials in range(1, 15):
        run_all(Study(begun(tmp_path / "often", sampler="tpe", trials=trials)))
    assert parameters(Study(StudyFolder(tmp_path / "often"))) == parameters(straight)


def ask_and_die(path: Path) -> None:
    study = Study(StudyFolder(path))
    with study.worker() as name:
        asked = study.ask(name)
        assert asked is not None
        folder = study.folder.trial(asked[0].number).path
        folder.mkdir(parents=True)
        (folder / "left.txt").write_text("half a trial", "utf-8")
        os.kill(os.getpid(), signal.SIGKILL)


def killed_worker(path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=ask_and_die, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def test_the_trial_of_a_killed_worker_is_done_by_another_which_goes_on_in_its_folder(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    study = Study(folder)
    with study.worker() as living:
        own = study.ask(living)
        assert own is not None
        killed_worker(tmp_path)
        again = study.ask(living)
        assert again is not None
        assert [trial.state.name for trial in study.trials()] == [
            "RUNNING",
            "FAIL",
            "RUNNING",
        ]  # the living one's is left
        assert again[0].params == study.trials()[1].params
        assert (folder.trial(2).path / "left.txt").read_text("utf-8") == "half a trial"
        for asked in (own, again):
            study.complete(asked[0], [0.5])
    run_all(study)
    result = make_result(study, task="classify", recipe="")
    assert result.counts == {"complete": 4, "pruned": 0, "impossible": 0, "failed": 0, "lost": 1}
    assert result.trial(1).reason == "its worker was lost"


def test_a_trial_that_kills_every_worker_is_given_up(tmp_path: Path) -> None:
    folder = begun(tmp_path, trials=1)
    study = Study(folder)
    for _time in range(RETRIES):
        with study.worker() as name:
            assert study.ask(name) is not None
        # the worker is gone, and its trial still stands as running
    with study.worker() as name:
        assert study.ask(name) is None
    assert study.trials()[-1].user_attrs["reason"] == f"its worker was lost {RETRIES} times"


def test_a_worker_that_is_asked_to_leave_puts_its_trial_back_without_a_strike(tmp_path: Path) -> None:
    study = Study(begun(tmp_path, trials=1))
    for _time in range(RETRIES + 2):
        with study.worker() as name:
            asked = study.ask(name)
            assert asked is not None
            study.leave(asked[0])
    run_all(study)
    assert [trial.state.name for trial in study.trials()] == ["FAIL"] * (RETRIES + 2) + ["COMPLETE"]
    assert len({str(each) for each in parameters(study)}) == 1


def test_what_the_pruner_saw_of_a_lost_trial_is_kept(tmp_path: Path) -> None:
    study = Study(begun(tmp_path, pruner="median"))
    with study.worker() as name:
        asked = study.ask(name)
        assert asked is not None
        asked[0].report(0.7, 1)
    with study.worker() as name:
        assert study.ask(name) is not None
    assert study.trials()[1].intermediate_values == {1: 0.7}


def test_a_grid_is_run_through_once_whoever_asks(tmp_path: Path) -> None:
    space = {"method": [{"name": "freeze", "layers": [1, 2]}, "head"], "training.epochs": [1, 2]}
    folder = begun(tmp_path, space, sampler="grid", trials=None)
    with Study(folder).worker() as name:
        Study(folder).ask(name)
    run_all(Study(folder))
    done = [trial.params for trial in Study(folder).trials() if trial.state.name == "COMPLETE"]
    assert len(done) == len({str(sorted(each.items())) for each in done}) == 6


def test_a_space_with_an_end_ends_the_search_whoever_asks(tmp_path: Path) -> None:
    space = {"method": ["head", "full"], "training.warmup": {"low": 0.0, "high": 0.2, "step": 0.1}}
    folder = begun(tmp_path, space, trials=None, minutes=60)
    study = Study(folder)
    with study.worker() as one, study.worker() as other:
        while (asked := study.ask(one)) is not None:
            study.complete(asked[0], [0.5])
        assert Study(folder).ask(other) is None
    assert len({str(each) for each in parameters(study)}) == 6
    assert exhausted(study.search, study.space, study.trials()) == "every combination of the space was tried (6)"
    run_all(Study(begun(tmp_path, space, trials=500)))
    assert len(Study(folder).trials()) == len(study.trials())


def test_the_last_combination_in_hand_leaves_nothing_for_others_unless_it_is_lost(tmp_path: Path) -> None:
    folder = begun(tmp_path, {"method": ["head", "full"]}, sampler="random", trials=None, minutes=60)
    study = Study(folder)
    with study.worker() as other:
        with study.worker() as one:
            while len({str(each) for each in parameters(study)}) < 2:
                assert study.ask(one) is not None
            assert study.ask(other) is None
        again = study.ask(other)  # the worker of all of them is gone
        assert again is not None and "continues" in study.trials()[again[0].number].user_attrs


def test_a_row_of_draws_that_tell_nothing_ends_the_search(tmp_path: Path) -> None:
    """Of two choices that are one, the space cannot know."""
    space = {"method": [{"name": "head"}, "head"]}
    study = Study(begun(tmp_path, space, sampler="random", trials=500))
    run_all(study)
    assert len(study.trials()) == REPEATS + 1
    reason = f"the last {REPEATS} combinations drawn had all been tried before"
    assert exhausted(study.search, study.space, study.trials()) == reason


def test_how_many_trials_are_left(tmp_path: Path) -> None:
    def left(space: Any, **search: Any) -> list[int | None]:
        study = Study(begun(tmp_path / str(len(list(tmp_path.iterdir()))), space, **search))
        before = trials_left(study.search, study.space, study.trials())
        with study.worker() as name:
            asked = study.ask(name)
            assert asked is not None
            study.complete(asked[0], [0.5])
        return [before, trials_left(study.search, study.space, study.trials())]

    assert left(SPACE, trials=4) == [4, 3]
    assert left({"method": ["head", "full"]}, trials=4) == [2, 1]
    assert left({"method": ["head", "full"]}, sampler="grid", trials=None) == [2, 1]
    assert left(SPACE, trials=None, minutes=9) == [None, None]


def test_minutes(tmp_path: Path) -> None:
    study = Study(begun(tmp_path, trials=None, minutes=1e-9))
    run_all(study)
    assert len(study.trials()) == 1
    assert busy_seconds(study.trials()) > 0


def test_half_a_line_of_a_killed_writer_does_no_harm(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    with Study(folder).worker() as name:
        Study(folder).ask(name)
    journal = tmp_path / "study.journal"
    with journal.open("ab") as stream:
        stream.write(b'{"op_code": 5, "worker_i')
    run_all(Study(folder))
    assert journal.read_bytes().endswith(b"}\n")
    assert len([trial for trial in Study(folder).trials() if trial.state.name == "COMPLETE"]) == 4


def test_no_study(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"not a study \(no study.json in it\)"):
        About.read(StudyFolder(tmp_path))


def test_the_page_shows_trials_and_what_decides_and_escapes_what_it_shows(tmp_path: Path) -> None:
    space = {"model.name": ["<b>", "c"], "model.dropout": {"low": 0.0, "high": 0.5}}
    study = Study(begun(tmp_path, space, trials=12))
    with study.worker() as name:
        while (asked := study.ask(name)) is not None:
            study.complete(asked[0], [0.5 + asked[0].params["model.dropout"]])
    result = make_result(study, task="classify", recipe="task: <i>classify")
    assert result.importance["model.dropout"] > result.importance["model.name"]
    page = render_page(result, study.space)
    assert "task: &lt;i&gt;classify" in page and "<b>" not in page
    assert page.count("<svg") == 2 + 2  # history and importance, a slice each
    assert f'data-key="trials.{result.best}.score"' in page


def test_a_search_for_less_takes_the_least(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    About(Search(sampler="random", trials=3, seeds=0), read_space(SPACE), "loss", False, {}, None).write(folder)
    study = Study(folder)
    run_all(study)
    assert make_result(study, task="classify", recipe="").best == 0


def test_costs_make_a_front(tmp_path: Path) -> None:
    study = Study(begun(tmp_path, sampler="nsga2", against=("model_bytes",)))
    values = iter([(0.5, 10.0), (0.9, 30.0), (0.8, 40.0), (0.6, 10.0)])
    with study.worker() as name:
        while (asked := study.ask(name)) is not None:
            study.complete(asked[0], next(values))
    result = make_result(study, task="classify", recipe="")
    assert (result.best, result.front) == (1, [1, 3])
    assert result.trial(3).costs == {"model_bytes": 10.0}
    assert "trained parameters" not in render_page(result, study.space)
