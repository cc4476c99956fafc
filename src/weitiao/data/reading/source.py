"""One source on its way in: its bytes, its text, and what a reader hands back.

The bytes are read once, so that fingerprint, sniffing and rows are of the same file even if it changes meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from weitiao.data.reading.encoding import Decoded, decode
from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _, ngettext, system_reason
from weitiao.records import Row


def refusal(code: str, message: str, file: str, line: int = 0) -> ProblemsFound:
    """The exception that ends the reading of one source."""
    return ProblemsFound([Problem(code, message, file=file, line=line)])


@dataclass(frozen=True)
class Source:
    """A file to read.

    Args:
        path: where it is.
        name: as the user wrote it; what messages show.
        encoding: the text encoding, where the user set one.
    """

    path: Path
    name: str
    encoding: str | None = None

    @cached_property
    def data(self) -> bytes:
        """The whole file."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            message = _("the file cannot be read ({reason})").format(reason=system_reason(error))
            raise refusal("unreadable-file", message, self.name) from error

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def decoded(self) -> Decoded:
        """The text, its encoding, and how that was told."""
        return decode(self.data, self.encoding, self.name)

    @property
    def suffix(self) -> str:
        """Extension in lower case, such as '.csv'."""
        return self.path.suffix.lower()

    def text_problems(self) -> list[Problem]:
        """A warning where the text holds characters that an earlier conversion had already lost."""
        text = self.decoded.text
        count = text.count("\ufffd")
        if not count:
            return []
        line = text.count("\n", 0, text.index("\ufffd")) + 1
        message = ngettext(
            "{count} character is U+FFFD, lost in an earlier conversion; go back to the original if there is one",
            "{count} characters are U+FFFD, lost in an earlier conversion; go back to the original if there is one",
            count,
        ).format(count=count)
        return [Problem("replacement-characters", message, file=self.name, line=line, severity="warning")]


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the user said of a source's shape; None where it is to be told by content.

    Args:
        delimiter: column delimiter of text tables.
        header: whether the first row names the columns.
        sheet: sheet of a workbook.
        names: column names that the caller looks for, lower case: evidence for a header.
    """

    delimiter: str | None = None
    header: bool | None = None
    sheet: str | None = None
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FileReading:
    """One source as it was read; goes to data.json.

    Args:
        path: the source, as the user wrote it.
        sha256: fingerprint of its bytes.
        format: entry of `FORMATS`, or 'memory'.
        rows: rows read, faulty ones included.
        encoding: text encoding; empty for binary formats.
        how: how encoding, delimiter and header were told, in sentences.
        delimiter: column delimiter; empty where there is none.
        header: whether the source names its columns.
        fields: record field -> column it was read from; filled in by the loader.
    """

    path: str
    sha256: str
    format: str
    rows: int
    encoding: str = ""
    how: str = ""
    delimiter: str = ""
    header: bool = True
    fields: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that a reader found in one source.

    Args:
        file: how it was read.
        columns: names of the columns, in order; '1', '2', ... where the source names none.
        rows: every row, good or faulty, in order.
        problems: findings about the source as a whole.
        split_column: column that holds the split of each row, where the format itself has splits.
    """

    file: FileReading
    columns: Sequence[str]
    rows: Sequence[Row]
    problems: Sequence[Problem] = ()
    split_column: str = ""

    @property
    def path(self) -> str:
        """The source, as the user wrote it."""
        return self.file.path

    def open(self) -> Iterator[Row]:
        """Goes through the rows, from the first."""
        return iter(self.rows)


class Tabular(Protocol):
    """Rows with columns: a `Reading`, or a long file that is read as it is gone through."""

    @property
    def path(self) -> str: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def split_column(self) -> str: ...
    def open(self) -> Iterator[Row]:
        """Goes through the rows, from the first."""
        ...


def union_of_keys(rows: Sequence[Row]) -> list[str]:
    """The columns of rows that need not all have the same keys, in order of first sight."""
    columns: dict[str, None] = {}
    for row in rows:
        if row.fields.keys() - columns.keys():
            columns.update(dict.fromkeys(row.fields))
    return list(columns)


def plain(value: object) -> object:
    """A cell as JSON knows it: dates in ISO form, numbers of other libraries as Python's; NaN, NaT and NA as None."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, datetime | date | time):
        return value.isoformat() if value == value else None
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return _foreign(value)


def _foreign(value: object) -> object:
    """Scalars and arrays of numpy and pandas; anything else as its text."""
    if value != value or str(value) in ("NaT", "<NA>"):
        return None
    to_list = getattr(value, "tolist", None)
    return plain(to_list()) if callable(to_list) else str(value)
