"""`weitiao tune`: a recipe and a space in; trials, the best recipe, and how it stands against the recipe as it is out.

Everything that can be wrong is told before the folder is claimed. Then workers share the study (`workers`); then the
winner is trained beside the recipe. A search that was killed anywhere goes on with `resume`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weitiao.artifact import read_json, write_text
from weitiao.errors import Failed, Interrupted, Problem, ProblemsFound, Refused, StorageFull
from weitiao.events import OnEvent, silent
from weitiao.messages import _, language
from weitiao.methods.options import OF_STEPS, SET_ASIDE, HeadOptions
from weitiao.recipe import Recipe, dump_recipe, load_recipe
from weitiao.training.signals import StopSignal
from weitiao.tuning.page import render_page
from weitiao.tuning.reading import Written, nothing_to_search, parse_space, read_space
from weitiao.tuning.result import Compared, TuneResult, best_number, make_result, why_none
from weitiao.tuning.search import TRIALS, Facts, Search, make_search, misfits, open_optuna, refuse_beside_resume
from weitiao.tuning.space import Given, Space
from weitiao.tuning.study import About, Study, StudyFolder, exhausted, used_up
from weitiao.verbs.clusters.session import Cluster, cluster_at, reached
from weitiao.verbs.preparing.frame import frame, read_draft
from weitiao.verbs.preparing.preflight import Preflight, inspect
from weitiao.verbs.preparing.resolving import anchored, resolved
from weitiao.verbs.searching.processes import no_more_than_needed, worker_processes
from weitiao.verbs.searching.sampled import mistakes, refuse_hopeless
from weitiao.verbs.searching.workers import measured_rows, trial_recipe, work

BY_STEPS = {f"training.{key}" for key in (*SET_ASIDE, *OF_STEPS)}
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
    def recipe(self) -> Path:
        """The recipe as it was, for `weitiao train`."""
        return StudyFolder(self.path).recipe

    @property
    def best(self) -> Path:
        """The best recipe, for `weitiao train`."""
        return StudyFolder(self.path).best


@dataclass(frozen=True, slots=True)
class Begun:
    """A search that may be worked on.

    Args:
        about: what is to stand in its study.json.
        recipe: what is to stand in its recipe.yaml; None where it stands there.
    """

    folder: StudyFolder
    about: About
    recipe: Recipe | None = None

    def claim(self) -> None:
        """Write it down."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        if self.recipe is not None:
            write_text(self.folder.recipe, dump_recipe(self.recipe))
        self.about.write(self.folder)


def tune(
    recipe: Any = None,
    *,
    space: Mapping[str, Any] | Path | str | Sequence[Path | str] | None = None,
    overrides: Sequence[str] | str = (),
    sampler: str | None = None,
    pruner: str | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    against: Sequence[str] | str = (),
    workers: int = 1,
    seeds: int | None = None,
    storage: str | None = None,
    output: Path | str | None = None,
    resume: Path | str | None = None,
    cluster: Cluster | str | None = None,
    on_event: OnEvent = silent,
) -> Tuned:
    """Search a space of recipes, or go on with a search.

    Args:
        recipe: a YAML file, a mapping or a `Recipe`; None with `resume`.
        space: key of the recipe -> what it may be, as a mapping, a file, or a list of `key=value` and one file.
        overrides: `key=value` changes to the recipe.
        sampler: tpe (default), random, grid, cmaes (numbers only) or nsga2.
        pruner: median or hyperband (after each evaluation), or wilcoxon (after each fold or seed).
        trials: at most so many, those of earlier sessions counted. Without minutes 20, and of a grid all.
        minutes: after which no trial begins. With `resume`, what is given of the two takes the place of both.
        against: ms_per_text, model_bytes or trained_parameters, to be weighed against the score.
        workers: processes that share the study; no more are started than trials are left.
        seeds: with which the winner and the recipe are trained at the end; 0 leaves that out; default 3.
        storage: journal (default) or sqlite.
        output: the study's folder; default: the recipe's `output` and `-tune`.
        resume: folder of the study to go on with; takes new limits and workers, and nothing of what began it.
        cluster: where the workers are, if not on this machine alone; it says how many. Its name stands for
            one with the defaults.
        on_event: told of phases and of each trial.

    Raises:
        ProblemsFound: recipe, data, space or search are at fault; nothing was written.
        Failed: no trial could be measured.
        Interrupted: SIGINT or SIGTERM after the folder was claimed; the study is saved.
    """
    open_optuna()
    where = cluster_at(cluster)
    if not isinstance(workers, int) or workers < 1:
        raise Refused(_("`workers` is {got}; expected at least 1").format(got=workers))
    options = {
        "sampler": sampler, "pruner": pruner, "against": _several(against), "seeds": seeds, "storage": storage,
    }  # fmt: skip
    around = {"recipe": recipe, "space": space, "overrides": _several(overrides), "output": output}
    if resume is not None:
        refuse_beside_resume("`resume`", {**around, **options})
        on_event({"kind": "phase", "text": _("checking recipe, data and space")})
        begun = _take_up(StudyFolder(Path(resume).absolute()), trials, minutes)
        if (done := _done_before(begun, on_event)) is not None:
            return done
    else:
        if trials is None and minutes is None and sampler != "grid":
            trials = TRIALS
        given = {name: value for name, value in options.items() if value is not None}
        search = make_search(trials=trials, minutes=minutes, **given)
        on_event({"kind": "phase", "text": _("checking recipe, data and space")})
        begun = _begin(recipe, _several(overrides), {} if space is None else space, search, output, on_event)
    folder = begun.folder
    with (
        StopSignal() as stop,
        _resumable(folder, "" if where is None else where.words()),
        reached(where, on_event),
        _turn(folder),
    ):
        begun.claim()
        return _run(folder, where or workers, on_event, stop)


