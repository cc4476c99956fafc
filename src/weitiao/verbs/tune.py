"""`weitiao tune`: a recipe and a space in; trials, the best recipe, and how it stands against the recipe as it is out.

`work` is one worker on a study, in this process or in any other that sees the folder; `tune` checks, starts workers,
and ends the search. What a killed worker was doing is found by the next one; a killed `tune` goes on with `resume`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import read_json, write_text
from weitiao.errors import Failed, Interrupted, Problem, ProblemsFound, Refused, StorageFull, WeitiaoError
from weitiao.messages import _, language
from weitiao.recipe import Recipe, dump_recipe, load_recipe
from weitiao.training.signals import StopSignal
from weitiao.tuning.page import render_page
from weitiao.tuning.reading import Written, parse_space, read_space
from weitiao.tuning.result import TuneResult, best_number, make_result, why_none
from weitiao.tuning.search import TRIALS, Facts, Search, misfits, open_optuna, refuse_unknown
from weitiao.tuning.space import Given, Space
from weitiao.tuning.study import About, Study, StudyFolder, used_up
from weitiao.verbs.frame import frame, read_draft
from weitiao.verbs.preflight import Preflight, inspect
from weitiao.verbs.resolving import anchored, resolved
from weitiao.verbs.sampled import looked_at, refuse_hopeless, refuse_mistakes

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

    from weitiao.evaluation.compare import Comparison
    from weitiao.tuning.space import Change
    from weitiao.verbs.clusters.session import Cluster
    from weitiao.verbs.fitting import OnEvent
    from weitiao.verbs.trials import Watch

POLL = 0.5  # seconds between looks at worker processes
LENGTH = {f"training.{key}" for key in ("epochs", "max_steps", "max_minutes", "batch_size", "evaluate_every")}


@dataclass(frozen=True, slots=True)
class Tuned:
    """A search that is finished.

    Args:
        path: its folder.
        result: what it found, as tune.json keeps it.
    """

    path: Path
    result: TuneResult

    @property
    def best(self) -> Path:
        """The best recipe, for `weitiao train`."""
        return StudyFolder(self.path).best


def _silent(_event: dict[str, Any]) -> None:
    """For workers that do not speak."""


def _never() -> bool:
    """For workers that nobody stops."""
    return False


def tune(
    recipe: Any = None,
    *,
    space: Mapping[str, Any] | Path | str | Sequence[Path | str] | None = None,
    overrides: Sequence[str] = (),
    sampler: str = "tpe",
    pruner: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    against: Sequence[str] = (),
    workers: int = 1,
    seeds: int = 3,
    storage: str = "journal",
    output: Path | str | None = None,
    resume: Path | str | None = None,
    cluster: Cluster | None = None,
    on_event: OnEvent = _silent,
) -> Tuned:
    """Search a space of recipes, or go on with a search.

    Args:
        recipe: a YAML file, a mapping or a `Recipe`; None with `resume`.
        space: key of the recipe -> what it may be, as a mapping, a file, or a list of `key=value` and one file.
        overrides: `key=value` changes to the recipe.
        sampler: tpe, random, grid, cmaes (numbers only) or nsga2.
        pruner: median or hyperband (after each evaluation), or wilcoxon (after each fold or seed).
        trials: at most so many; with `resume`, the new limit. Without minutes 20, and of a grid all.
        minutes: after which no trial begins; with `resume`, the new limit.
        against: ms_per_text, model_bytes or trained_parameters, to be weighed against the score.
        workers: processes that share the study.
        seeds: with which the winner and the recipe are trained at the end; 0 leaves that out.
        storage: journal or sqlite.
        output: the study's folder; default: the recipe's `output` and `-tune`.
        resume: folder of the study to go on with.
        cluster: where the workers are, if not on this machine alone; it says how many.
        on_event: told of phases and of each trial.

    Raises:
        ProblemsFound: recipe, data, space or search are at fault; nothing was written.
        Failed: no trial could be measured.
        Interrupted: SIGINT or SIGTERM after the folder was claimed; the study is saved.
    """
    open_optuna()
    if cluster is not None:
        cluster.check()
    if workers < 1:
        raise Refused(_("`workers` is {got}; expected at least 1").format(got=workers))
    on_event({"kind": "phase", "text": _("checking recipe, data and space")})
    if resume is not None:
        folder = StudyFolder(Path(resume))
        _take_up(folder, trials, minutes)
    else:
        if trials is None and minutes is None and sampler != "grid":
            trials = TRIALS
        search = Search(
            sampler=sampler, pruner=pruner, trials=trials, minutes=minutes, against=tuple(against), seeds=seeds,
            storage=storage,
        )  # fmt: skip
        folder = _begin(recipe, overrides, {} if space is None else space, search, output)
    with StopSignal() as stop, _resumable(folder, "" if cluster is None else cluster.words()), _turn(folder):
        return _run(folder, cluster or workers, on_event, stop)


def _begin(source: Any, overrides: Sequence[str], space: Any, search: Search, output: Path | str | None) -> StudyFolder:
    """Check everything and claim the study's folder."""
    refuse_unknown(search)
    written, parsed, problems = _read_space(space)
    draft = read_draft(source, overrides)
    if draft.problems or parsed is None:
        raise ProblemsFound([*draft.problems, *problems])
    found = inspect(draft, full=False)
    found.refuse()
    recipe = anchored(found.recipe)
    if _has_dev(found):
        recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"metric": found.metric})})
    refuse_mistakes(recipe, written, parsed)
    evaluations = _evaluations(found, parsed)
    facts = Facts(_has_dev(found), recipe.folds is not None, recipe.folds or recipe.seeds, evaluations)
    if wrong := [Problem("misfit", text) for text in misfits(search, parsed, facts)]:
        raise ProblemsFound(wrong)
    refuse_hopeless(recipe, written, parsed)
    folder = StudyFolder(Path(output if output is not None else f"{recipe.output}-tune").absolute())
    _refuse_if_taken(folder)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.recipe, dump_recipe(recipe))
    metric = found.task.metrics(found.labels)[0].name if recipe.folds else found.metric
    search = search.model_copy(update={"seed": recipe.seed})
    About(search, written, metric, _higher(metric), _measured(found), evaluations).write(folder)
    return folder


