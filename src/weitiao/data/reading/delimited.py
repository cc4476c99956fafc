"""Delimited text: csv and tsv, as people's tools really write them.

Quoted fields over several lines, CRLF, LF or lone CR, and every fault on its own line: a quote that never closes costs
one row, not the rest of the file. Quotes that only look like quoting (tweets in a tsv) are told by the column counts.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from weitiao.data.reading.header import Header, choose_header
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal
from weitiao.messages import _
from weitiao.records import Row

DELIMITERS = (",", "\t", ";", "|")
NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
SAMPLE = 200  # rows by which the delimiter is told


@dataclass(frozen=True, slots=True)
class Cells:
    """One row before it has column names: its first line, its cells, and why it is faulty."""

    line: int
    cells: list[str]
    fault: str = ""


class Csv:
    """Comma-, semicolon-, pipe- or tab-separated text; the delimiter is sniffed."""

    format = "csv"
    fallback = ","

    def sniff(self, source: Source) -> float:
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
        rows = _rows(table, header, source.name)
        if not rows:
            raise refusal("empty-file", _("the file has a header and no rows"), source.name)
        how = "; ".join(filter(None, (source.decoded.how, how_delimiter, how_quotes, header.how)))
        file = FileReading(
            source.name, source.sha256, self.format, len(rows), source.decoded.encoding, how, delimiter, header.present
        )
        problems = [*source.text_problems(), *header.problems(source.name)]
        return Reading(file, header.columns, rows, problems)

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
    limit = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        quoted = list(_parse(lines, delimiter))
        if delimiter == "\t" and _doubtful(quoted):  # tab-separated text often has no quoting at all
            plain = _unquoted(lines, delimiter)
            widths = {len(each.cells) for each in plain}
            if len(widths) == 1 and widths != {1}:
                return plain, _("quotes are ordinary characters: only so do all lines have the same columns")
    finally:
        csv.field_size_limit(limit)
    return quoted, ""


def _doubtful(table: Sequence[Cells]) -> bool:
    """Whether quotes may have been ordinary characters: they broke a row, or swallowed the end of a line."""
    return any(each.fault or any("\n" in cell or "\r" in cell for cell in each.cells) for each in table)


def _parse(lines: Sequence[str], delimiter: str) -> Iterator[Cells]:
    """Rows under the usual quoting; after a fault, reading goes on with the line after the one at fault."""
    start = 0  # lines before the current row
    while start < len(lines):
        reader = csv.reader(islice(lines, start, None), delimiter=delimiter, strict=True)
        first = start
        try:
            for cells in reader:
                if cells:
                    yield Cells(start + 1, cells)
                start = first + reader.line_num
        except csv.Error:
            line, fault = _fault(lines, start, first + reader.line_num, delimiter)
            yield Cells(line, [], fault)
            start = line
        else:
            return


def _fault(lines: Sequence[str], start: int, end: int, delimiter: str) -> tuple[int, str]:
    """(line from 1, reason) of what is wrong with the row that begins after `start` lines."""
    opened, quoted, fresh = start + 1, False, True
    for number in range(start, end):
        characters = lines[number]
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
                opened, quoted = number + 1, True
            fresh = not quoted and character == delimiter
            index += 1
        fresh = not quoted
    return opened, _("a quote opened on this line is never closed")


def _unquoted(lines: Sequence[str], delimiter: str) -> list[Cells]:
    reader = csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    return [Cells(reader.line_num, cells) for cells in reader if cells]


def _rows(table: Sequence[Cells], header: Header, file: str) -> list[Row]:
    columns, width = header.columns, len(header.columns)
    rows, skip = [], header.present
    for each in table:
        if skip and not each.fault:
            skip = False
        elif each.fault:
            rows.append(Row({}, file, each.line, each.fault))
        elif len(each.cells) != width:
            problem = _("got {got} columns, expected {expected}").format(got=len(each.cells), expected=width)
            rows.append(Row(dict(zip(columns, each.cells, strict=False)), file, each.line, problem))
        else:
            rows.append(Row(dict(zip(columns, each.cells, strict=True)), file, each.line))
    return rows