def _several(words: Sequence[str] | str) -> tuple[str, ...]:
    """Several words, or one that stands alone."""
    return (words,) if isinstance(words, str) else tuple(words)


def _begin(
    source: Any, overrides: Sequence[str], space: Any, search: Search, output: Path | str | None, on_event: OnEvent
) -> Begun:
    """Check everything; nothing is written."""
    found = inspect(read_draft(source, overrides), full=False)
    written, parsed, problems = _read_space(space)
    problems = [*(problem for problem in found.problems if problem.severity == "error"), *problems]
    if parsed is not None:
        problems += mistakes(found.recipe, written, parsed) or nothing_to_search(written, parsed)
    if parsed is None or problems:
        raise ProblemsFound(problems)
    evaluations = _evaluations(found, parsed)
    facts = Facts(
        _has_dev(found), found.recipe.folds is not None, found.recipe.folds or found.recipe.seeds, evaluations
    )
    if wrong := [Problem("misfit", text) for text in misfits(search, parsed, facts)]:
        raise ProblemsFound(wrong)
    if found.warnings:
        on_event({"kind": "problems", "problems": found.warnings})
    recipe = _fixed(found, {".".join(change.keys) for change in parsed.touched()})
    refuse_hopeless(recipe, written, parsed)
    folder = StudyFolder(Path(output if output is not None else f"{recipe.output}-tune").absolute())
    _refuse_if_taken(folder)
    metric = found.task.metrics(found.labels)[0].name if recipe.folds else found.metric
    search = search.model_copy(update={"seed": recipe.seed})
    return Begun(folder, About(search, written, metric, _higher(metric), measured_rows(found), evaluations), recipe)


def _fixed(found: Preflight, searched: Collection[str]) -> Recipe:
    """The recipe in any folder, with the metric by which all trials are compared, and one way for a head to learn."""
    recipe = anchored(found.recipe)
    metric = found.metric if _has_dev(found) else recipe.training.metric
    changed: dict[str, Any] = {"training": recipe.training.model_copy(update={"metric": metric})}
    if isinstance(recipe.method.options, HeadOptions) and BY_STEPS & set(searched):
        options = recipe.method.options.by_steps()
        changed["method"] = recipe.method.model_copy(update={"options": options})
    return recipe.model_copy(update=changed)


def _read_space(space: Any) -> tuple[Written, Space | None, list[Problem]]:
    try:
        written = read_space(space)
        return written, parse_space(written), []
    except ProblemsFound as error:
        return Written("", {}), None, list(error.problems)


def _has_dev(found: Preflight) -> bool:
    return found.dataset is not None and "dev" in found.dataset.records


