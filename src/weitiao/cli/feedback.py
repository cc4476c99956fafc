"""`weitiao data feedback`: corrections that a server took, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json
from weitiao.messages import _

DATA_ABOUT = N_("Rows to train on: from corrections.")
ABOUT = N_("Write the corrections that a server took as rows to train on.")


def feedback(
    url: Annotated[str, typer.Argument(metavar="URL", help=N_("The database, as in weitiao serve --feedback URL."))],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help=N_("The file to write."))],
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help=N_("Corrections of this model only."))
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help=N_("Stored at this time or later, in UTC."))
    ] = None,
    write_as: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help=N_("Format: conll, conllu, doccano, jsonl, label_studio; without it, by the file's ending."),
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help=N_("Overwrite the output file."))] = False,
    json: Json = False,
) -> None:
    """Write the rows and say how many."""
    from weitiao.verbs.feedback import export_feedback

    done = export_feedback(url, output, model=model, since=since, write_as=write_as or None, force=force)
    if json:
        print_json(done.as_json())
        return
    print(
        _("wrote {path}; rows: {rows}; replaced by later corrections of the same input: {old}").format(
            path=done.output, rows=f"{done.rows:,}", old=f"{done.superseded:,}"
        )
    )
    if done.lost:
        print(_("What {format} cannot hold:").format(format=done.written_as))
        for sentence in done.lost:
            print(f"  {sentence}")
