"""Token columns: a token a line, its tags behind tabs, a blank line between sentences.

The last column says in BIO where spans begin; further columns that the rows have for each token stand between. A text
that its tokens do not give back stands above them as `# text = ...`, so that it is not lost. What a line cannot hold
(a tab in a token or label, two words of a contraction in one place) is written apart or together, and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from weitiao.artifact import replacing
from weitiao.data.reading.conll import DOCUMENT, of_characters
from weitiao.data.writing import InnerRow
from weitiao.data.writing.losses import Losses
from weitiao.metrics.spans import Found, tags_of_spans
from weitiao.text import join_tokens

OWN = ("text", "tokens", "tags", "spans", "relations", "document")
BREAKS = re.compile("[\t\r\n]+")  # what ends a cell or a line
UNWRITABLE = re.compile("[\t\r\n\ud800-\udfff]")
Bounds = tuple[int, int]


class Conll:
    """Token columns: a token a line, its spans as BIO tags in the last column."""

    tokenised: ClassVar[bool] = True

    def write(self, rows: Iterable[InnerRow], path: Path) -> list[str]:
        losses = Losses()
        given = [_with_lines(row, losses) for row in rows]
        characters = of_characters([token for row in given for token in _tokens(row)])
        extra = _columns(given)
        with (
            replacing(path) as beside,
            beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out,
        ):
            document: object = None
            for row in given:
                if row.get("document") is not None and row["document"] != document:
                    out.write(f"{DOCUMENT}\tO\n\n")
                    document = row["document"]
                out.writelines(_lines(row, extra, losses, characters=characters))
        losses.leave(_unnumbered(given))
        return losses.sentences()


def _with_lines(row: InnerRow, losses: Losses) -> InnerRow:
    """The row with tokens that a line each can hold, in places of their own."""
    tokens = _tokens(row)
    own = [place for place in range(len(tokens)) if not _stands_with_the_last(row.get("bounds"), place, len(tokens))]
    kept = [(place, piece) for place in own for piece in BREAKS.split(tokens[place]) if piece]
    if kept == list(enumerate(tokens)):
        return row
    losses.joined += len(tokens) - len(own)
    losses.parted += sum(BREAKS.search(tokens[place]) is not None for place in own)
    columns = {
        name: [value[place] for place, _piece in kept]
        for name, value in row.items()
        if (name.isdigit() or name == "tags") and isinstance(value, list) and len(value) == len(tokens)
    }
    return {**row, **columns, "tokens": [piece for _place, piece in kept]}


def _stands_with_the_last(bounds: object, place: int, length: int) -> bool:
    """Whether a token has the bounds of the one before it, as the words of a contraction have."""
    told = isinstance(bounds, list) and len(bounds) == length
    return told and place > 0 and bounds[place] == bounds[place - 1]  # type: ignore[index]


def _lines(row: InnerRow, extra: Sequence[str], losses: Losses, *, characters: bool) -> Iterator[str]:
    text, tokens = str(row["text"]), _tokens(row)
    if text != join_tokens(tokens, characters=characters):
        yield f"# text = {_one_line(text)}\n"
    columns: list[Sequence[Any]] = [tokens, *(_listed(row.get(name), len(tokens)) for name in extra)]
    columns.append(_tags(row, text, tokens, losses))
    for cells in zip(*columns, strict=True):
        yield "\t".join(losses.encodable(str(cell)) for cell in cells) + "\n"
    yield "\n"
    losses.leave(name for name, value in row.items() if name not in (*OWN, *extra) and value not in (None, []))
    relations: Any = row.get("relations") or ()
    losses.relations += len(relations)


def _one_line(text: str) -> str:
    """A text as a comment can hold it: a JSON string where breaks, borders or quotes would not come back."""
    plain = text == text.strip() and text.isprintable() and not text.startswith('"')
    return text if plain else json.dumps(text)


def _tokens(row: InnerRow) -> list[str]:
    given: Any = row["tokens"]
    return [str(token) for token in given]


def _columns(rows: Sequence[InnerRow]) -> list[str]:
    """Further columns with a value for each token in every row: tags where spans have the last, numbered ones first."""
    names = list(dict.fromkeys(name for row in rows for name in row if name.isdigit()))
    names.sort(key=int)
    if any("spans" in row for row in rows):
        names.append("tags")
    return [name for name in names if all(_listed(row.get(name), len(_tokens(row))) for row in rows)]


def _listed(value: object, length: int) -> Sequence[Any]:
    """The value, if it is a list of so many cells that a line can hold."""
    whole = isinstance(value, list) and len(value) == length
    return value if whole and all(str(each) and not UNWRITABLE.search(str(each)) for each in value) else []  # type: ignore[attr-defined, return-value]


def _tags(row: InnerRow, text: str, tokens: Sequence[str], losses: Losses) -> list[str]:
    spans: Any = row.get("spans")
    given: Any = row.get("tags")
    if spans is None and isinstance(given, list) and len(given) == len(tokens):
        losses.spaced += sum(BREAKS.search(str(tag)) is not None for tag in given)
        return [BREAKS.sub(" ", str(tag)) for tag in given]
    losses.unmarked += spans is None
    kept = _apart(spans or ())
    losses.overlapping += len(spans or ()) - len(kept)
    losses.attributes += sum(bool(span.keys() - {"id", "start", "end", "label", "text"}) for span in kept)
    losses.spaced += sum(BREAKS.search(span["label"]) is not None for span in kept)
    tags = tags_of_spans(_covered(kept, _bounds(text, tokens), losses), len(tokens))
    return [BREAKS.sub(" ", tag) for tag in tags]


def _apart(spans: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Spans of which no two overlap: the longer of two, the earlier of equals."""
    kept: list[Mapping[str, Any]] = []
    for span in sorted(spans, key=lambda each: (each["start"] - each["end"], each["start"], each["label"])):
        if all(span["end"] <= other["start"] or other["end"] <= span["start"] for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda each: int(each["start"]))


def _bounds(text: str, tokens: Sequence[str]) -> list[Bounds]:
    bounds, end = [], 0
    for token in tokens:
        start = text.index(token, end)
        end = start + len(token)
        bounds.append((start, end))
    return bounds


def _covered(spans: Sequence[Mapping[str, Any]], tokens: Sequence[Bounds], losses: Losses) -> list[Found]:
    """The tokens that each span touches, as (first, behind the last, label); no token goes to two."""
    found: list[Found] = []
    token = 0
    for span in spans:
        while token < len(tokens) and tokens[token][1] <= span["start"]:
            token += 1
        first = token
        while token < len(tokens) and tokens[token][0] < span["end"]:
            token += 1
        if token == first:
            losses.overlapping += 1
            continue
        found.append((first, token, span["label"]))
        losses.widened += tokens[first][0] != span["start"] or tokens[token - 1][1] != span["end"]
    return found


def _unnumbered(rows: Sequence[InnerRow]) -> Iterator[str]:
    """The column of documents, once a row, where it holds names: here documents are only numbered."""
    names = list(dict.fromkeys(row["document"] for row in rows if row.get("document") is not None))
    if names != [str(number) for number in range(1, len(names) + 1)]:
        yield from ("document" for row in rows if row.get("document") is not None)
