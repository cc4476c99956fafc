"""`weitiao keys`: the API keys of a server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.failures import say
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, number, print_json, print_table
from weitiao.messages import _

ABOUT = N_("Make, list and remove the API keys of a server.")
ADD_ABOUT = N_("Make a key and print it, this once; the file keeps its hash.")
LIST_ABOUT = N_("List the keys of a file: for whom, how many requests a minute, since when.")
REMOVE_ABOUT = N_("Remove a key; a running server refuses it within a second.")

File = Annotated[Path, typer.Argument(metavar="FILE", help=N_("The file of keys, as for serve --keys."))]
Name = Annotated[str, typer.Argument(metavar="NAME", help=N_("For whom the key is."))]


def add(
    file: File,
    name: Name,
    per_minute: Annotated[
        int, typer.Option("--per-minute", metavar="N", help=N_("Requests a minute that it may make."))
    ] = 600,
) -> None:
    """Print the key on stdout."""
    from weitiao.serving.keys import add as add_key

    print(add_key(file, name, per_minute=per_minute))
    say(_("keep it: the file has its hash only"))


def listing(file: File, json: Json = False) -> None:
    """Print one line a key."""
    from weitiao.serving.keys import read

    keys = read(file)
    if json:
        print_json({"keys": [key.model_dump(exclude={"sha256"}) for key in keys]})
        return
    rows = [(key.name, number(key.per_minute), key.created) for key in keys]
    print_table(rows, head=[_("name"), _("per minute"), _("created")], right=[1])


def remove(file: File, name: Name) -> None:
    """Say what is removed."""
    from weitiao.serving.keys import remove as remove_key

    remove_key(file, name)
    print(_("removed {name}").format(name=name))
