"""Rows that are already in Python: a pandas DataFrame, a list of dicts (or of lists), a dict of columns.

DataFrames are told by what they can do, so that pandas is never imported here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from weitiao.data.reading.source import FileReading, Reading, plain, refusal, union_of_keys
from weitiao.messages import _
from weitiao.records import Row


def read_memory(data: Any, name: str) -> Reading:
    """The rows of a Python object.

    Args:
        data: a DataFrame, an iterable of mappings or of lists, or a mapping of columns.
        name: what messages call it.

    Raises:
        ProblemsFound: it is none of these, or holds no rows.
    """
    rows = [_row(value, name, number) for number, value in enumerate(_values(data, name), start=1)]
    if not rows:
        raise refusal("empty-file", _("the data hold no rows"), name)
    return Reading(FileReading(name, _fingerprint(rows), "memory", len(rows)), union_of_keys(rows), rows)


def _values(data: Any, name: str) -> Iterable[Any]:
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return _transposed(
            [str(each) for each in data.columns], [data.iloc[:, index].tolist() for index in range(len(data.columns))]
        )
    if isinstance(data, Mapping):
        columns = [list(each) if _is_series(each) else None for each in data.values()]
        if columns and None not in columns and len({len(each) for each in columns if each is not None}) == 1:
            return _transposed([str(key) for key in data], [each for each in columns if each is not None])
    elif _is_series(data):
        return data  # type: ignore[no-any-return]
    message = _("expected a DataFrame, a list of dicts or a dict of equally long columns; got {got}").format(
        got=type(data).__name__
    )
    raise refusal("bad-memory", message, name)


def _is_series(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _transposed(names: Sequence[str], columns: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _row(value: Any, name: str, number: int) -> Row:
    if isinstance(value, Mapping):
        return Row({str(key): plain(each) for key, each in value.items()}, name, number)
    if isinstance(value, list | tuple):
        return Row({str(index): plain(each) for index, each in enumerate(value, start=1)}, name, number)
    message = _("expected a dict or a list; got {got}").format(got=type(value).__name__)
    return Row({}, name, number, message)


def _fingerprint(rows: Sequence[Row]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row.fields, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()
