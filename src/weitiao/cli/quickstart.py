"""`weitiao quickstart`: the first run, on real reviews, in a few minutes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.cli.progress import display
from weitiao.cli.results import print_run, run_as_json
from weitiao.messages import _

ABOUT = N_("Fine-tune the Chinese-English starter on real reviews and show what it can do; a few minutes on a laptop.")


def quickstart(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help=N_("Another pretrained model, such as a folder."))
    ] = "",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help=N_("The run folder; a free name under runs/ without it.")),
    ] = None,
    json: Json = False,
) -> None:
    """Run it and show the table, the answers and what to do next."""
    from weitiao.verbs.quickstart import quickstart as first_run

    began = time.monotonic()
    with display() as on_event:
        result = first_run(model=model or None, output=output, on_event=on_event)
    seconds = time.monotonic() - began
    if json:
        print_json({**run_as_json(result.run, seconds), **result.as_json()})
        return
    print_run(result.run, seconds)
    print()
    print_table(_answers(result), head=[_("text"), _("answer"), _("confidence")])


def _answers(result: Any) -> list[tuple[str, str, str]]:
    return [(text, " | ".join(each.labels), f"{each.confidence:.2f}") for text, each in result.answers]
