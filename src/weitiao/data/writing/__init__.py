"""Rows out, into files that other tools read: one file a format, behind the lazy table `WRITERS`.

A writer takes rows in the inner form (`text`, `spans`, `relations`, `label`, `tokens`, `tags`, and whatever else) and
answers with sentences about what its format could not hold. A file is written whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from weitiao.tables import Table

__all__ = ["ENDINGS", "WRITERS", "InnerRow", "Writer"]

InnerRow = Mapping[str, object]

WRITERS = Table(
    "writer",
    {
        "conll": "weitiao.data.writing.conll:Conll",
        "csv": "weitiao.data.writing.sheet:Csv",
        "conllu": "weitiao.data.writing.conllu:ConlluWriter",
        "doccano": "weitiao.data.writing.doccano:Doccano",
        "jsonl": "weitiao.data.writing.jsonl:JsonLines",
        "label_studio": "weitiao.data.writing.label_studio:LabelStudio",
    },
)

ENDINGS = {
    ".conll": "conll", ".bio": "conll", ".jsonl": "jsonl", ".ndjson": "jsonl", ".conllu": "conllu", ".csv": "csv",
}  # fmt: skip


class Writer(Protocol):
    """Writes one format; built without arguments.

    One that needs `tokens` in every row says so by a class attribute `tokenised`. One that has more to
    say of what it wrote lists sentences in an attribute `notes`.
    """

    def write(self, rows: Iterable[InnerRow], path: Path) -> list[str]:
        """Write every row.

        Returns:
            what the format could not hold, in sentences with counts.
        """
        ...
