"""The arguments and options by which several verbs take a recipe, and what they mean together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_

_RECIPE = typer.Argument(metavar="RECIPE", help=N_("The recipe, a YAML file."))
RecipeFile = Annotated[Path, _RECIPE]
MaybeRecipe = Annotated[Path | None, _RECIPE]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="KEY=VALUE", help=N_("Changes to the recipe, such as training.epochs=5."))
]
ModelName = Annotated[
    str, typer.Option("--model", metavar="NAME", help=N_("The pretrained model; short for model.name=NAME."))
]
Strict = Annotated[bool, typer.Option("--strict", help=N_("Treat warnings as errors."))]


def overrides_of(changes: list[str] | None, *, model: str = "", output: str = "") -> list[str]:
    """The `key=value` changes, with those that have an option of their own."""
    from weitiao.recipe import quoted

    named = {"model.name": model, "output": output}
    return [*(changes or []), *(f"{key}={quoted(value)}" for key, value in named.items() if value)]
