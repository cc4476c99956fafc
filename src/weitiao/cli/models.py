"""`weitiao models convert`: old `.bin` weights to safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.messages import _

ABOUT = N_("Work on pretrained model folders.")
CONVERT_ABOUT = N_("Turn a folder with old .bin weights into one with safetensors; nothing in it is executed.")


def convert(
    source: Annotated[
        str,
        typer.Argument(metavar="SRC", help=N_("Folder with pytorch_model.bin, or a hub model such as hf:owner/name.")),
    ],
    target: Annotated[Path, typer.Argument(metavar="DST", help=N_("New folder to write."))],
) -> None:
    """Convert and say where."""
    from weitiao.models.convert import convert as convert_folder

    convert_folder(source, target)
    print(_("wrote {path}").format(path=target))
