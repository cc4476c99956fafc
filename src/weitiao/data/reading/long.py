"""Long text files in bounded memory: lines and rows that are read anew each time they are gone through.

Format, encoding, delimiter and header are told by the first megabyte; the rest is then decoded once, strictly, so that
nothing is answered of a file that turns out to be something else. Such a file, and every other format, is read whole.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from weitiao.data.reading.source import Source, refusal
from weitiao.errors import ProblemsFound
from weitiao.messages import _, system_reason
from weitiao.records import Row

HEAD = 1_000_000  # bytes by which a file is told; shorter files are read whole
BLOCK = 1_000_000  # bytes that are decoded at a time


@dataclass(frozen=True)
class LongSource(Source):
    """A source of which only the beginning is held."""

    def is_long(self) -> bool:
        """Whether the file is one to read in parts, going by its size."""
        return self.path.is_file() and self.path.stat().st_size > HEAD

    @cached_property
    def data(self) -> bytes:
        """The whole lines of the first megabyte; empty where there is none."""
        try:
            with self.path.open("rb") as stream:
                head = stream.read(HEAD)
        except OSError as error:
            message = _("the file cannot be read ({reason})").format(reason=system_reason(error))
            raise refusal("unreadable-file", message, self.name) from error
        return head[: head.rfind(b"\n") + 1]

    def is_text(self) -> bool:
        """Whether all of the file decodes as its beginning does; wide encodings, whose lines end otherwise, do not."""
        if not self.data or b"\0" in self.data:
            return False
        try:
            decoder = codecs.getincrementaldecoder(self.decoded.encoding)("strict")
            with self.path.open("rb") as stream:
                while block := stream.read(BLOCK):
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except (UnicodeDecodeError, ProblemsFound):  # what is wrong with it is said by reading it whole
            return False
        return True

    def lines(self, *, newline: str) -> Iterator[str]:
        """The lines with their ends; `newline` as in `open`."""
        with self.path.open(encoding=self.decoded.encoding, newline=newline) as stream:
            first = next(stream, "")
            yield first.removeprefix("\ufeff")
            yield from stream


@dataclass(frozen=True, slots=True)
class Stream:
    """A long file whose rows are read as they are gone through.

    Args:
        path: the source, as the user wrote it.
        columns: names of the columns, in order.
        rows: goes through the rows, from the first.
        split_column: as in `Reading`; no long format has one.
    """

    path: str
    columns: Sequence[str]
    rows: Callable[[], Iterator[Row]]
    split_column: str = ""

    def open(self) -> Iterator[Row]:
        """Goes through the rows, from the first."""
        return self.rows()
