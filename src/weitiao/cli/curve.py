"""`weitiao curve`: how much data is enough."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.cli.progress import display
from weitiao.cli.recipes import MaybeRecipe, ModelName, Overrides, Strict, overrides_of
from weitiao.errors import Refused
from weitiao.evaluation.titles import metric_title
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.evaluation.learning import LearningCurve

ABOUT = N_("How much data is enough: train on growing shares of the rows and draw the learning curve.")


def curve(
    recipe: MaybeRecipe = None,
    changes: Overrides = None,
    points: Annotated[
        int, typer.Option("--points", metavar="N", help=N_("Sizes, each twice the one before; the last has all rows."))
    ] = 5,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help=N_("Models of each size."))] = 3,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help=N_("Go on with this interrupted curve; takes no recipe.")),
    ] = None,
    model: ModelName = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help=N_("Folder of the curve. Default: the recipe's output, -curve.")),
    ] = None,
    strict: Strict = False,
    json: Json = False,
) -> None:
    """Train, print the curve and what it says."""
    overrides = overrides_of(changes, model=model)
    if resume is not None and (recipe is not None or overrides or output is not None):
        raise Refused(_("--resume goes on with the curve's own recipe; give no recipe and no changes with it"))
    if resume is None and recipe is None:
        raise Refused(
            _("RECIPE is missing; write one with: weitiao new classify, or go on with a curve by --resume DIR")
        )
    from weitiao.verbs.curve import curve as draw

    with display() as on_event:
        made = draw(
            recipe, overrides=overrides, points=points, seeds=seeds, output=output, strict=strict, resume=resume,
            on_event=on_event,
        )  # fmt: skip
    if json:
        print_json(made.model_dump(mode="json"))
    else:
        _show(made)


def _show(made: LearningCurve) -> None:
    head = (_("training rows"), metric_title(made.metric), _("interval"), _("seeds"))
    rows = [
        (
            f"{each.rows:,}",
            f"{each.score.value:.3f}",
            f"[{each.score.low:.3f}, {each.score.high:.3f}]",
            ", ".join(f"{value:.3f}" for value in each.seeds.values()),
        )
        for each in made.points
    ]
    print_table(rows, head=head, right=[0, 1])
    print()
    for sentence in made.sentences:
        print(sentence)