def _evaluations(found: Preflight, space: Space) -> int | None:
    """Evaluations of one fit; None where the space changes how many."""
    changed = {".".join(change.keys) for change in space.touched()}
    return None if found.plan is None or changed & LENGTH else found.plan.evaluations


def _higher(metric: str) -> bool:
    from weitiao.metrics import direction

    return direction(metric) > 0


def _refuse_if_taken(folder: StudyFolder) -> None:
    if folder.path.exists() and any(folder.path.iterdir()):
        message = _(
            "{path}: there is something already; set another `output`, or go on with: weitiao tune --resume {path}"
        )
        raise Refused(message.format(path=folder.path))


def _take_up(folder: StudyFolder, trials: int | None, minutes: float | None) -> Begun:
    """See that the rows are those of the study, and put new limits in the place of both old ones, unwritten."""
    about = About.read(folder)
    found = inspect(load_recipe(folder.recipe, frame()), full=False, recipe_file=str(folder.recipe))
    found.refuse()
    if measured_rows(found) != about.measured:
        message = _(
            "{path}: the data changed since the search began, so its trials cannot be compared; start a new one"
        )
        raise Refused(message.format(path=folder.path))
    if trials is not None or minutes is not None:
        search = make_search(**{**about.search.model_dump(), "trials": trials, "minutes": minutes})
        about = replace(about, search=search)
    return Begun(folder, about)


def _done_before(begun: Begun, on_event: OnEvent) -> Tuned | None:
    """A search that is finished, and that the limits of now do not go beyond."""
    folder, search = begun.folder, begun.about.search
    if not folder.result.is_file():
        return None
    study = Study(folder)
    text = _("the budget of this search is used up; to go on, give more trials or minutes than it had")
    if reason := exhausted(search, study.space, study.trials()):
        text = _("{reason}; there is nothing to go on with").format(reason=reason)
    elif not used_up(search, study.trials()):
        return None
    on_event({"kind": "note", "text": text})
    begun.claim()
    return Tuned(folder.path, TuneResult.model_validate(read_json(folder.result)))


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
        folder.result.unlink()
        shutil.rmtree(folder.path / "final", ignore_errors=True)
    if not isinstance(workers, int):
        from weitiao.verbs.clusters.tuning import search_on

        search_on(workers, study, on_event, stop)
    elif (needed := no_more_than_needed(study, workers, on_event)) > 1:
        worker_processes(study, needed, on_event, stop)
    if not stop():
        work(folder.path, on_event=on_event, stop=stop)  # also what is left where worker processes were killed
    if stop():
        raise Interrupted
    reason = exhausted(study.search, study.space, study.trials())
    if reason and not used_up(study.search, study.trials()):
        on_event({"kind": "note", "text": _("{reason}; the search ends before its budget").format(reason=reason)})
    return _finish(study, on_event, stop)


def _finish(study: Study, on_event: OnEvent, stop: Callable[[], bool]) -> Tuned:
    """The winner against the recipe; what is said of the search."""
    from weitiao.verbs.searching.retraining import Sides, compare_with_recipe

    number = best_number(study)
    if number is None:
        message = _("no trial could be measured; the first, because: {reason}")
        raise Failed(message.format(reason=why_none(study)))
    folder = study.folder
    recipe = load_recipe(folder.recipe, frame())
    best = trial_recipe(study, recipe, study.space.draw(Given(study.trials()[number].params)), "best")
    best.refuse()
    compared: Compared | None = None
    plain = inspect(recipe, full=True) if study.search.seeds else None
    same = plain is not None and _settled(best) == _settled(plain)
    if plain is not None and not same:
        sides = Sides(best, plain, folder.final(f"trial-{number}"), folder.final("recipe"))
        compared = compare_with_recipe(sides, study.search.seeds, on_event, stop)
    text = dump_recipe(resolved(best))
    result = make_result(study, task=recipe.task.name, recipe=text, compared=compared, same=same)
    with language(recipe.report.language) if recipe.report.language else nullcontext():
        write_text(folder.best, text)
        write_text(folder.page, render_page(result, study.space))
    write_text(folder.result, result.model_dump_json(indent=2) + "\n")
    shutil.rmtree(folder.path / "final", ignore_errors=True)
    return Tuned(folder.path, result)


def _settled(found: Preflight) -> Recipe:
    """A recipe with all that takes effect, wherever its runs go."""
    return resolved(found).model_copy(update={"output": ""})
