"""`weitiao new`: write a recipe to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import print_next
from weitiao.cli.program import command
from weitiao.messages import _

ABOUT = N_("Write a commented recipe to start from.")


def new(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=N_("A task, such as classify, or a ready recipe; see: weitiao list tasks, weitiao list recipes"),
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help=N_("The recipe to write."))] = Path("recipe.yaml"),
    data: Annotated[
        str, typer.Option("--data", metavar="FILE", help=N_("The labelled rows to train on, which are looked at."))
    ] = "",
    model: Annotated[
        str,
        typer.Option("--model", metavar="NAME", help=N_("The pretrained model; without it, a starter for the rows.")),
    ] = "",
) -> None:
    """Write a recipe and say what to do with it."""
    from weitiao.verbs.new import new as write_recipe

    write_recipe(name, file, data=data or None, model=model or None)
    print(_("wrote {path}").format(path=file))
    print_next(_("Next:"), [command([verb, str(file)]) for verb in ("check", "train")])
