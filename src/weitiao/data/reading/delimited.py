"""Delimited text: csv and tsv, as people's tools really write them.

Quoted fields over several lines, CRLF, LF or lone CR, and every fault on its own line: a quote that never closes costs
one row, not the rest of the file. Quotes that only look like quoting (tweets in a tsv) are told by the column counts.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from weitiao.data.reading.conll import SUFFIXES as TOKEN_SUFFIXES
from weitiao.data.reading.conll import has_tag_columns
from weitiao.data.reading.conll2009 import has_predicate_columns
from weitiao.data.reading.conllu import is_conllu
from weitiao.data.reading.header import SAMPLE as HEADER_SAMPLE
from weitiao.data.reading.header import Header, choose_header
from weitiao.data.reading.long import LongSource, Stream
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal
from weitiao.messages import _
from weitiao.records import Row

DELIMITERS = (",", "\t", ";", "|")
NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
LONGEST_FIELD = 16_000_000  # characters of a field in a long file: what a quote that never closes may swallow
SAMPLE = 200  # rows by which the delimiter is told


def _is_of_tokens(source: Source) -> bool:
    """Whether the columns are of tokens, a line each, which other readers know."""
    if source.suffix in (*TOKEN_SUFFIXES, ".conllu"):
        return True
    return has_tag_columns(source) or has_predicate_columns(source) or is_conllu(source)


@dataclass(frozen=True, slots=True)
class Cells:
    """One row before it has column names: its first line, its cells (as one, where it is faulty), and the fault."""

    line: int
    cells: list[str]
    fault: str = ""


class Csv:
    """Comma-, semicolon-, pipe- or tab-separated text; the delimiter is sniffed."""

    format = "csv"
    fallback = ","

    def sniff(self, source: Source) -> float:
        if _is_of_tokens(source):
            return 0.0
        if source.suffix == ".csv":
            return 0.9
        if source.suffix in (".tsv", ".tab", ".json", ".jsonl", ".ndjson"):
            return 0.0
        return 0.7 if _delimiter_by_content(source) in (",", ";", "|") else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:
        text = source.decoded.text
        delimiter, how_delimiter = self._delimiter(text, options.delimiter, source.name)
        table, how_quotes = _table(text, delimiter)
        if not table:
            raise refusal("empty-file", _("the file holds only blank lines; expected rows"), source.name)
        header = choose_header([each.cells for each in table if not each.fault], options.header, options.names)
        rows = list(_rows(table, header, source.name, delimiter))
        if not rows:
            raise refusal("empty-file", _("the file has a header and no rows"), source.name)
        how = _("; ").join(filter(None, (source.decoded.how, how_delimiter, how_quotes, header.how)))
        file = FileReading(
            source.name, source.sha256, self.format, len(rows), source.decoded.encoding, how, delimiter, header.present
        )
        problems = [*source.text_problems(), *header.problems(source.name)]
        return Reading(file, header.columns, rows, problems)

    def stream(self, source: LongSource, options: ReadOptions) -> Stream:
        """The same rows, read anew from the file each time they are gone through."""
        delimiter, _how = self._delimiter(source.decoded.text, options.delimiter, source.name)

        def lines() -> Iterator[str]:
            return source.lines(newline="")

        table = _long_table(lines, delimiter)
        opening = [each.cells for each in islice(table(), HEADER_SAMPLE + 1) if not each.fault]
        header = choose_header(opening, options.header, options.names)
        return Stream(source.name, header.columns, lambda: _rows(table(), header, source.name, delimiter))

    def _delimiter(self, text: str, told: str | None, file: str) -> tuple[str, str]:
        if told is None:
            found, how = _delimiter_of(text)
            return (found, how) if found else (self.fallback, _("one column"))
        delimiter = NAMES.get(told, told)
        if len(delimiter) != 1 or delimiter in '"\r\n':
            message = _("`delimiter` is '{got}'; expected one character, such as ',' or ';', or tab").format(got=told)
            raise refusal("bad-delimiter", message, file)
        return delimiter, _("`delimiter:` says so")


class Tsv(Csv):
    """Tab-separated text."""

    format = "tsv"
    fallback = "\t"

    def sniff(self, source: Source) -> float:
        if _is_of_tokens(source):
            return 0.0
        if source.suffix in (".tsv", ".tab"):
            return 0.9
        if source.suffix in (".csv", ".json", ".jsonl", ".ndjson"):
            return 0.0
        return 0.7 if _delimiter_by_content(source) == "\t" else 0.0

    def _delimiter(self, text: str, told: str | None, file: str) -> tuple[str, str]:
        if told is None:
            return "\t", ""
        return super()._delimiter(text, told, file)


def _delimiter_by_content(source: Source) -> str:
    """The delimiter of a file whose name says nothing; '' where there is none, or where the text is JSON's."""
    text = source.decoded.text
    return "" if text.lstrip()[:1] in ("{", "[") else _delimiter_of(text)[0]


def _delimiter_of(text: str) -> tuple[str, str]:
    """The delimiter that gives most rows the same number of columns, at least two; '' where none does."""
    lines = list(islice(io.StringIO(text, newline=""), SAMPLE))
    best, best_share, best_width = "", 0.5, 1
    for delimiter in DELIMITERS:
        with _fields_up_to(len(text)):
            widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        if not widths:
            continue
        width, count = Counter(widths).most_common(1)[0]
        share = count / len(widths)
        if width > 1 and (share, width) > (best_share, best_width):
            best, best_share, best_width = delimiter, share, width
    how = _("'{delimiter}' parts {share} of the first rows into {width} columns").format(
        delimiter="tab" if best == "\t" else best, share=f"{best_share:.0%}", width=best_width
    )
    return (best, how) if best else ("", "")


