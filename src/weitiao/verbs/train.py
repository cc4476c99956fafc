"""`weitiao train`: a recipe in, a finished run out; or one more go at a run that was interrupted.

Everything that can be wrong is reported before weights are opened. Then one fit, or one a fold and a seed; then the
report. A run that was killed anywhere goes on with `resume` and ends with the same bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder, read_json, write_json, write_text
from weitiao.errors import Interrupted, Refused, StorageFull
from weitiao.messages import _
from weitiao.recipe import dump_recipe, load_recipe
from weitiao.training.signals import StopSignal
from weitiao.verbs.preparing.conditions import conditions, other_rounding, refuse_changed
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.preparing.memory import MEMORY, draft_with, named
from weitiao.verbs.preparing.preflight import Preflight, inspect
from weitiao.verbs.preparing.resolving import resolved
from weitiao.verbs.run import Run

if TYPE_CHECKING:
    from weitiao.verbs.clusters.session import Cluster
    from weitiao.verbs.fitting.fit import Fitted, OnEvent


def _silent(_event: dict[str, Any]) -> None:
    """For the processes that do not speak."""


def train(
    recipe: Any = None,
    *,
    data: Any = None,
    overrides: Sequence[str] = (),
    strict: bool = False,
    resume: Path | str | None = None,
    cluster: Cluster | None = None,
    on_event: OnEvent = _silent,
) -> Run:
    """Train by a recipe, or go on with an interrupted run.

    Args:
        recipe: a YAML file, a mapping or a `Recipe`; None with `resume`.
        data: rows in Python (DataFrame, list of mappings) in place of the recipe's files: one object, or split ->
        object.
        overrides: `key=value` changes to the recipe.
        strict: treat warnings as errors.
        resume: folder of the run to go on with.
        cluster: where to train, if not in this process.
        on_event: told of phases, of problems that stop nothing, of steps, evaluations and notes.

    Raises:
        ProblemsFound: recipe or data are at fault; nothing was written.
        Interrupted: SIGINT or SIGTERM after the folder was claimed; the run is saved.
    """
    if not is_main():
        on_event = _silent
    if cluster is not None:
        cluster.check()
    if resume is not None:
        folder = RunFolder(Path(resume))
        if folder.compression.is_file():
            raise Refused(
                _("{path}: made by weitiao compress, and not by training; resume its run").format(path=resume)
            )
        found = _reopened(folder, data, on_event)
    else:
        found = _looked_at(recipe, data, overrides, on_event, strict=strict)
        folder = RunFolder(Path(found.recipe.output))
    with StopSignal() as stop:
        if is_main():
            _take(folder, found, new=resume is None)
        with resumable(folder, options="" if cluster is None else cluster.words()):
            if cluster is None:
                _fit_all(found, folder, on_event, stop)
            else:
                from weitiao.verbs.clusters.training import fit_on

                fit_on(cluster, folder, data, on_event, stop)
        return _finished(found, folder)


def go_on(folder: RunFolder, data: Any, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Finish the run in a folder that was looked at and claimed elsewhere, as one process of a group."""
    if not is_main():
        on_event = _silent
    found = _reopened(folder, data, _silent)
    if is_main():
        folder.sweep()
    _fit_all(found, folder, on_event, stop)


def _looked_at(recipe: Any, data: Any, overrides: Sequence[str], on_event: OnEvent, *, strict: bool) -> Preflight:
    """A recipe that may be trained by, as it takes effect."""
    on_event({"kind": "phase", "text": _("checking recipe and data")})
    draft, memory = draft_with(recipe, overrides, data)
    found = inspect(draft, memory=memory, full=True)
    judge(found, on_event, strict=strict)
    found.recipe = resolved(found, memory or ())
    return found


def _take(folder: RunFolder, found: Preflight, *, new: bool) -> None:
    """Make the folder ready to be written into."""
    if new:
        folder.claim()
        write_text(folder.recipe, dump_recipe(found.recipe))
    else:
        folder.sweep()


def judge(found: Preflight, on_event: OnEvent, *, strict: bool = False) -> None:
    """Tell what is odd, before any weights are opened; refuse what is at fault."""
    odd = [problem for problem in found.warnings if problem.severity == "note" or not strict]
    if odd:
        on_event({"kind": "problems", "problems": odd})
    found.refuse(strict=strict)


def _reopened(folder: RunFolder, data: Any, on_event: OnEvent) -> Preflight:
    """A run that may be gone on with: recipe and data are those that it began with."""
    if not folder.recipe.is_file():
        raise Refused(_("{path}: not a run folder (no recipe.yaml in it)").format(path=folder.path))
    return found_again(folder, data, on_event)