def _read_space(space: Any) -> tuple[Written, Space | None, Sequence[Problem]]:
    try:
        written = read_space(space)
        return written, parse_space(written), ()
    except ProblemsFound as error:
        return Written("", {}), None, error.problems


def _has_dev(found: Preflight) -> bool:
    return found.dataset is not None and "dev" in found.dataset.records


def _evaluations(found: Preflight, space: Space) -> int | None:
    """Evaluations of one fit; None where the space changes how many."""
    changed = {".".join(each.keys) for each in space.all()} | {".".join(each.keys) for each in space.constants}
    return None if found.plan is None or changed & LENGTH else found.plan.evaluations


def _higher(metric: str) -> bool:
    from weitiao.metrics import direction

    return direction(metric) > 0


def _measured(found: Preflight) -> dict[str, str]:
    """Fingerprint of the rows by which trials are compared."""
    if found.dataset is None:
        return {}
    split = "train" if found.recipe.folds else "dev"
    return {split: found.dataset.fingerprints.get(split, "")}


def _refuse_if_taken(folder: StudyFolder) -> None:
    if folder.path.exists() and any(folder.path.iterdir()):
        message = _(
            "{path}: there is something already; set another `output`, or go on with: weitiao tune --resume {path}"
        )
        raise Refused(message.format(path=folder.path))


def _take_up(folder: StudyFolder, trials: int | None, minutes: float | None) -> None:
    """See that the rows are those of the study, and set its new limits."""
    about = About.read(folder)
    found = inspect(load_recipe(folder.recipe, frame()), full=False, recipe_file=str(folder.recipe))
    found.refuse()
    if _measured(found) != about.measured:
        message = _(
            "{path}: the data changed since the search began, so its trials cannot be compared; start a new one"
        )
        raise Refused(message.format(path=folder.path))
    limits = {name: each for name, each in (("trials", trials), ("minutes", minutes)) if each is not None}
    if limits:
        search = about.search.model_copy(update=limits)
        refuse_unknown(search)
        replace(about, search=search).write(folder)


@contextmanager
def _resumable(folder: StudyFolder, options: str) -> Iterator[None]:
    """Say how to go on, and with which options, when the search is left before its end."""
    hint = _("{reason}; go on with: weitiao tune --resume {path}") + options
    try:
        yield
    except Interrupted as error:
        raise Interrupted(hint.format(reason=_("interrupted; the study is saved"), path=folder.path)) from error
    except StorageFull as error:
        raise StorageFull(hint.format(reason=error, path=folder.path)) from error


