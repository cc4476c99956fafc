"""`weitiao evaluate`: measure a run again, on its own test rows or on a new file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.failures import report_problems
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json
from weitiao.cli.results import print_summary

ABOUT = N_("Measure a run again: on its own test rows, or on a new labelled file.")


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=N_("A run folder."))],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help=N_("Labelled rows to measure on instead."))
    ] = None,
    json: Json = False,
) -> None:
    """Print what was measured, and on what."""
    from weitiao.verbs.evaluate import evaluate as evaluate_run

    evaluation = evaluate_run(run, data=data)
    report_problems(evaluation.problems)
    if json:
        print_json(evaluation.as_json())
        return
    print_summary(evaluation.report, title=str(run) if data is None else evaluation.note)  # which rows, says the table
