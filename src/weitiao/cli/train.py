"""`weitiao train`: fit a model by a recipe, or go on with an interrupted run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from weitiao.cli.clusters import Address, ClusterName, Workers, cluster_of
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json
from weitiao.cli.progress import display
from weitiao.cli.recipes import MaybeRecipe, ModelName, Overrides, Strict, overrides_of
from weitiao.cli.results import print_run, run_as_json
from weitiao.errors import Refused
from weitiao.machine import is_main
from weitiao.messages import _

ABOUT = N_("Train by a recipe: check it, fit the model, measure it, write the run folder.")


def train(
    recipe: MaybeRecipe = None,
    changes: Overrides = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="RUN", help=N_("Go on with this interrupted run; takes no recipe.")),
    ] = None,
    model: ModelName = "",
    output: Annotated[
        str, typer.Option("--output", metavar="DIR", help=N_("The run folder; short for output=DIR."))
    ] = "",
    strict: Strict = False,
    cluster: ClusterName = "",
    workers: Workers = None,
    address: Address = "",
    json: Json = False,
) -> None:
    """Train and show what came out."""
    overrides = overrides_of(changes, model=model, output=output)
    if resume is not None and (recipe is not None or overrides):
        raise Refused(_("--resume goes on with the run's own recipe; give no recipe and no changes with it"))
    if resume is None and recipe is None:
        raise Refused(_("RECIPE is missing; write one with: weitiao new classify, or go on with a run by --resume RUN"))
    from weitiao.verbs.train import train as train_run

    where = cluster_of(cluster, workers, address)
    began = time.monotonic()
    with display() as on_event:
        run = train_run(recipe, overrides=overrides, strict=strict, resume=resume, cluster=where, on_event=on_event)
    if is_main():
        show(run, time.monotonic() - began, json=json)


def show(run: Any, seconds: float, *, json: bool) -> None:
    """The end of a training verb."""
    if json:
        print_json(run_as_json(run, seconds))
    else:
        print_run(run, seconds)
