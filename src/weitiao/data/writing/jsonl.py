"""JSON lines in the inner form: every column as it is, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from weitiao.artifact import replacing
from weitiao.data.writing import InnerRow


class JsonLines:
    """JSON lines: one row a line, every column as it is."""

    def write(self, rows: Iterable[InnerRow], path: Path) -> list[str]:
        write_lines(rows, path)
        return []


def write_lines(rows: Iterable[InnerRow], path: Path) -> None:
    """One JSON object a line; half a surrogate pair, which UTF-8 cannot hold, is escaped."""
    with replacing(path) as beside, beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")
