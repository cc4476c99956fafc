"""Files as annotation tools export them, written for tests, and what reading them gives."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao.data.reading import Reading, read_rows


def lines(folder: Path, rows: list[dict[str, Any]], name: str = "export.jsonl") -> str:
    path = folder / name
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return str(path)


def array(folder: Path, rows: list[dict[str, Any]], name: str = "export.json") -> str:
    path = folder / name
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), "utf-8")
    return str(path)


def zipped(folder: Path, files: Mapping[str, str], name: str = "export.zip") -> str:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(inner, text)
    return str(path)


def tree(folder: Path, files: Mapping[str, str]) -> str:
    for inner, text in files.items():
        path = folder / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    return str(folder)


def read(source: str, format_name: str) -> Reading:
    """The rows, read without being told the format."""
    reading = read_rows(source)
    assert reading.file.format == format_name
    return reading


def fields(reading: Reading) -> list[dict[str, Any]]:
    assert not [row.problem for row in reading.rows if row.problem]
    return [dict(row.fields) for row in reading.rows]


def bare(spans: Any) -> list[tuple[int, int, str]]:
    """Spans as (start, end, label); each is proven by its own text."""
    return [(span["start"], span["end"], span["label"]) for span in spans]


def faults(reading: Reading) -> dict[int, str]:
    return {row.line: row.problem for row in reading.rows if row.problem}


def codes(reading: Reading) -> dict[str, str]:
    return {problem.code: problem.message for problem in reading.problems}
