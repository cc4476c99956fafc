"""One source on its way in: its bytes and text (members, of a folder or zip), and what a reader hands back.

The bytes are read once, so that fingerprint, sniffing and rows are of the same file even if it changes meanwhile.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from weitiao.data.reading.encoding import Decoded, decode
from weitiao.data.reading.opening import first_objects
from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _, ngettext, system_reason
from weitiao.records import Row

ZIP = b"PK\x03\x04"
WORKBOOK = frozenset({"[Content_Types].xml", "mimetype"})  # what a zip that is a workbook holds


def refusal(code: str, message: str, file: str, line: int = 0) -> ProblemsFound:
    """The exception that ends the reading of one source."""
    return ProblemsFound([Problem(code, message, file=file, line=line)])


@dataclass(frozen=True)
class Source:
    """A file, a folder or a zip to read.

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
    def members(self) -> Mapping[str, Source]:
        """The files of a folder (two levels deep) or of a zip, by their path inside it; none of a plain file."""
        if self.path.is_dir():
            found = sorted(each for level in ("*", "*/*") for each in self.path.glob(level) if each.is_file())
            inner = {each.relative_to(self.path).as_posix(): each for each in found}
            return {
                name: Source(each, self._inside(name), self.encoding) for name, each in inner.items() if _shown(name)
            }
        if not self.data.startswith(ZIP):
            return {}
        try:
            archive = zipfile.ZipFile(io.BytesIO(self.data))
        except zipfile.BadZipFile:
            return {}
        names = sorted(each.filename for each in archive.infolist() if not each.is_dir())
        if WORKBOOK.intersection(names):
            return {}
        shown = [name for name in names if _shown(name)]
        tops = {name.partition("/")[0] for name in shown if "/" in name}
        top = f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in shown) else ""  # a zipped folder
        return {
            name.removeprefix(top): Member(
                self.path / name, self._inside(name), self.encoding, archive=archive, inner=name
            )
            for name in shown
        }

    @property
    def is_gathered(self) -> bool:
        """Whether it is a folder or a zip."""
        return self.path.is_dir() or bool(self.members)

    def _inside(self, name: str) -> str:
        return f"{self.name.rstrip('/')}/{name}"

    @cached_property
    def first_objects(self) -> list[dict[str, Any]]:
        """The first JSON objects of the text, by which the layout of a tool is told; none where it is not JSON."""
        return first_objects(self.decoded.text)

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


def _shown(name: str) -> bool:
    """Whether a member is one of the user's own files, not of the system's."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


@dataclass(frozen=True)
class Member(Source):
    """A file inside a zip."""

    archive: zipfile.ZipFile = field(kw_only=True)
    inner: str = field(kw_only=True)

    @cached_property
    def data(self) -> bytes:
        """The whole file, unpacked."""
        try:
            return self.archive.read(self.inner)
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError) as error:
            message = _("the file cannot be unpacked ({reason})").format(reason=error)
            raise refusal("unreadable-file", message, self.name) from error

    @cached_property
    def members(self) -> Mapping[str, Source]:
        """None: a zip inside a zip is not opened."""
        return {}


def joint_fingerprint(members: Mapping[str, Source]) -> str:
    """Fingerprint of several files and their names."""
    listed = "\n".join(f"{name} {member.sha256}" for name, member in members.items())
    return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()


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
