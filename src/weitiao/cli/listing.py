"""`weitiao list`: what is in the tables."""

from __future__ import annotations

from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.messages import _

ABOUT = N_("List the tasks, methods, objectives, steps, formats, metrics, models or ready recipes.")


def listing(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help=N_("tasks, methods, objectives, steps, formats, metrics, models or recipes; all without it."),
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Print one table, or all."""
    from weitiao.verbs.listing import KINDS, entries, use_of

    kinds = [kind] if kind else list(KINDS)
    found = {each: entries(each) for each in kinds}
    if json:
        print_json(
            {each: [{"name": entry.name, "about": entry.about} for entry in rows] for each, rows in found.items()}
        )
        return
    for each, rows in found.items():
        print_table([(entry.name, entry.about) for entry in rows], head=[each, _("what it is")])
        if use := use_of(each):
            print(f"\n{use}")
        if each != kinds[-1]:
            print()
