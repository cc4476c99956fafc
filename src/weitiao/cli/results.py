"""The end of a run on stdout: score with interval, baselines with paired difference, training, what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from weitiao.cli.printing import print_next, print_table
from weitiao.cli.program import command
from weitiao.messages import _, duration

if TYPE_CHECKING:
    from weitiao.evaluation.schema import Report


def print_run(run: Any, seconds: float) -> None:
    """The table of a finished run, its folder and the next commands."""
    print_summary(run.report, title=str(run.path), seconds=seconds)
    print()
    print(_("run folder: {path}").format(path=run.path))
    print(_("report: {path}").format(path=run.folder.page))
    print_next(_("Next:"), _next_commands(run))


def _next_commands(run: Any) -> Iterator[str]:
    """Commands that work as they are printed."""
    path = str(run.path)
    yield command(["predict", path, *run.question])
    if run.report.split != "train":  # else there are no rows to measure on
        yield command(["evaluate", path])
    yield command(["serve", path])


def print_summary(report: Report, *, title: str, seconds: float | None = None) -> None:
    """Metrics, baselines, how the model stands against them, and how training went."""
    from weitiao.verbs.summary import summary

    found = summary(report)
    rows = list(found.rows())
    if seconds is not None:
        rows.append((_("time"), duration(seconds)))
    print_table(rows, title=title)
    for sentence in found.sentences:
        print(sentence)


def run_as_json(run: Any, seconds: float) -> dict[str, Any]:
    """The JSON object of a training verb."""
    return {"run": str(run.path), "seconds": round(seconds, 3), "report": run.report.model_dump(mode="json")}
