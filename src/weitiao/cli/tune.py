"""`weitiao tune`: search the values of a recipe's keys, or go on with a search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from weitiao.cli.clusters import Address, ClusterName, cluster_of
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_next, print_table
from weitiao.cli.program import command
from weitiao.cli.progress import display
from weitiao.cli.recipes import MaybeRecipe, Overrides, overrides_of
from weitiao.errors import Refused
from weitiao.messages import _, duration

ABOUT = N_(
    "Search the values of a recipe's keys: trials on dev, the best recipe, and a fair comparison with it as it is."
)
BEST = 5  # trials in the table, beside those of a front
FRONT = "*"


def tune(
    context: typer.Context,
    recipe: MaybeRecipe = None,
    changes: Overrides = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            "--space", metavar="SPACE", help=N_("What is searched: a YAML or JSON file, or key=value; may be repeated.")
        ),
    ] = None,
    sampler: Annotated[
        str, typer.Option("--sampler", metavar="NAME", help=N_("tpe, random, grid, cmaes (numbers only) or nsga2."))
    ] = "tpe",
    pruner: Annotated[
        str | None,
        typer.Option(
            "--pruner",
            metavar="NAME",
            help=N_("Give up trials early: median or hyperband by epoch, wilcoxon by fold or seed."),
        ),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help=N_("At most so many trials; default 20, or the grid."))
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="N", help=N_("No trial begins after so many minutes."))
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            "--against",
            metavar="COST",
            help=N_("Weigh the score against ms_per_text, model_bytes or trained_parameters; may be repeated."),
        ),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", metavar="N", help=N_("Processes that share the search."))] = 1,
    seeds: Annotated[
        int,
        typer.Option("--seeds", metavar="N", help=N_("Seeds of the comparison at the end; 0 leaves it out.")),
    ] = 3,
    storage: Annotated[
        str, typer.Option("--storage", metavar="NAME", help=N_("How the study is kept: journal or sqlite."))
    ] = "journal",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="DIR", help=N_("Folder of the search; default: the recipe's output and -tune.")
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help=N_("Go on with this search; takes no recipe and no space.")),
    ] = None,
    cluster: ClusterName = "",
    address: Address = "",
    json: Json = False,
) -> None:
    """Search, and show what came out."""
    overrides = overrides_of(changes)
    options: dict[str, Any] = {
        "sampler": sampler,
        "pruner": pruner,
        "against": against or (),
        "seeds": seeds,
        "storage": storage,
    }
    given = {name: value for name, value in options.items() if _was_given(context, name)}
    if resume is not None:
        around = {"RECIPE": recipe, "KEY=VALUE": overrides, "--space": space, "--output": output}
        from weitiao.tuning.search import refuse_beside_resume

        refuse_beside_resume("--resume", {**around, **{f"--{name}": value for name, value in given.items()}})
    if resume is None and recipe is None:
        raise Refused(
            _("RECIPE is missing; write one with: weitiao new classify, or go on with a search by --resume DIR")
        )
    if resume is None and not space:
        raise Refused(_("--space is missing; give a file, or such as: --space 'training.epochs=[2, 4]'"))
    from weitiao.verbs.tune import tune as search

    where = cluster_of(cluster, workers if cluster and _was_given(context, "workers") else None, address)
    with display() as on_event:
        tuned = search(
            recipe, space=space, overrides=overrides, trials=trials, minutes=minutes, workers=workers, output=output,
            resume=resume, cluster=where, on_event=on_event, **given,
        )  # fmt: skip
    if json:
        best = str(tuned.best)
        print_json({"study": str(tuned.path), "best": best, "result": tuned.result.model_dump(mode="json")})
    else:
        _show(tuned)


def _was_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, and is no default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _show(tuned: Any) -> None:
    """The best trials, what was found, and the next commands."""
    from weitiao.evaluation.titles import metric_title
    from weitiao.tuning.page import shown, state_titles

    result = tuned.result
    sign = -1 if result.higher else 1
    scored = sorted((each for each in result.trials if each.score is not None), key=lambda each: sign * each.score)
    front = set(result.front) if result.against else set()
    rows = [
        (
            f"{each.number}{FRONT if each.number in front else ' ' if front else ''}",
            f"{each.score:.4f}",
            _(", ").join(f"{key}={shown(value)}" for key, value in {**each.changes, **each.costs}.items()),
        )
        for place, each in enumerate(scored)
        if place < BEST or each.number in front
    ]
    print_table(rows, head=[_("trial"), metric_title(result.metric), _("changes")], title=str(tuned.path), right=(0, 1))
    if front:
        print(_("{sign} no other trial beats it in everything").format(sign=FRONT))
    titles = state_titles()
    counts = _(", ").join(f"{titles[state]}: {count}" for state, count in result.counts.items() if count)
    print(_("trials: {counts}; time: {time}").format(counts=counts, time=duration(result.seconds)))
    for sentence in result.sentences():
        print(sentence)
    print(_("report: {path}").format(path=tuned.path / "tune.html"))
    lost = result.comparison is not None and result.comparison.verdict == "b"
    print_next(_("Next:"), [command(["train", str(tuned.recipe if lost else tuned.best)])])
