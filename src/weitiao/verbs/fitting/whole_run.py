"""A run from what pre-flight found to its report: all fits, then the measuring, as one process or one of a group."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import torch

from weitiao.artifact import RunFolder
from weitiao.events import OnEvent, silent
from weitiao.machine import is_main
from weitiao.messages import _
from weitiao.training.processes import Processes
from weitiao.verbs.fitting.fit import Fitted, leave_if
from weitiao.verbs.fitting.repeats import Repeats
from weitiao.verbs.fitting.reporting import report
from weitiao.verbs.planning.plan import remember_speed
from weitiao.verbs.preparing.claimed import note_conditions, reopened
from weitiao.verbs.preparing.preflight import Preflight


def go_on(folder: RunFolder, data: Any, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Finish the run in a folder that was looked at and claimed elsewhere, as one process of a group."""
    if not is_main():
        on_event = silent
    found = reopened(folder, data, silent)
    if is_main():
        folder.sweep()
    fit_all(found, folder, on_event, stop)


def fit_all(found: Preflight, folder: RunFolder, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """All fits of a run, and its report."""
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


def _remember(found: Preflight, fitted: Fitted) -> None:
    """Let the next plan know how fast this machine is."""
    alone = Processes.current().count == 1  # a plan is for one process
    if found.plan is not None and found.plan.steps and alone:
        remember_speed(found.plan.work * fitted.steps / found.plan.steps, fitted.seconds, found.plan.speed_key)
