"""CSV for people and spreadsheets: a column a field, with the mark by which Excel knows UTF-8."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from weitiao.artifact import replacing
from weitiao.data.writing import InnerRow
from weitiao.data.writing.losses import Losses


class Csv:
    """CSV in UTF-8 with a byte order mark: labels joined by ` | `, other lists and mappings as JSON."""

    def write(self, rows: Iterable[InnerRow], path: Path) -> list[str]:
        rows, losses = list(rows), Losses()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        with replacing(path) as beside, beside.open("w", encoding="utf-8-sig", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(map(losses.encodable, columns))
            writer.writerows([losses.encodable(cell(row.get(column))) for column in columns] for row in rows)
        return losses.sentences()


def cell(value: Any) -> str:
    """A value as one cell: labels joined by ` | `, mappings and other lists as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return " | ".join(value)
    if isinstance(value, Mapping):
        value = {key: round(each, 6) if isinstance(each, float) else each for key, each in value.items()}
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return str(value)


def _plain(value: object) -> object:
    """A part of an answer as JSON knows it: spans and tokens as objects."""
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
