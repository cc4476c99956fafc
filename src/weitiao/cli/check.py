"""`weitiao check`: what is wrong with a recipe and its data, and what training would take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json
from weitiao.cli.train import Overrides, Strict, overrides_of

ABOUT = N_("Check a recipe and its data without training: every problem at once, then the plan.")


def check(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help=N_("The recipe, a YAML file."))],
    changes: Overrides = None,
    model: Annotated[str, typer.Option("--model", metavar="NAME", help=N_("The pretrained model; short for model.name=NAME."))] = "",
    strict: Strict = False,
    json: Json = False,
) -> int:
    """Print the plan, then the problems; exit 2 when there are errors."""
    from weitiao.cli.plan import show_check
    from weitiao.verbs.check import check as check_recipe

    found = check_recipe(recipe, overrides=overrides_of(changes, model=model))
    return show_check(found, strict=strict, json=json)