@contextmanager
def _turn(folder: StudyFolder) -> Iterator[None]:
    """Only one `weitiao tune` at a time ends a search."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder.turn, timeout=0):
            yield
    except Timeout as error:
        raise Refused(_("{path}: another `weitiao tune` is at work here").format(path=folder.path)) from error


def _run(folder: StudyFolder, workers: Cluster | int, on_event: OnEvent, stop: StopSignal) -> Tuned:
    """The trials, and the end of the search."""
    study = Study(folder)
    if folder.result.is_file():
        if used_up(study.search, study.trials()):
            return Tuned(folder.path, TuneResult.model_validate(read_json(folder.result)))
        folder.result.unlink()
        shutil.rmtree(folder.path / "final", ignore_errors=True)
    if not isinstance(workers, int):
        _on_cluster(study, workers, on_event, stop)
    elif workers > 1:
        _processes(study, workers, on_event, stop)
    if not stop():
        work(folder.path, on_event=on_event, stop=stop)  # also what is left where worker processes were killed
    if stop():
        raise Interrupted
    return _finish(study, on_event, stop)


def work(folder: Path | str, *, on_event: OnEvent = _silent, stop: Callable[[], bool] = _never) -> int:
    """One worker on a study: trials, one after the other, until the budget is used up; how many it did.

    Args:
        folder: of the study, which `tune` began.
        on_event: told of each trial.
        stop: whether to leave; the trial in hand goes back into the queue.

    Raises:
        Interrupted: `stop` asked for it in the middle of a trial.
    """
    study = Study(StudyFolder(Path(folder)))
    recipe = load_recipe(study.folder.recipe, frame())
    done = 0
    with study.worker() as name:
        while not stop() and (asked := study.ask(name)) is not None:
            trial, changes = asked
            _one(study, recipe, trial, changes, stop)
            done += 1
            on_event({"kind": "note", "text": trial_line(study, study.trials()[trial.number])})
    return done


def _one(study: Study, recipe: Recipe, trial: Trial, changes: Sequence[Change], stop: Callable[[], bool]) -> None:
    """One trial, from its changes to its score, or to the reason why it has none."""
    from weitiao.verbs.trials import run_trial, tidy

    found = _looked_at(study, recipe, changes, f"trained/{trial.number}")
    reasons = [problem.message for problem in found.problems if problem.severity == "error"]
    if not reasons and _measured(found) != study.about.measured:
        reasons = [_("it is measured on other rows than the recipe, so that it cannot be compared")]
    if reasons:
        study.prune(trial, "impossible", " ".join(dict.fromkeys(reasons)))
        return
    own = study.folder.trial(trial.number)
    try:
        scored = run_trial(found, own, _watch(study, trial, stop), study.search.against)
    except open_optuna().TrialPruned as error:
        study.prune(trial, "pruned", str(error))
        tidy(own)
    except (Interrupted, StorageFull):
        study.leave(trial)
        raise
    except Failed as error:
        study.fail(trial, str(error))
        tidy(own)
    else:
        trial.set_user_attr("parts", scored.parts)
        study.complete(trial, [scored.score, *(scored.costs[name] for name in study.search.against)])


def _looked_at(study: Study, recipe: Recipe, changes: Sequence[Change], output: str) -> Preflight:
    """A sampled recipe, whose runs go into the study's folder."""
    own = recipe.model_copy(update={"output": str(study.folder.path / output)})
    return looked_at(own, study.about.written, changes, full=True)


def _watch(study: Study, trial: Trial, stop: Callable[[], bool]) -> Watch:
    """Tells the pruner what it wants to know."""
    from weitiao.verbs.trials import Watch

    seen = set(study.trials()[trial.number].intermediate_values)

    def report(number: int, value: float) -> None:
        if number not in seen:
            trial.report(value, number)
        if trial.should_prune():
            raise open_optuna().TrialPruned(_("worse than the others at {number}").format(number=number))

    if study.search.pruner == "wilcoxon":
        return Watch(part=report, stop=stop)
    return Watch(stop=stop) if study.search.against else Watch(evaluation=report, stop=stop)


def trial_line(study: Study, trial: FrozenTrial) -> str:
    """`trial 3: accuracy 0.9125 (training.learning_rate=3e-05)`, or what became of it."""
    changes = ", ".join(f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
                        for key, value in trial.user_attrs.get("changes", {}).items())  # fmt: skip
    if trial.state.name == "COMPLETE":
        values = ", ".join(
            f"{name} {value:.4g}"
            for name, value in zip((study.about.metric, *study.search.against), trial.values, strict=True)
        )
        return _("trial {number}: {values} ({changes})").format(number=trial.number, values=values, changes=changes)
    words = {
        "impossible": _("trial {number} is impossible: {reason} ({changes})"),
        "pruned": _("trial {number} pruned: {reason} ({changes})"),
    }
    text = words.get(trial.user_attrs.get("kind", ""), _("trial {number} failed: {reason} ({changes})"))
    return text.format(number=trial.number, reason=trial.user_attrs.get("reason", ""), changes=changes)


