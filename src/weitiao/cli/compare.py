"""`weitiao compare`: which of two runs is better, and whether that is more than chance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json

ABOUT = N_("Compare two runs on the same test rows by a paired test.")


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help=N_("A run folder."))],
    b: Annotated[Path, typer.Argument(metavar="B", help=N_("Another run folder, measured on the same rows."))],
    json: Json = False,
) -> None:
    """Print the comparison."""
    from weitiao.verbs.compare import compare as compare_runs

    comparison = compare_runs(a, b)
    if json:
        print_json(comparison.as_json())
        return
    print(comparison.sentence())
