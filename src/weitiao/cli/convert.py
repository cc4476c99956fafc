"""`weitiao convert`: data of one annotation tool or corpus format into another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.failures import report_problems
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json
from weitiao.messages import _

ABOUT = N_("Convert data between formats, such as doccano, Label Studio and CoNLL, and say what is lost.")


def convert(
    source: Annotated[
        str, typer.Argument(metavar="A", help=N_("A file, folder, zip or pattern in any format that training reads."))
    ],
    output: Annotated[Path, typer.Argument(metavar="B", help=N_("The file to write."))],
    read_as: Annotated[
        str, typer.Option("--from", metavar="FORMAT", help=N_("Format of A; told by content without it."))
    ] = "",
    write_as: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help=N_("Format of B: conll, conllu, doccano, jsonl, label_studio; without it, by its ending."),
        ),
    ] = "",
    encoding: Annotated[
        str, typer.Option("--encoding", metavar="NAME", help=N_("Text encoding of A; told by content without it."))
    ] = "",
    force: Annotated[bool, typer.Option("--force", help=N_("Overwrite the output file."))] = False,
    json: Json = False,
) -> None:
    """Write B and say what its format cannot hold."""
    from weitiao.verbs.convert import convert as convert_data

    done = convert_data(
        source,
        output,
        read_as=read_as or None,
        write_as=write_as or None,
        encoding=encoding or None,
        force=force,
    )
    if json:
        print_json(done.as_json())
        return
    report_problems(done.problems)
    print(
        _("wrote {path}; {read} as {written}; rows: {rows}").format(
            path=done.output, read=done.read_as, written=done.written_as, rows=f"{done.rows:,}"
        )
    )
    if done.lost:
        print(_("What {format} cannot hold:").format(format=done.written_as))
        for sentence in done.lost:
            print(f"  {sentence}")
