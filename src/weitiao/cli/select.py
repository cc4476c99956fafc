"""`weitiao data select`: the texts whose labels would help most, with the model's answers to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.failures import say
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json
from weitiao.messages import _

ABOUT = N_("Choose the unlabelled texts to label next, with the model's answers to start from.")


def select(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help=N_("A run; for disagreement two or more, of which the first answers.")),
    ],
    source: Annotated[
        Path, typer.Option("--input", metavar="FILE", help=N_("Unlabelled rows with the columns of the run's own."))
    ],
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help=N_("The file to write."))],
    number: Annotated[int, typer.Option("--number", metavar="N", help=N_("How many rows to choose."))],
    by: Annotated[
        str, typer.Option("--by", metavar="WAY", help=N_("uncertainty, disagreement, density or mixed."))
    ] = "mixed",
    write_as: Annotated[
        str,
        typer.Option(
            "--format", metavar="FORMAT", help=N_("doccano, labelstudio, csv or jsonl; without it, by the ending.")
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help=N_("Overwrite the output file."))] = False,
    json: Json = False,
) -> None:
    """Write the file and say what was left out."""
    from weitiao.verbs.select import select as select_rows

    done = select_rows(
        runs, source, output, number=number, by=by, write_as=write_as or None, force=force,
        on_rows=lambda rows: say(_("rows: {rows}").format(rows=f"{rows:,}")),
    )  # fmt: skip
    if done.note:
        say(_("warning: {message}").format(message=done.note))
    if json:
        print_json(done.as_json())
        return
    print(
        _(
            "wrote {path}; chosen: {chosen} of {read} rows; left out as near-duplicates: {known}; unreadable: {faulty}"
        ).format(
            path=done.output,
            chosen=f"{done.chosen:,}",
            read=f"{done.read:,}",
            known=f"{done.known:,}",
            faulty=f"{done.faulty:,}",
        )
    )
