"""CoNLL-U: a word a line in ten columns, comments above, a blank line behind (universaldependencies.org/format.html).

A sentence becomes a Row: its `text`, its syntactic words (`tokens`, their `bounds` in the text, `upos`, `heads`,
`deprels`, ...), the `document` that a `# newdoc` began, and, so that the writer gives the same file back, `comments`
and `others`: ranges such as `1-2` and empty nodes such as `1.1`. The words of a range stand where they are in it: "do"
and "n't" in "don't". Where a range is not its words put together ("im" for "in" and "dem"), each has the bounds of the
whole range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.records import Row

COLUMNS = ("form", "lemma", "upos", "xpos", "feats", "heads", "deprels", "deps", "misc")  # behind the id, as in a Row
WIDTH = 1 + len(COLUMNS)
HEAD = 1 + COLUMNS.index("heads")
FORM, MISC = 1, WIDTH - 1
ID = re.compile(r"(\d+)(?:-(\d+)|\.(\d+))?")
TEXT = re.compile(r"#\s*text\s*= ?(.*)")
SENTENCE = re.compile(r"#\s*sent_id\s*=\s*(.+)")
DOCUMENT = re.compile(r"#\s*newdoc(?:\s+id\s*=\s*(.+))?\s*")
SPACELESS = "SpaceAfter=No"
SAMPLE = 50_000  # characters by which a file is told
ALIKE = 0.9  # share of the lines that must be words; the others are faults

Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is no comment: its number in the file, and its cells."""

    number: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Surface:
    """A stretch of the text: a word, or the range that holds several."""

    form: str
    words: int
    spaced: bool


class Conllu:
    """CoNLL-U, the format of Universal Dependencies: ten columns a word, ranges and empty nodes kept."""

    def sniff(self, source: Source) -> float:
        if source.suffix == ".conllu":
            return 0.95
        return 0.9 if is_conllu(source) else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:  # noqa: ARG002 - one signature for all readers
        rows, unlike = [], []
        for document, lines in _blocks(source.decoded.text):
            row, fits = _row(lines, document, source.name)
            rows.append(row)
            unlike += [] if fits else [RowPlace(row.file, row.line)]
        if not rows:
            raise refusal("empty-file", _("the file holds only blank lines; expected sentences"), source.name)
        how = _("; ").join((source.decoded.how, _("{sentences} sentences").format(sentences=len(rows))))
        file = FileReading(source.name, source.sha256, "conllu", len(rows), source.decoded.encoding, how, header=False)
        return Reading(file, union_of_keys(rows), rows, [*source.text_problems(), *_text_problems(unlike)])


def is_conllu(source: Source) -> bool:
    """Whether the text has the ten columns: an id that counts words from 1, and a head that is a number or missing."""
    text = source.decoded.text
    lines = re.split("\r\n|\n|\r", text[:SAMPLE])
    if len(text) > SAMPLE:
        lines.pop()  # it may be cut
    words = [line.split("\t") for line in lines if line.strip() and not line.startswith("#")]
    if not words or not re.fullmatch(r"1(-\d+)?|0\.1", words[0][0]):
        return False
    like = [
        len(cells) == WIDTH and ID.fullmatch(cells[0]) is not None and (cells[HEAD] == "_" or cells[HEAD].isdecimal())
        for cells in words
    ]
    return bool(sum(like) >= ALIKE * len(like))


def standing(text: str, forms: Sequence[str]) -> list[Bounds] | None:
    """Where the forms stand in the text, with white space alone between them; None where they do not make it up."""
    bounds, end = [], 0
    for form in forms:
        while not text.startswith(form, end) and text[end : end + 1].isspace():
            end += 1
        if not text.startswith(form, end):
            return None
        bounds.append((end, end + len(form)))
        end += len(form)
    return None if text[end:].strip() else bounds


def _blocks(text: str) -> Iterator[tuple[str, list[tuple[int, str]]]]:
    """(document, numbered lines) of each sentence; the document is empty where the file names none."""
    document, documents, lines = "", 0, list[tuple[int, str]]()
    for number, line in enumerate([*re.split("\r\n|\n|\r", text), ""], start=1):
        if line.strip():
            lines.append((number, line))
        elif lines:
            opened = next((found for _number, each in lines if (found := DOCUMENT.fullmatch(each))), None)
            if opened is not None:
                documents += 1
                document = (opened[1] or str(documents)).strip()
            yield document, lines
            lines = []