def _processes(study: Study, workers: int, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Several worker processes, until all have ended; a signal is handed on to them once."""
    started = [_start(study.folder, f"{number}", workers) for number in range(workers)]
    told = _finished(study)
    asked = False
    try:
        while any(process.poll() is None for process in started):
            if stop() and not asked:
                asked = True
                for process in started:
                    process.terminate()
            _tell(study, told, on_event)
            time.sleep(POLL)
    finally:
        for process in started:
            if process.poll() is None and not asked:
                process.terminate()
    _tell(study, told, on_event)
    for number, process in enumerate(started):
        if process.returncode not in (0, Interrupted.exit_code):
            message = _("worker {number} ended with {code}; what it said is in {log}")
            log = study.folder.log(str(number))
            on_event({"kind": "note", "text": message.format(number=number, code=process.returncode, log=log)})


def _on_cluster(study: Study, cluster: Cluster, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """The workers of a cluster, until all have ended."""
    from weitiao.verbs.clusters.tuning import search_on

    told = _finished(study)
    search_on(
        cluster, study.folder.path, lambda: _tell(study, told, on_event),
        lambda text: on_event({"kind": "note", "text": text}), stop,
    )  # fmt: skip


def _finished(study: Study) -> set[int]:
    """Numbers of the trials that have ended."""
    return {trial.number for trial in study.trials() if trial.state.is_finished()}


def _tell(study: Study, told: set[int], on_event: OnEvent) -> None:
    """Of trials that ended since."""
    for trial in study.trials():
        if trial.state.is_finished() and trial.number not in told:
            told.add(trial.number)
            on_event({"kind": "note", "text": trial_line(study, trial)})


def _start(folder: StudyFolder, name: str, workers: int) -> subprocess.Popen[bytes]:
    """A worker process in a session of its own, so that Ctrl+C reaches it once, through the one that waits for it."""
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    environment = {"OMP_NUM_THREADS": threads, **os.environ}
    log = folder.log(name)
    log.parent.mkdir(exist_ok=True)
    program = "from weitiao.verbs.tune import worker_process; worker_process()"
    with log.open("ab") as stream:
        return subprocess.Popen(
            [sys.executable, "-c", program, str(folder.path), str(os.getpid())],
            env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True,
        )  # fmt: skip


def worker_process() -> None:
    """What a worker process runs; it leaves when the process that started it is gone."""
    folder, parent = sys.argv[1], int(sys.argv[2])
    with StopSignal() as signal:
        try:
            work(folder, stop=lambda: signal() or os.getppid() != parent)
        except WeitiaoError as error:
            sys.stderr.write(f"{error}\n")
            sys.exit(error.exit_code)


def _finish(study: Study, on_event: OnEvent, stop: Callable[[], bool]) -> Tuned:
    """The winner against the recipe; what is said of the search."""
    from weitiao.verbs.retraining import compare_with_recipe

    number = best_number(study)
    if number is None:
        message = _("no trial could be measured; the first, because: {reason}")
        raise Failed(message.format(reason=why_none(study)))
    folder = study.folder
    recipe = load_recipe(folder.recipe, frame())
    best = _looked_at(study, recipe, study.space.draw(Given(study.trials()[number].params)), "best")
    best.refuse()
    comparison: Comparison | None = None
    scores: dict[str, dict[str, float]] = {}
    if study.search.seeds:
        plain = inspect(recipe, full=True)
        comparison, scores = compare_with_recipe(best, plain, folder, study.search.seeds, on_event, stop)
    text = dump_recipe(resolved(best))
    result = make_result(study, task=recipe.task.name, recipe=text, comparison=comparison, seeds=scores)
    with language(recipe.report.language) if recipe.report.language else nullcontext():
        write_text(folder.best, text)
        write_text(folder.page, render_page(result, study.space))
    write_text(folder.result, result.model_dump_json(indent=2) + "\n")
    shutil.rmtree(folder.path / "final", ignore_errors=True)
    return Tuned(folder.path, result)
