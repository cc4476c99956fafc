"""How this program is called here, for commands that are printed to be copied."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

NAME = "weitiao"


def command(words: Iterable[str]) -> str:
    """A command of this program that works as it is printed: the words quoted for a shell."""
    return " ".join([program(), *map(shlex.quote, words)])


def program() -> str:
    """`weitiao` where the shell finds it, else as it was called, from the working folder where it is inside."""
    called, found = Path(sys.argv[0]), shutil.which(NAME)
    if called.name != NAME or not called.is_file():  # python -m weitiao
        return NAME if found else f"{shlex.quote(_near(Path(sys.executable)))} -m {NAME}"
    if found and Path(found).samefile(called):
        return NAME
    return shlex.quote(_near(called))


def _near(path: Path) -> str:
    """`path` from the working folder where it is inside; with a slash, without which a shell looks elsewhere."""
    here, whole = Path.cwd(), Path(os.path.abspath(path))  # noqa: PTH100 - links stay as they are
    if not whole.is_relative_to(here):
        return str(whole)
    near = str(whole.relative_to(here))
    return near if os.sep in near else os.path.join(".", near)  # noqa: PTH118 - Path drops the dot
