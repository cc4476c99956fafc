"""`weitiao adapters`: list what runs keep apart from their base, or make an ordinary model of one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.failures import say
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, number, print_json, print_table
from weitiao.messages import _

ABOUT = N_("Work on the adapters of runs: what they learnt, apart from the base.")
LIST_ABOUT = N_("List adapters: their task, method, base, size and labels.")
MERGE_ABOUT = N_("Write a model/ folder of its own from an adapter and its base.")

Base = Annotated[
    str | None,
    typer.Option("--base", metavar="MODEL", help=N_("Base of an adapter, in place of the one that it names.")),
]
MEGABYTE, KILOBYTE = 1_000_000, 1_000
SMALL = 100_000  # bytes, below which two places of a megabyte say little


def listing(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help=N_("Adapters, runs, or folders with runs in them."))
    ],
    json: Json = False,
) -> None:
    """Print one line an adapter."""
    from weitiao.verbs.adapters import entries

    found = entries(folders)
    if json:
        print_json({"adapters": [each.as_json() for each in found]})
        return
    print_table(
        [(each.name, each.task, each.method, each.base, _size(each.bytes), number(each.labels)) for each in found],
        head=[_("name"), _("task"), _("method"), _("base"), _("size"), _("labels")],
        right=[4, 5],
    )


def _size(count: int) -> str:
    return f"{count / KILOBYTE:,.2f} kB" if count < SMALL else f"{count / MEGABYTE:,.2f} MB"


def merge(
    adapter: Annotated[Path, typer.Argument(metavar="ADAPTER", help=N_("An adapter/ folder, or its run."))],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help=N_("New folder to write."))],
    base: Base = None,
) -> None:
    """Merge and say where."""
    from weitiao.verbs.adapters import merge as merge_adapter

    say(_("loading ..."))
    merge_adapter(adapter, output, base=base)
    print(_("wrote {path}").format(path=output))
