"""JSON and JSON lines, in the shapes that data sets come in.

An array of rows; {split: [rows]}; {column: [values]}; {id: row}; one wrapped array ({"data": [...]}). A row is an
object, or a list whose items become columns '1', '2', ... What fits no shape is refused with the shapes that do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from weitiao.data.reading.long import LongSource, Stream
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.messages import _
from weitiao.records import Row

LINES = (".jsonl", ".ndjson")
SPLIT = "split"  # the column that the keys of {split: [rows]} become
ID = "id"  # the column that the keys of {id: row} become


class Json:
    """One JSON value: an array of rows, splits, columns, or rows by id."""

    def sniff(self, source: Source) -> float:
        if source.suffix in LINES or holds_passages(source.decoded.text):
            return 0.0
        looks = _looks_like(source.decoded.text)
        return 0.9 if looks == "json" else 0.6 if source.suffix == ".json" and not looks else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        shape, pairs = _shaped(parsed(source), source.name)
        rows = [_row(each, source.name, number, extra) for number, (each, extra) in enumerate(pairs, start=1)]
        return _reading(source, "json", rows, shape, SPLIT if shape == "splits" else "")


class JsonLines:
    """JSON lines: one row a line."""

    def sniff(self, source: Source) -> float:
        if source.suffix in LINES:
            return 0.9
        return 0.9 if _looks_like(source.decoded.text) == "jsonl" else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        rows = list(_lines(source.decoded.text, source.name))
        if rows and all(row.problem for row in rows):
            raise refusal(
                "bad-json",
                _("no line is a JSON object; the first: {reason}").format(reason=rows[0].problem),
                source.name,
                rows[0].line,
            )
        return _reading(source, "jsonl", rows, "lines", "")

    def stream(self, source: LongSource, _options: ReadOptions) -> Stream:
        """The same rows, read anew from the file each time they are gone through."""

        def rows() -> Iterator[Row]:
            lines = (line.removesuffix("\n") for line in source.lines(newline="\n"))
            return _rows_of_lines(lines, source.name)

        columns: dict[str, None] = {}
        for row in rows():
            columns.update(dict.fromkeys(row.fields))
        return Stream(source.name, list(columns), rows)


def parsed(source: Source) -> Any:
    """The one JSON value of a source.

    Raises:
        ProblemsFound: it is none.
    """
    try:
        return json.loads(source.decoded.text)
    except (ValueError, RecursionError) as error:
        raise _invalid(error, source.name) from error


def holds_passages(text: str) -> bool:
    """Whether the JSON is one of documents with passages with questions, which the format `squad` reads."""
    layouts = (("paragraphs", "qas", "context"), ("context_text", "qas", "query_text"))  # SQuAD's; CMRC's first
    return any(all(f'"{key}"' in text for key in keys) for keys in layouts) and _looks_like(text) == "json"


def _reading(source: Source, format_name: str, rows: list[Row], shape: str, split_column: str) -> Reading:
    if not rows:
        raise refusal("empty-file", _("the file holds no rows"), source.name)
    how = _("; ").join((source.decoded.how, _shape_in_words(shape)))
    file = FileReading(source.name, source.sha256, format_name, len(rows), source.decoded.encoding, how)
    return Reading(file, union_of_keys(rows), rows, source.text_problems(), split_column)


def _shape_in_words(shape: str) -> str:
    words = {
        "array": _("an array of rows"),
        "splits": _("an object of splits, each an array of rows"),
        "columns": _("an object of columns, each an array of values"),
        "indexed": _("an object of columns, each an object of numbered values"),
        "ids": _("an object of rows by id"),
        "object": _("one row"),
        "wrapped": _("an array of rows inside an object"),
        "lines": _("one row a line"),
    }
    return words[shape]


def _looks_like(text: str) -> str:
    """'json', 'jsonl', or '' by the first lines."""
    body = text.lstrip()
    if body[:1] not in ("{", "["):
        return ""
    first, _end, rest = body.partition("\n")
    following = rest.lstrip()[:1]
    if _is_container(first):
        return "jsonl" if following else "json"
    if following == body[0] == "{":  # a value cannot begin so inside an object: a faulty first line of several
        return "jsonl"
    return "json" if re.match(r"[{\[]\s*[\[{\]}\"\d-]", body) else ""


def _is_container(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False


def _lines(text: str, file: str) -> Iterator[Row]:
    """Rows of JSON lines; a line that is not JSON is a faulty row."""
    ending = "\r" if "\n" not in text and "\r" in text else "\n"
    return _rows_of_lines(text.split(ending), file)


def _rows_of_lines(lines: Iterable[str], file: str) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line or line.isspace():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
            yield Row({}, file, number, _("not valid JSON ({reason})").format(reason=reason))
        else:
            yield _row(value, file, number, {})


def _row(value: Any, file: str, line: int, extra: Mapping[str, str]) -> Row:
    if isinstance(value, dict):
        return Row({**extra, **value} if extra else value, file, line)
    if isinstance(value, list):
        return Row({**extra, **{str(number): each for number, each in enumerate(value, start=1)}}, file, line)
    message = _("expected an object or a list; got {got}").format(got=_kind(value))
    return Row({}, file, line, message)


def _kind(value: object) -> str:
    """What JSON calls a bare value; the value itself may be a text that reports must not show."""
    if value is None:
        return "null"
    return {bool: _("true or false"), str: _("a string")}.get(type(value), _("a number"))


Pairs = list[tuple[Any, dict[str, str]]]  # a row, and the columns that its key adds


def _shaped(value: Any, file: str) -> tuple[str, Pairs]:
    """(shape, rows) of a whole JSON value."""
    if isinstance(value, list):
        return "array", [(each, {}) for each in value]
    if isinstance(value, dict):
        for shape, rows in (_by_lists(value), _by_objects(value), _by_scalars(value)):
            if shape:
                return shape, rows
    message = _(
        "the JSON has none of the shapes that hold rows: an array of objects, {{split: [rows]}}, "
        "{{column: [values]}}, {{id: row}}"
    ).format()
    raise refusal("bad-json", message, file)


def _by_lists(value: dict[str, Any]) -> tuple[str, Pairs]:
    """Splits, columns, or one array of rows beside scalars such as a version."""
    lists = {key: each for key, each in value.items() if isinstance(each, list)}
    of_rows = {key: each for key, each in lists.items() if each and all(isinstance(row, dict | list) for row in each)}
    if len(of_rows) == 1 and not any(isinstance(each, dict) for each in value.values()) and len(lists) == 1:
        (key, rows), *_rest = of_rows.items()
        if key.casefold() not in ("train", "dev", "test", "val", "valid", "validation"):
            return "wrapped", [(row, {}) for row in rows]
    if not lists or len(lists) < len(value):
        return "", []
    if of_rows and all(key in of_rows or not each for key, each in lists.items()):
        return "splits", [(row, {SPLIT: key}) for key, rows in lists.items() for row in rows]
    if len({len(each) for each in lists.values()}) == 1:
        return "columns", [(dict(zip(lists, row, strict=True)), {}) for row in zip(*lists.values(), strict=True)]
    return "", []


def _by_objects(value: dict[str, Any]) -> tuple[str, Pairs]:
    """{id: row}, or pandas' {column: {index: value}}."""
    if not value or not all(isinstance(each, dict) for each in value.values()):
        return "", []
    inner = [list(each) for each in value.values()]
    numbered = bool(inner[0]) and all(key.isdigit() for key in inner[0]) and all(keys == inner[0] for keys in inner)
    if numbered and not all(key.isdigit() for key in value):
        return "indexed", [({column: each[key] for column, each in value.items()}, {}) for key in inner[0]]
    return "ids", [(each, {ID: key}) for key, each in value.items()]


def _by_scalars(value: dict[str, Any]) -> tuple[str, Pairs]:
    """A file with one row."""
    if value and not any(isinstance(each, dict | list) for each in value.values()):
        return "object", [(value, {})]
    return "", []


def _invalid(error: Exception, file: str) -> Exception:
    if isinstance(error, json.JSONDecodeError):
        message = _("not valid JSON at column {column} ({reason})").format(column=error.colno, reason=error.msg)
        return refusal("bad-json", message, file, error.lineno)
    return refusal("bad-json", _("not valid JSON ({reason})").format(reason=error), file)