def _row(numbered: Sequence[tuple[int, str]], document: str, file: str) -> tuple[Row, bool]:
    """The row of a sentence, and whether its tokens make up its `# text`."""
    comments = [line for _number, line in numbered if line.startswith("#")]
    lines = [Line(number, line.split("\t")) for number, line in numbered if not line.startswith("#")]
    fault = _fault(lines)
    if fault:
        return Row({}, file, numbered[0][0], fault), True
    words = [line for line in lines if line.cells[0].isdecimal()]
    surfaces = _surfaces(lines)
    told = _told(TEXT, comments)
    places = None if told is None else standing(told, [each.form for each in surfaces])
    text, stand = _joined(surfaces) if told is None or places is None else (told, places)
    bounds = _word_bounds(surfaces, stand, words)
    fields: dict[str, object] = {
        **({"sent_id": name} if (name := _told(SENTENCE, comments)) else {}),
        **({"document": document} if document else {}),
        "text": text,
        "tokens": [text[start:end] for start, end in bounds],
        "bounds": [list(each) for each in bounds],
        **{name: [line.cells[index] for line in words] for index, name in enumerate(COLUMNS, start=1)},
        "heads": [_number(line.cells[HEAD]) for line in words],
        "comments": comments,
        "others": _others(lines),
    }
    return Row(fields, file, numbered[0][0]), told is None or places is not None


def _told(pattern: re.Pattern[str], comments: Sequence[str]) -> str | None:
    return next((found[1] for line in comments if (found := pattern.fullmatch(line))), None)


def _fault(lines: Sequence[Line]) -> str:
    """Why these lines are no sentence; empty where they are one."""
    words, covered = 0, 0
    for line in lines:
        fault = _cells_fault(line)
        if fault:
            return fault
        first, last, empty = (None if each is None else int(each) for each in _id(line))
        right = first == words if empty is not None else first == words + 1
        if last is not None:
            right = right and last >= words + 1 > covered
            covered = last
        elif empty is None:
            words += 1
        if not right:
            message = _("line {line}: the id {id} is out of order behind {words} words")
            return message.format(line=line.number, id=line.cells[0], words=words - (last is None and empty is None))
    if covered > words:
        return _("a range ends at word {last}, behind the last one, {words}").format(last=covered, words=words)
    return "" if words else _("a sentence without words")


def _cells_fault(line: Line) -> str:
    if len(line.cells) != WIDTH:
        message = _("line {line} has {got} columns, parted by tabs; expected {expected}")
        return message.format(line=line.number, got=len(line.cells), expected=WIDTH)
    if ID.fullmatch(line.cells[0]) is None:
        message = _("line {line}: '{id}' is no id; expected a number, a range such as 1-2 or an empty node such as 1.1")
        return message.format(line=line.number, id=line.cells[0])
    if not line.cells[FORM]:
        return _("line {line}: an empty form").format(line=line.number)
    return ""


def _id(line: Line) -> Sequence[str | None]:
    found = ID.fullmatch(line.cells[0])
    return (None, None, None) if found is None else found.groups()


def _surfaces(lines: Sequence[Line]) -> list[Surface]:
    """What stands in the text, in order."""
    found: list[Surface] = []
    inside = 0  # words of the last range that are still to come
    for line in lines:
        first, last, empty = _id(line)
        if empty is not None:
            continue
        if last is None and inside:
            inside -= 1
            continue
        count = int(last) - int(first or 0) + 1 if last is not None else 1
        inside = count if last is not None else 0
        found.append(Surface(line.cells[FORM], count, SPACELESS not in line.cells[MISC].split("|")))
    return found


def _joined(surfaces: Sequence[Surface]) -> tuple[str, list[Bounds]]:
    """The text that the surfaces make, and where they stand in it."""
    text, bounds = "", list[Bounds]()
    for each in surfaces:
        bounds.append((len(text), len(text) + len(each.form)))
        text += each.form + " " * each.spaced
    return text[: bounds[-1][1]], bounds


def _word_bounds(surfaces: Sequence[Surface], places: Sequence[Bounds], words: Sequence[Line]) -> list[Bounds]:
    """(start, end) of every syntactic word."""
    bounds: list[Bounds] = []
    for surface, place in zip(surfaces, places, strict=True):
        forms = [line.cells[FORM] for line in words[len(bounds) : len(bounds) + surface.words]]
        whole = "".join(forms) != surface.form
        start = place[0]
        for form in forms:
            bounds.append(place if whole else (start, start + len(form)))
            start += len(form)
    return bounds


def _number(cell: str) -> int | str:
    """The number of a cell that would be written the same."""
    return int(cell) if cell.isdecimal() and str(int(cell)) == cell else cell


def _others(lines: Sequence[Line]) -> list[list[object]]:
    """Ranges and empty nodes: [words before it, its cells] of each."""
    found: list[list[object]] = []
    words = 0
    for line in lines:
        if line.cells[0].isdecimal():
            words += 1
        else:
            found.append([words, list(line.cells)])
    return found


def _text_problems(places: Sequence[RowPlace]) -> Iterator[Problem]:
    """A warning about sentences whose text is another than their tokens."""
    if places:
        message = ngettext(
            "the `# text` of {count} sentence is not made of its tokens, which are put together instead",
            "the `# text` of {count} sentences is not made of their tokens, which are put together instead",
            len(places),
        ).format(count=len(places))
        first = places[0]
        yield Problem("unlike-text", message, file=first.file, line=first.line, severity="warning", rows=tuple(places))