def found_again(folder: RunFolder, data: Any, on_event: OnEvent, verb: str = "train") -> Preflight:
    """What `folder` was begun with, looked at once more.

    Raises:
        Refused: the rows are not those that it was begun with.
    """
    on_event({"kind": "phase", "text": _("checking recipe and data")})
    before = read_json(folder.data) if folder.data.is_file() else {}
    if data is None and any(file.get("format") == MEMORY for file in before.get("files", [])):
        message = _(
            "{path}: the run was trained on rows in memory, which are not kept; hand the rows over: "
            "weitiao.{verb}(resume={run!r}, data=rows)"
        )
        raise Refused(message.format(path=folder.path, verb=verb, run=str(folder.path)))
    with resumable(folder, verb):
        recipe = load_recipe(folder.recipe, frame())
        found = inspect(recipe, memory=named(data), full=True, recipe_file=str(folder.recipe))
    judge(found, on_event)
    if before and before.get("splits") != data_json(found)["splits"]:
        raise Refused(
            _("{path}: the data changed since the run began, so it cannot be resumed; start a new run").format(
                path=folder.path
            )
        )
    return found


@contextmanager
def resumable(folder: RunFolder, verb: str = "train", options: str = "") -> Iterator[None]:
    """Say how to go on, and with which options, when the run is left before its end."""
    hint = _("{reason}; go on with: weitiao {verb} --resume {path}") + options
    try:
        yield
    except KeyboardInterrupt as error:  # while no StopSignal is held
        raise Interrupted(hint.format(reason=_("interrupted"), verb=verb, path=folder.path)) from error
    except Interrupted as error:
        raise Interrupted(hint.format(reason=error, verb=verb, path=folder.path)) from error
    except StorageFull as error:
        raise StorageFull(hint.format(reason=error, verb=verb, path=folder.path)) from error


def is_main() -> bool:
    """Whether this process is the one that writes and speaks: the only one, or the launcher's first."""
    return int(os.environ.get("RANK", "0")) == 0


def data_json(found: Preflight) -> dict[str, Any]:
    """What data.json keeps: files, ledger, splits with fingerprints, labels."""
    dataset = found.dataset
    if dataset is None:
        raise Refused(_("there are no rows to train on"))
    return {**dataset.to_json(), "labels": list(found.labels)}


def _fit_all(found: Preflight, folder: RunFolder, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """All fits of a run, and its report."""
    import torch

    from weitiao.training.processes import Processes
    from weitiao.verbs.fitting.fit import leave_if
    from weitiao.verbs.fitting.repeats import Repeats
    from weitiao.verbs.fitting.reporting import report

    processes = Processes.current()
    if found.recipe.training.threads:
        torch.set_num_threads(found.recipe.training.threads)
    if processes.is_main:
        note_conditions(found, folder, on_event, processes.count)
    processes.wait()  # until the first one has claimed the folder and written into it
    fits = Repeats(found, folder, on_event, stop).run()
    leave_if(stop, _("interrupted before measuring; the run is saved"))
    if is_main():
        on_event({"kind": "phase", "text": _("measuring")})
        report(found, folder, fits)
        shutil.rmtree(folder.path / "cache", ignore_errors=True)
        _remember(found, fits.fitted[0])
    processes.wait()


def _finished(found: Preflight, folder: RunFolder) -> Run:
    from weitiao.verbs.starting.question import first_question

    run = Run(folder)
    run.warnings = found.warnings
    run.question = first_question(found)
    return run


def note_conditions(found: Preflight, folder: RunFolder, on_event: OnEvent, processes: int) -> None:
    """Write data.json, or see whether a run that has it may go on."""
    now = conditions(found, folder, processes=processes)
    if not folder.data.is_file():
        write_json(folder.data, {**data_json(found), "resume": now})
        return
    before = read_json(folder.data).get("resume", {})
    refuse_changed(folder, before, now)
    for text in other_rounding(before, now):
        on_event({"kind": "note", "text": text})


def _remember(found: Preflight, fitted: Fitted) -> None:
    """Let the next plan know how fast this machine is."""
    from weitiao.training.processes import Processes
    from weitiao.verbs.planning.plan import remember_speed

    alone = Processes.current().count == 1  # a plan is for one process
    if found.plan is not None and found.plan.steps and alone:
        remember_speed(found.plan.work * fitted.steps / found.plan.steps, fitted.seconds, found.plan.speed_key)
