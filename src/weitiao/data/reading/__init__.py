"""Files in, Rows out: one file a format family, behind the lazy table `FORMATS`.

A reader says how sure it is that a source is its own (`sniff`) and reads it whole (`read`). Without `format:` the one
claim above 0.5 wins; two of them are an error that names both, except that the readers of any rows (`GENERIC`) yield to
one that knows the layout. How a source was read is kept in its `FileReading`.
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
    "read_source",
    "stream_rows",
    "takes_folder",
]

FORMATS = Table(
    "format",
    {
        "brat": "weitiao.data.reading.brat:Brat",
        "cluener": "weitiao.data.reading.cluener:Cluener",
        "conll": "weitiao.data.reading.conll:Conll",
        "conll2009": "weitiao.data.reading.conll2009:Conll2009",
        "conllu": "weitiao.data.reading.conllu:Conllu",
        "csv": "weitiao.data.reading.delimited:Csv",
        "doccano": "weitiao.data.reading.doccano:Doccano",
        "hub": "weitiao.data.reading.hub:Hub",
        "json": "weitiao.data.reading.json:Json",
        "jsonl": "weitiao.data.reading.json:JsonLines",
        "label_studio": "weitiao.data.reading.label_studio:LabelStudio",
        "parallel": "weitiao.data.reading.parallel:Parallel",
        "parquet": "weitiao.data.reading.parquet:Parquet",
        "rasa": "weitiao.data.reading.rasa:Rasa",
        "splits": "weitiao.data.reading.splits:Splits",
        "squad": "weitiao.data.reading.squad:Squad",
        "tsv": "weitiao.data.reading.delimited:Tsv",
        "word_tag": "weitiao.data.reading.word_tag:WordTag",
        "wsc": "weitiao.data.reading.wsc:Wsc",
        "xlsx": "weitiao.data.reading.xlsx:Xlsx",
    },
)

GENERIC = frozenset({"csv", "json", "jsonl", "splits", "tsv"})  # they read any rows, and yield to who knows the layout
SIGNATURES = {b"PAR1": "parquet", b"PK\x03\x04": "xlsx", b"\xd0\xcf\x11\xe0": "xlsx"}
ARCHIVES = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
SURE = 0.5  # a claim above this is taken; two of them are a conflict


class Reader(Protocol):
    """Reads one family of formats; built without arguments.

    One that takes folders and zips says so by a class attribute `gathers`; others are asked about plain files only.
    """

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
        source: path of a file, folder or zip as the user wrote it, or hub id.
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
    return read_source(opened, ReadOptions(delimiter, header, sheet, names), format)


def read_source(source: Source, options: ReadOptions, format: str | None = None) -> Reading:  # noqa: A002
    """The rows of an opened source; its format is told by content when None.

    Raises:
        ProblemsFound: the source as a whole cannot be read.
    """
    chosen = format or choose_format(source)
    try:
        reader: Reader = FORMATS[chosen]()
    except Refused as error:
        raise refusal("unknown-format", str(error), source.name) from error
    return reader.read(source, options)


def takes_folder(path: Path, format: str | None) -> bool:  # noqa: A002
    """Whether a reader takes the folder as one source; of a format that the user names, only whether it can be one."""
    if format is not None:
        return format not in FORMATS or _gathers(FORMATS[format])
    return bool(_sure(Source(path, str(path))))


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
    if source.is_gathered:
        return _claimed(source)
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
    sure = _sure(source)
    if len(sure) > 1:
        message = _("the file could be {formats}; say which under `format:`").format(formats=_(" or ").join(sure))
        raise refusal("ambiguous-format", message, source.name)
    if not sure and source.members and source.path.is_file():
        message = _("the file is {kind}-compressed; unpack it first").format(kind="zip")
        raise refusal("compressed-file", message, source.name)
    if not sure:
        message = _(
            "the format cannot be told by name or content; expected one of: {formats}; say which under `format:`"
        ).format(formats=", ".join(name for name in FORMATS if name != "hub"))
        raise refusal("unknown-format", message, source.name)
    return sure[0]


def _sure(source: Source) -> list[str]:
    """The formats whose readers claim the source."""
    readers = {name: FORMATS[name]() for name in FORMATS}
    asked = {name: each for name, each in readers.items() if _gathers(each) or not source.is_gathered}
    sure = [name for name, reader in asked.items() if reader.sniff(source) > SURE]
    return [name for name in sure if name not in GENERIC] or sure


def _gathers(reader: object) -> bool:
    return bool(getattr(reader, "gathers", False))
