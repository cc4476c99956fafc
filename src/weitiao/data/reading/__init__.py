"""Files in, Rows out: one file a format family, behind the lazy table `FORMATS`.

A reader says how sure it is that a source is its own (`sniff`) and reads it whole (`read`). Without `format:` the one
claim above 0.5 wins; two of them are an error that names both. How a source was read is kept in its `FileReading`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from weitiao.data.reading.long import LongSource
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, Tabular, refusal
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.tables import Table

__all__ = [
    "FORMATS",
    "FileReading",
    "ReadOptions",
    "Reader",
    "Reading",
    "Source",
    "Tabular",
    "read_rows",
    "stream_rows",
]

FORMATS = Table(
    "format",
    {
        "conll": "weitiao.data.reading.conll:Conll",
        "conllu": "weitiao.data.reading.conllu:Conllu",
        "csv": "weitiao.data.reading.delimited:Csv",
        "hub": "weitiao.data.reading.hub:Hub",
        "json": "weitiao.data.reading.json:Json",
        "jsonl": "weitiao.data.reading.json:JsonLines",
        "parquet": "weitiao.data.reading.parquet:Parquet",
        "tsv": "weitiao.data.reading.delimited:Tsv",
        "xlsx": "weitiao.data.reading.xlsx:Xlsx",
    },
)

SIGNATURES = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx", b"\xd0\xcf\x11\xe0": "xlsx"}
ARCHIVES = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
SURE = 0.5  # a claim above this is taken; two of them are a conflict


class Reader(Protocol):
    """Reads one family of formats; built without arguments."""

    def sniff(self, source: Source) -> float:
        """How sure the reader is that the source is its own, 0 to 1."""
        ...

    def read(self, source: Source, options: ReadOptions, /) -> Reading:
        """Every row of the source, good or faulty.

        Raises:
            ProblemsFound: the source as a whole cannot be read.
        """
        ...


def read_rows(
    source: str,
    *,
    format: str | None = None,  # noqa: A002  (the recipe's own word)
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    sheet: str | None = None,
    names: frozenset[str] = frozenset(),
) -> Reading:
    """The rows of one file or hub data set (`hf:owner/name`).

    Args:
        source: path as the user wrote it, or hub id.
        format: entry of `FORMATS`; told by content when None.
        encoding: text encoding; told by content when None.
        delimiter: column delimiter of text tables; sniffed when None.
        header: whether the first row names the columns; sniffed when None.
        sheet: sheet of a workbook; the first when None.
        names: column names that the caller looks for, lower case: evidence for a header.

    Raises:
        ProblemsFound: the source as a whole cannot be read.
    """
    opened = Source(Path(source).expanduser(), source, encoding)
    chosen = format or choose_format(opened)
    try:
        reader: Reader = FORMATS[chosen]()
    except Refused as error:
        raise refusal("unknown-format", str(error), source) from error
    return reader.read(opened, ReadOptions(delimiter, header, sheet, names))


def stream_rows(
    source: str,
    *,
    format: str | None = None,  # noqa: A002  (the recipe's own word)
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    sheet: str | None = None,
    names: frozenset[str] = frozenset(),
) -> Tabular:
    """The rows of one source in bounded memory where it is a long csv, tsv or jsonl file; else as `read_rows`.

    Args:
        source: and the rest as for `read_rows`.

    Raises:
        ProblemsFound: the source as a whole cannot be read.
    """
    opened = LongSource(Path(source).expanduser(), source, encoding)
    if not source.startswith("hf:") and opened.is_long() and opened.is_text():
        chosen = format or choose_format(opened)
        stream = getattr(FORMATS[chosen], "stream", None) if chosen in FORMATS else None
        if stream is not None:
            found: Tabular = stream(FORMATS[chosen](), opened, ReadOptions(delimiter, header, sheet, names))
            return found
    return read_rows(
        source, format=format, encoding=encoding, delimiter=delimiter, header=header, sheet=sheet, names=names
    )


def choose_format(source: Source) -> str:
    """The format of a source, by its first bytes, then by the one reader that claims it."""
    if source.name.startswith("hf:"):
        return "hub"
    if not source.data:
        raise refusal("empty-file", _("the file is empty; expected rows"), source.name)
    for signature, name in SIGNATURES.items():
        if source.data.startswith(signature):
            return name
    for signature, name in ARCHIVES.items():
        if source.data.startswith(signature):
            message = _("the file is {kind}-compressed; unpack it first").format(kind=name)
            raise refusal("compressed-file", message, source.name)
    return _claimed(source)


def _claimed(source: Source) -> str:
    claims = {name: float(FORMATS[name]().sniff(source)) for name in FORMATS}
    sure = [name for name, claim in claims.items() if claim > SURE]
    if len(sure) > 1:
        message = _("the file could be {formats}; say which under `format:`").format(formats=_(" or ").join(sure))
        raise refusal("ambiguous-format", message, source.name)
    if not sure:
        message = _(
            "the format cannot be told by name or content; expected one of: {formats}; say which under `format:`"
        ).format(formats=", ".join(name for name in FORMATS if name != "hub"))
        raise refusal("unknown-format", message, source.name)
    return sure[0]
