"""`weitiao new`: write a commented recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import print_next
from weitiao.messages import _

ABOUT = N_("Write a commented recipe to start from.")


def new(
    task: Annotated[
        str, typer.Argument(metavar="TASK", help=N_("The task, such as classify; see: weitiao list tasks"))
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=N_("The recipe to write."))] = Path("recipe.yaml"),
    data: Annotated[str, typer.Option("--data", metavar="FILE", help=N_("The labelled rows to train on."))] = "",
) -> None:
    """Write a recipe and say what to do with it."""
    from weitiao.verbs.new import new as write_recipe

    write_recipe(task, file, data=data or None)
    print(_("wrote {path}").format(path=file))
    print_next(_("Next:"), [f"weitiao check {file}", f"weitiao train {file}"])