def _table(text: str, delimiter: str) -> tuple[list[Cells], str]:
    """Every row that is not blank, and how quotes were taken where that was in doubt."""
    lines = io.StringIO(text, newline="").readlines()  # LF, CRLF and lone CR all end a line; the ends are kept
    with _fields_up_to(len(text)):
        quoted = list(_parse(lines, delimiter))
        if delimiter == "\t" and _doubtful(quoted):  # tab-separated text often has no quoting at all
            plain = list(_unquoted(lines, delimiter))
            if _is_even(plain):
                return plain, _("quotes are ordinary characters: only so do all lines have the same columns")
    return quoted, ""


def _long_table(lines: Callable[[], Iterator[str]], delimiter: str) -> Callable[[], Iterator[Cells]]:
    """What goes through the rows of a long file, as `_table` takes its quotes."""

    def quoted() -> Iterator[Cells]:
        with _fields_up_to(LONGEST_FIELD):
            yield from _parse(lines(), delimiter)

    def plain() -> Iterator[Cells]:
        with _fields_up_to(LONGEST_FIELD):
            yield from _unquoted(lines(), delimiter)

    return plain if delimiter == "\t" and _doubtful(quoted()) and _is_even(plain()) else quoted


@contextmanager
def _fields_up_to(characters: int) -> Iterator[None]:
    """The longest field that the csv module takes, inside the block."""
    before = csv.field_size_limit()
    csv.field_size_limit(max(characters, before))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _is_even(table: Iterable[Cells]) -> bool:
    """Whether all rows have the same number of columns, more than one."""
    width = 0
    for each in table:
        if len(each.cells) < 2 or width not in (0, len(each.cells)):
            return False
        width = len(each.cells)
    return width > 0


def _doubtful(table: Iterable[Cells]) -> bool:
    """Whether quotes may have been ordinary characters: they broke a row, or swallowed the end of a line."""
    return any(each.fault or any("\n" in cell or "\r" in cell for cell in each.cells) for each in table)


def _parse(lines: Iterable[str], delimiter: str) -> Iterator[Cells]:
    """Rows under the usual quoting; after a fault, reading goes on with the line after the one at fault."""
    source, again = iter(lines), deque[str]()
    row: list[str] = []  # lines of the current row
    start = 0  # lines before it

    def feed() -> Iterator[str]:
        while (line := again.popleft() if again else next(source, "")) != "":
            row.append(line)
            yield line

    while True:
        try:
            for cells in csv.reader(feed(), delimiter=delimiter, strict=True):
                if cells:
                    yield Cells(start + 1, cells)
                start += len(row)
                row.clear()
        except csv.Error:
            line, fault = _fault(row, delimiter)
            yield Cells(start + line, ["".join(row[:line]).rstrip("\r\n")], fault)
            again.extendleft(reversed(row[line:]))
            start += line
            row.clear()
        else:
            return


def _fault(lines: Sequence[str], delimiter: str) -> tuple[int, str]:
    """(line from 1, reason) of what is wrong with the row that these lines begin."""
    opened, quoted, fresh = 1, False, True
    for number, characters in enumerate(lines, start=1):
        index = 0
        while index < len(characters):
            character = characters[index]
            if quoted and character == '"' and characters[index + 1 : index + 2] == '"':
                index += 1
            elif quoted and character == '"':
                quoted = False
                if characters[index + 1 : index + 2] not in (delimiter, "\r", "\n", ""):
                    reason = _("a quoted field goes on after its closing quote; double quotes inside it")
                    return opened, reason
            elif not quoted and fresh and character == '"':
                opened, quoted = number, True
            fresh = not quoted and character == delimiter
            index += 1
        fresh = not quoted
    return opened, _("a quote opened on this line is never closed")


def _unquoted(lines: Iterable[str], delimiter: str) -> Iterator[Cells]:
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return (Cells(reader.line_num, cells) for cells in reader if cells)


def _rows(table: Iterable[Cells], header: Header, file: str, delimiter: str) -> Iterator[Row]:
    """Rows under their columns; of faulty ones, what there is of them, so that `predict` can carry it through."""
    columns, width = header.columns, len(header.columns)
    skip = header.present
    for each in table:
        if skip and not each.fault:
            skip = False
        elif each.fault:
            yield Row({columns[0]: each.cells[0]}, file, each.line, each.fault)
        elif len(each.cells) != width:
            problem = _("got {got} columns, expected {expected}").format(got=len(each.cells), expected=width)
            yield Row(_as_far(each.cells, columns, delimiter), file, each.line, problem)
        else:
            yield Row(dict(zip(columns, each.cells, strict=True)), file, each.line)


def _as_far(cells: Sequence[str], columns: Sequence[str], delimiter: str) -> dict[str, str]:
    """Too few or too many cells under their columns; those that are over stay in the last one, joined again."""
    if len(cells) > len(columns):
        last = len(columns) - 1
        cells = [*cells[:last], delimiter.join(cells[last:])]
    return dict(zip(columns, cells, strict=False))
