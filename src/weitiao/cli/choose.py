"""`weitiao choose`: which pretrained model suits these rows and this task, before any is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, percent, print_json, print_table
from weitiao.cli.progress import display
from weitiao.cli.recipes import Overrides, RecipeFile
from weitiao.errors import Refused
from weitiao.evaluation.titles import metric_title
from weitiao.messages import _, duration, millions

if TYPE_CHECKING:
    from weitiao.verbs.choosing.ranking import Candidate, Ranking

ABOUT = N_("Rank pretrained models for a recipe's rows and task, without training any.")


def choose(
    recipe: RecipeFile,
    changes: Overrides = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help=N_("A pretrained model to rank; again for more. Default: the recipe's and the starters installed."),
        ),
    ] = None,
    rows: Annotated[
        int,
        typer.Option("--rows", metavar="N", help=N_("Rows to probe with, 6 or more; 0: no probe.")),
    ] = 1000,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help=N_("Write the ranking there, as JSON."))
    ] = None,
    json: Json = False,
) -> None:
    """Print the ranking and the reasons."""
    from weitiao.artifact import write_json
    from weitiao.verbs.choose import choose as rank

    with display() as on_event:
        ranking = rank(recipe, model or (), overrides=changes or (), rows=rows, on_event=on_event)
    if output is not None:
        write_json(output, ranking.to_json())
    usable = [each for each in ranking.candidates if not each.reason]
    if json:
        print_json(ranking.to_json())
    else:
        _show(ranking, usable)
    if not usable:
        raise typer.Exit(Refused.exit_code)


def _show(ranking: Ranking, usable: Sequence[Candidate]) -> None:
    if usable:
        _tables(ranking, usable)
    for line in _sentences(ranking):
        print(line)


def _tables(ranking: Ranking, usable: Sequence[Candidate]) -> None:
    head = (_("model"), _score_title(ranking), _("ms a text"), _("unknown"), _("pieces"), _("cut"))
    print_table(map(_measured, usable), head=head, right=range(1, len(head)))
    print()
    head = (_("model"), _("family"), _("licence"), _("parameters"), _("memory"), _("time"))
    print_table(map(_facts, usable), head=head, right=[3, 4, 5])
    print()


def _score_title(ranking: Ranking) -> str:
    return metric_title(ranking.metric) if ranking.metric else _("score")


def _measured(candidate: Candidate) -> tuple[str, ...]:
    score = candidate.score
    return (
        candidate.name,
        "-" if score is None else f"{score.value:.3f} [{score.low:.3f}, {score.high:.3f}]",
        "-" if candidate.ms_a_text is None else f"{candidate.ms_a_text:.1f}",
        percent(candidate.unknown),
        f"{candidate.pieces_per_character or 0:.2f}",
        percent(candidate.cut),
    )


def _facts(candidate: Candidate) -> tuple[str, ...]:
    return (
        candidate.name,
        candidate.family,
        candidate.license or _("not stated"),
        millions(candidate.parameters or 0),
        f"{(candidate.memory_bytes or 0) / 1e9:.1f} GB",
        duration(candidate.seconds or 0.0),
    )


def _sentences(ranking: Ranking) -> Iterator[str]:
    yield from ranking.sentences
    for each in ranking.candidates:
        if each.reason:
            yield _("{model} cannot be used: {reason}").format(model=each.name, reason=each.reason)
