"""Token columns: a token a line with its tags, a blank line between sentences (CoNLL 2000-2003 and all that followed).

A sentence becomes a Row: its columns by number as lists, `tokens` (the first), `tags` (the last), the `text` that the
tokens make (or a comment `# text = ...` above them says), and the `document` that a `-DOCSTART-` line began. Other
comments, CRLF, a missing end and a first column that counts the tokens are no obstacle. Where several columns hold tags
of spans, a note says that the last is read; another counts tags that continue no span. A line of another width is a
fault of its own line and costs the sentence.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from weitiao.data.reading.conllu import is_conllu
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.metrics.spans import parse_tag
from weitiao.records import Row
from weitiao.text import han_share, join_tokens

SUFFIXES = (".conll", ".conll2000", ".conll2002", ".conll2003", ".bio", ".bioes", ".bmes", ".iob", ".iob2", ".bilou")
DOCUMENT = "-DOCSTART-"
INVISIBLE = "\ufeff\u200b\u2060 \t\r"
SAMPLE = 400  # lines by which a file is told
TAGGED = 0.98  # share of lines whose last column must be a tag
STATED = re.compile(r"#\s*text\s*=\s?(?P<text>.*)")  # as in CoNLL-U; our writer puts odd texts there as JSON strings
COMMENT = re.compile(r"#\s*[^\W\d][\w:.-]*\s+=\s[^\t]*")  # such as `# sent_id = 1`, above the tokens
CHARACTERS = 0.95  # share of tokens of one character from which a Chinese file is one of characters

Line = tuple[int, str, list[str]]  # number from 1, text, cells
Token = tuple[int, list[str]]  # line, cells


@dataclass(frozen=True, slots=True)
class _Layout:
    """The columns of a file.

    Args:
        width: how many there are.
        first: place of that of the tokens, from 0.
        characters: whether tokens are the characters of a Chinese text.
    """

    width: int
    first: int
    characters: bool


@dataclass(frozen=True, slots=True)
class _Sentence:
    """What stands between two blank lines.

    Args:
        document: where it stands; empty where the file names none.
        first: its first line.
        tokens: the lines that have as many cells as the others.
        stated: its text, where a comment says it.
        fault: line and reason of the first line that has other cells; empty where there is none.
    """

    document: str
    first: int
    tokens: Sequence[Token]
    stated: str
    fault: tuple[int, str] | tuple[()]

    @classmethod
    def of(cls, document: str, lines: Sequence[Line], width: int) -> _Sentence:
        """The sentence of these lines."""
        tokens: list[Token] = []
        stated, faults = "", list[tuple[int, str]]()
        for number, line, cells in lines:
            if line.startswith("#") and (found := STATED.fullmatch(line)):
                stated = found["text"]
            elif line.startswith("#") and not tokens and COMMENT.fullmatch(line):
                continue
            elif len(cells) == width and cells[0]:
                tokens.append((number, cells))
            elif not line.startswith("#"):
                message = _("columns: {got}; in the other lines: {expected}").format(got=len(cells), expected=width)
                faults.append((number, message))
        if not tokens:
            faults.append((lines[0][0], _("a sentence of comments")))
        return cls(document, lines[0][0], tokens, stated, faults[0] if faults else ())


class Conll:
    """A token a line with its tags in columns, a blank line between sentences."""

    def sniff(self, source: Source) -> float:
        if is_conllu(source):
            return 0.0
        if source.suffix in SUFFIXES:
            return 0.95
        return 0.9 if has_tag_columns(source) else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:  # noqa: ARG002 - one signature for all readers
        blocks = list(_blocks(source.decoded.text))
        width = _width([line for _document, lines in blocks for line in lines])
        if width < 2:
            raise refusal("no-columns", _("no line has two columns; expected a token and its tag a line"), source.name)
        sentences = [_Sentence.of(document, lines, width) for document, lines in blocks]
        first = int(_counts(sentences, width))
        characters = of_characters([cells[first] for each in sentences for _number, cells in each.tokens])
        layout = _Layout(width, first, characters)
        rows = [_row(each, layout, source.name) for each in sentences]
        documents = any(each.document for each in sentences)
        how = _("{columns} columns a token, {sentences} sentences").format(columns=width, sentences=len(rows))
        told = _("; ").join((source.decoded.how, how))
        file = FileReading(source.name, source.sha256, "conll", len(rows), source.decoded.encoding, told, header=False)
        columns = [column for column in union_of_keys(rows) if documents or column != "document"]
        noted = [*_tag_columns(sentences, layout, source.name), *_loose_tags(sentences, source.name)]
        return Reading(file, columns, rows, [*source.text_problems(), *noted])


def has_tag_columns(source: Source) -> bool:
    """Whether the text is one of token columns, the last of which says where spans begin."""
    lines = list(islice(source.decoded.text.splitlines(), SAMPLE))
    filled = [columns_of(line) for line in lines if line.strip(INVISIBLE) and not STATED.fullmatch(line)]
    tags = [parse_tag(columns[-1]) for columns in filled if len(columns) > 1]
    said = [tag for tag in tags if tag is not None]
    sentences = len(filled) < len(lines)
    return sentences and len(said) >= TAGGED * max(len(filled), 1) and any(label for _place, label in said)


def columns_of(line: str) -> list[str]:
    """The cells of a line: parted by tabs, or by spaces where it has none; an ideographic space is a token."""
    line = line.rstrip("\r\n")
    if "\t" in line:
        return line.rstrip(" ").split("\t")
    return [cell for cell in line.split(" ") if cell]


def _blocks(text: str) -> Iterator[tuple[str, list[Line]]]:
    """(document, lines) of each sentence; the document is empty where the file names none."""
    document, lines = 0, list[Line]()
    for number, line in enumerate(re.split("\r\n|\n|\r", text), start=1):
        if line.startswith(DOCUMENT) or not line.strip(INVISIBLE):
            if lines:
                yield str(document or ""), lines
            lines = []
            document += line.startswith(DOCUMENT)
        else:
            lines.append((number, line, columns_of(line)))
    if lines:
        yield str(document or ""), lines


def _width(lines: Sequence[Line]) -> int:
    """The commonest number of columns, of lines that cannot be comments where there are any."""
    counts = Counter(len(cells) for _number, line, cells in lines if line[0] != "#")
    counts = counts or Counter(len(cells) for _number, _line, cells in lines)
    return max(counts, key=lambda width: (counts[width], width), default=0)


def of_characters(tokens: Sequence[str]) -> bool:
    """Whether the tokens of a file are the characters of a Chinese text."""
    single = sum(len(token) == 1 for token in tokens)
    return single > CHARACTERS * len(tokens) and han_share("".join(tokens)) > 0


def _counts(sentences: Sequence[_Sentence], width: int) -> bool:
    """Whether the first of three columns or more counts the tokens of every sentence, from 1 or from 0."""
    filled = [[cells[0] for _number, cells in each.tokens] for each in sentences if each.tokens]
    if width < 3 or max(map(len, filled), default=0) < 2:
        return False
    return any(all(each == list(map(str, range(start, start + len(each)))) for each in filled) for start in (0, 1))


def _tag_columns(sentences: Sequence[_Sentence], layout: _Layout, file: str) -> list[Problem]:
    """A note where other columns than the last hold tags of spans."""
    tokens = [cells for each in sentences for _number, cells in each.tokens]
    named = [
        str(place + 1)
        for place in range(layout.first + 1, layout.width - 1)
        if _marks([cells[place] for cells in tokens])
    ]
    if not named or not _marks([cells[-1] for cells in tokens]):
        return []
    message = _(
        "the columns {columns} hold tags of spans, too; {last}, the last, is read; "
        "for another set data.fields.tags={other}"
    ).format(columns=", ".join(named), last=layout.width, other=named[0])
    return [Problem("several-tag-columns", message, file=file, severity="note")]


def _loose_tags(sentences: Sequence[_Sentence], file: str) -> list[Problem]:
    """A note on tags that continue a span of another type or none, in a file whose spans begin with B-.

    IOB1 has B- only where a span of the same type is just before: there, other spans rightly begin with I-.
    """
    sound = [each.tokens for each in sentences if not each.fault]
    if not _marks([cells[-1] for tokens in sound for _number, cells in tokens]):
        return []
    loose: list[int] = []
    begins = False
    for tokens in sound:
        before, open_ = "", False
        for number, cells in tokens:
            place, label = parse_tag(cells[-1]) or ("O", "")
            begins |= place == "B" and before != label
            if place in ("I", "E") and not (open_ and before == label):
                loose.append(number)
            before, open_ = label, place in ("B", "I")
    if not loose or not begins:
        return []
    message = ngettext(
        "{count} tag continues a span of another type or none, and begins a new one: {place}",
        "{count} tags continue a span of another type or none, and begin a new one; the first: {place}",
        len(loose),
    ).format(count=f"{len(loose):,}", place=f"{file}:{loose[0]}")
    places = tuple(RowPlace(file, number) for number in loose)
    return [Problem("loose-tags", message, file=file, severity="note", rows=places)]


def _marks(tags: Sequence[str]) -> bool:
    parsed = [found for tag in tags if (found := parse_tag(tag)) is not None]
    return len(parsed) >= TAGGED * len(tags) and any(label for _place, label in parsed)


def _row(sentence: _Sentence, layout: _Layout, file: str) -> Row:
    if sentence.fault:
        return Row({}, file, *sentence.fault)
    cells = [own for _number, own in sentence.tokens]
    columns: dict[str, object] = {str(index): list(column) for index, column in enumerate(zip(*cells, strict=True), 1)}
    tokens = [own[layout.first] for own in cells]
    text = stated_text(sentence.stated, tokens) or join_tokens(tokens, characters=layout.characters)
    named = {"text": text, "tokens": tokens, "tags": [own[-1] for own in cells]}
    document = {"document": sentence.document} if sentence.document else {}
    return Row({**columns, **named, **document}, file, sentence.first)


def stated_text(given: str, tokens: Sequence[str]) -> str:
    """The text that a comment states, plain or as a JSON string; empty where it is not that of the tokens."""
    spelt = "".join("".join(tokens).split())
    return next((text for text in (_unquoted(given), given) if text and "".join(text.split()) == spelt), "")


def _unquoted(given: str) -> str:
    if not given.startswith('"'):
        return ""
    try:
        value = json.loads(given)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""
