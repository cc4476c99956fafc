"""`weitiao compare`: which of two runs is better, and whether that is more than chance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.messages import _

ABOUT = N_("Compare two runs on the same test rows by a paired test.")


def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help=N_("A run folder."))],
    b: Annotated[Path, typer.Argument(metavar="B", help=N_("Another run folder, measured on the same rows."))],
    json: Json = False,
) -> None:
    """Print the comparison."""
    from weitiao.evaluation.titles import metric_title
    from weitiao.verbs.compare import compare as compare_runs

    comparison = compare_runs(a, b)
    if json:
        print_json(comparison.model_dump(mode="json"))
        return
    rows = [
        (metric_title(name), each.a.shown(), each.b.shown(), each.difference.shown("+"))
        for name, each in comparison.metrics.items()
    ]
    print_table(rows, head=["", "A", "B", _("A minus B")], title=f"A: {comparison.a}\nB: {comparison.b}")
    if (test := comparison.mcnemar) is not None:
        print(
            _("rows that only A gets right: {a}, only B: {b}; McNemar's exact test: p = {p}").format(
                a=test.only_a, b=test.only_b, p=f"{test.p:.3g}"
            )
        )
    print(comparison.sentence())
