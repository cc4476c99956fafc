"""`weitiao train`: a recipe in, a finished run out; or one more go at a run that was interrupted.

Everything that can be wrong is reported before weights are opened. Then one fit, or one a fold and a seed; then the
report. A run that was killed anywhere goes on with `resume` and ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder, write_text
from weitiao.errors import Refused
from weitiao.events import OnEvent, silent
from weitiao.machine import is_main
from weitiao.messages import _
from weitiao.recipe import dump_recipe
from weitiao.training.signals import StopSignal
from weitiao.verbs.clusters.session import Cluster, cluster_at, reached
from weitiao.verbs.preparing.claimed import reopened, resumable
from weitiao.verbs.preparing.memory import draft_with
from weitiao.verbs.preparing.preflight import Preflight, inspect, judge
from weitiao.verbs.preparing.resolving import resolved
from weitiao.verbs.run import Run


def train(
    recipe: Any = None,
    *,
    data: Any = None,
    overrides: Sequence[str] = (),
    strict: bool = False,
    resume: Path | str | None = None,
    cluster: Cluster | str | None = None,
    on_event: OnEvent = silent,
) -> Run:
    """Train by a recipe, or go on with an interrupted run.

    Args:
        recipe: a YAML file, a mapping or a `Recipe`; None with `resume`.
        data: rows in Python (DataFrame, list of mappings) in place of the recipe's files: one object, or split ->
        object.
        overrides: `key=value` changes to the recipe.
        strict: treat warnings as errors.
        resume: folder of the run to go on with.
        cluster: where to train, if not in this process; its name stands for one with the defaults.
        on_event: told of phases, of problems that stop nothing, of steps, evaluations and notes.

    Raises:
        ProblemsFound: recipe or data are at fault; nothing was written.
        Interrupted: SIGINT or SIGTERM after the folder was claimed; the run is saved.
    """
    if not is_main():
        on_event = silent
    where = cluster_at(cluster)
    if resume is not None:
        folder = RunFolder(Path(resume))
        if folder.compression.is_file():
            raise Refused(
                _("{path}: made by weitiao compress, and not by training; resume its run").format(path=resume)
            )
        found = reopened(folder, data, on_event)
    else:
        found = _looked_at(recipe, data, overrides, on_event, strict=strict)
        folder = RunFolder(Path(found.recipe.output))
    with StopSignal() as stop, reached(where, on_event):
        if is_main():
            _take(folder, found, new=resume is None)
        with resumable(folder, options="" if where is None else where.words()):
            if where is None:
                from weitiao.verbs.fitting.whole_run import fit_all

                fit_all(found, folder, on_event, stop)
            else:
                from weitiao.verbs.clusters.training import fit_on

                fit_on(where, folder, data, on_event, stop)
        return _finished(found, folder)


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


def _finished(found: Preflight, folder: RunFolder) -> Run:
    from weitiao.verbs.starting.question import first_question

    run = Run(folder)
    run.warnings = found.warnings
    run.question = first_question(found)
    return run
