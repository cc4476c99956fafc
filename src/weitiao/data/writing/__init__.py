"""Rows out: one file a format, behind the lazy table `WRITERS`.

A writer takes the fields of rows as the reader of its format gives them, writes the file whole or not at all, and says
in sentences what of them the format could not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from weitiao.tables import Table

WRITERS = Table(
    "writer",
    {
        "conllu": "weitiao.data.writing.conllu:ConlluWriter",
    },
)


class Writer(Protocol):
    """Writes one format; built without arguments."""

    def write(self, rows: Iterable[Mapping[str, object]], path: Path) -> list[str]:
        """Write the rows; the sentences say what the format could not hold, and are empty where it held everything."""
        ...
