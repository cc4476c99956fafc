"""The program: every verb in the order of work, taken from its own file."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from weitiao.cli import (
    adapters,
    check,
    choose,
    compare,
    compress,
    convert,
    curve,
    doctor,
    evaluate,
    listing,
    models,
    new,
    predict,
    quickstart,
    schema,
    serve,
    train,
    tune,
)
from weitiao.cli.help import Command, Group
from weitiao.cli.marking import N_

ABOUT = N_(
    "Fine-tune a pretrained transformer on your own labelled text, and trust the result.\n\n"
    "Start with: weitiao quickstart, or: weitiao new classify recipe.yaml --data reviews.csv"
)
VERBS = (
    (new.new, "new", new.ABOUT),
    (check.check, "check", check.ABOUT),
    (choose.choose, "choose", choose.ABOUT),
    (train.train, "train", train.ABOUT),
    (evaluate.evaluate, "evaluate", evaluate.ABOUT),
    (predict.predict, "predict", predict.ABOUT),
    (compare.compare, "compare", compare.ABOUT),
    (compress.compress, "compress", compress.ABOUT),
    (curve.curve, "curve", curve.ABOUT),
    (tune.tune, "tune", tune.ABOUT),
    (convert.convert, "convert", convert.ABOUT),
    (serve.serve, "serve", serve.ABOUT),
    (quickstart.quickstart, "quickstart", quickstart.ABOUT),
    (schema.schema, "schema", schema.ABOUT),
    (listing.listing, "list", listing.ABOUT),
    (doctor.doctor, "doctor", doctor.ABOUT),
)


def command() -> Any:
    """The program as a command that can be called with arguments."""
    app = _group(ABOUT)
    app.callback()(_program)
    for function, name, about in VERBS:
        app.command(name, cls=Command, help=about)(function)
    old = _group(models.ABOUT)
    old.command("convert", cls=Command, help=models.CONVERT_ABOUT)(models.convert)
    old.callback()(_nothing)
    app.add_typer(old, name="models")
    shelf = _group(adapters.ABOUT)
    shelf.command("list", cls=Command, help=adapters.LIST_ABOUT)(adapters.listing)
    shelf.command("merge", cls=Command, help=adapters.MERGE_ABOUT)(adapters.merge)
    shelf.callback()(_nothing)
    app.add_typer(shelf, name="adapters")
    return typer.main.get_command(app)


def _group(about: str) -> typer.Typer:
    return typer.Typer(
        cls=Group,
        help=about,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def _version(asked: bool) -> None:
    if asked:
        from weitiao import __version__

        print(f"weitiao {__version__}")
        raise typer.Exit


def _program(
    version: Annotated[
        bool, typer.Option("--version", help=N_("Print the version and exit."), callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help=N_("Show the traceback of an error."))] = False,
) -> None:
    """Options of the program itself."""


def _nothing() -> None:
    """A group of verbs has nothing to do itself."""
