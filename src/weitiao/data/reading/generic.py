"""The plain rows of a file that a tool wrote as JSON, JSON lines or csv, from which the readers of layouts start."""

from __future__ import annotations

from weitiao.data.reading.delimited import Csv
from weitiao.data.reading.json import Json, JsonLines
from weitiao.data.reading.source import Reading, ReadOptions, Source, refusal
from weitiao.messages import _

SURE = 0.5


def plain_rows(source: Source, options: ReadOptions) -> Reading:
    """The rows as they stand in the file.

    Raises:
        ProblemsFound: it is neither JSON nor csv, or cannot be read.
    """
    if source.first_objects and source.decoded.text.lstrip("\ufeff \t\r\n").startswith("{"):
        return JsonLines().read(source, options)  # one object with objects inside is a line, too
    for reader in (JsonLines(), Json(), Csv()):
        if reader.sniff(source) > SURE:
            return reader.read(source, options)
    raise refusal("bad-json", _("expected JSON, JSON lines or csv"), source.name)


def is_empty(source: Source) -> bool:
    """Whether there is nothing in the file, not even a row."""
    return not source.data.strip(b" \t\r\n[]\xef\xbb\xbf")
