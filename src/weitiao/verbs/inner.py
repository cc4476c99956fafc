"""Rows of any source in the inner form, which every writer takes.

`text`; `tokens` and `tags`; `spans` as objects with `start`, `end`, `label` and `text`, in order; `relations` between
their ids; `label`; and every other column as it is. Tags that say where spans begin become spans: whether they do is
decided once a source. Tokens stand where the row's `bounds` say, where it has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from weitiao.data.fields import FieldMap, map_columns
from weitiao.data.reading import Tabular
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.metrics.spans import parse_tag, spans_of_tags
from weitiao.records import Row
from weitiao.tasks import FieldSpec, RowFault
from weitiao.tasks.classify import LABEL
from weitiao.tasks.classify import TEXT as CLASSIFIED
from weitiao.tasks.marked import SPANS, TAGS, TEXT, TOKENS, WORD, read_tags
from weitiao.tasks.spans import ENDS, LABELS, STARTS, read_spans, read_tokens
from weitiao.tasks.units import Bounds, units_of
from weitiao.tasks.values import is_blank, list_of, text_of

Inner = dict[str, Any]
SCHEME = 0.98  # share of the tags of a source that must say where spans begin; the others are faults of their rows
FIELDS = (
    FieldSpec("text", required=False, aliases=tuple(dict.fromkeys((*TEXT.aliases, *CLASSIFIED.aliases)))),
    TOKENS,
    TAGS,
    FieldSpec(
        "spans", required=False, aliases=tuple(each for each in SPANS.aliases if each not in ("label", "labels"))
    ),
    FieldSpec("relations", required=False, aliases=("relations",)),
    FieldSpec("label", required=False, aliases=LABEL.aliases),
)


def columns_of(reading: Tabular) -> FieldMap:
    """Where the fields of the inner form stand.

    Raises:
        Refused: no column is known to hold texts.
    """
    fields = FIELDS
    if any(column.strip().casefold() in TOKENS.aliases for column in reading.columns):
        fields = (replace(FIELDS[0], aliases=TEXT.aliases), *FIELDS[1:])  # tokens make the text; `document` names one
    columns, _problems = map_columns(reading, {}, fields)
    if not {"text", "tokens"} & columns.paths.keys():
        message = _("{path}: no column is known to hold texts; name it `text`; the columns are: {columns}")
        raise Refused(message.format(path=reading.path, columns=", ".join(reading.columns)))
    return columns


def marks_spans(reading: Tabular, columns: FieldMap) -> bool:
    """Whether the tags of a source say where spans begin."""
    path = columns.paths.get("tags")
    if path is None:
        return False
    counts = Counter(tag for row in reading.open() for tag in _listed(row.fields.get(path[0])))
    said = sum(count for tag, count in counts.items() if parse_tag(tag))
    return said >= SCHEME * counts.total()


def _listed(value: object) -> list[str]:
    """The tags of a row as they stand there; none where they cannot be read."""
    try:
        return [text_of(tag) or "" for tag in list_of(value, "tags") or ()]
    except RowFault:
        return []


def inner_row(row: Row, columns: FieldMap, *, marks: bool) -> Inner:
    """One row in the inner form.

    Args:
        row: as it was read.
        columns: where its fields stand.
        marks: whether tags say where spans begin.

    Raises:
        RowFault: it cannot be used.
    """
    if row.problem:
        raise RowFault(row.problem)
    given = columns.apply(row.fields)
    text = text_of(given.get("text"))
    bounds: Sequence[Bounds] | None = _told_bounds(text, given.get("tokens"), row.fields.get("bounds"))
    if bounds is None:
        text, bounds = read_tokens(text, given.get("tokens"))
    if text is None or is_blank(text):
        raise RowFault(_("empty {field}").format(field="text"))
    inner: Inner = {"text": text}
    tags = _tags(given.get("tags"), bounds)
    if bounds is not None:
        inner["tokens"] = [text[start:end] for start, end in bounds]
    inner |= _marked(text, given.get("spans"), bounds, tags, marks=marks)
    if given.get("relations"):
        inner |= _related(inner.get("spans") or [], given["relations"])
    if given.get("label") is not None:
        inner["label"] = given["label"]
    return inner | _others(row.fields, columns, inner, tags)


def with_tokens(row: Inner) -> Inner:
    """The row with tokens: its own, or the units of its text, cut where spans begin and end."""
    if "tokens" in row:
        return row
    text = row["text"]
    borders = sorted({border for span in row.get("spans") or () for border in (span["start"], span["end"])})
    pieces = [text[a:b] for start, end in units_of(text) for a, b in _cut(start, end, borders)]
    return {**row, "tokens": pieces}


def _cut(start: int, end: int, borders: Sequence[int]) -> list[Bounds]:
    inside = [border for border in borders if start < border < end]
    return list(zip([start, *inside], [*inside, end], strict=True))


def _told_bounds(text: str | None, tokens: object, told: object) -> list[Bounds] | None:
    """Where the row itself says that its tokens stand, words of one contraction in one place; None where it does not.

    Bounds that are not those of the tokens do not count.
    """
    words = list_of(tokens, "tokens")
    if text is None or not words or not isinstance(told, list) or len(told) != len(words):
        return None
    bounds = [(each[0], each[1]) for each in told if _is_place(each)]
    same = len(bounds) == len(words) and all(
        text[start:end] == word and word for (start, end), word in zip(bounds, words, strict=True)
    )
    return bounds if same else None


def _is_place(value: object) -> bool:
    return (
        isinstance(value, list | tuple) and len(value) == 2 and all(type(each) is int and each >= 0 for each in value)
    )


def _tags(value: object, tokens: Sequence[Bounds] | None) -> list[str] | None:
    """The tag of each token; None where the row has none."""
    return None if value is None or tokens is None else read_tags(value, tokens)


def _marked(
    text: str, given: object, tokens: Sequence[Bounds] | None, tags: Sequence[str] | None, *, marks: bool
) -> Inner:
    """The spans, from themselves or from tags that say where spans begin; else the tags as they are."""
    if given is None and tokens is not None and tags is not None and marks:
        try:
            found = spans_of_tags(tags)
        except ValueError as wrong:
            message = _("tag '{tag}' does not say where a span begins (B-, I-, O, ...)").format(tag=wrong)
            raise RowFault(message) from wrong
        return {"spans": [_span(text, tokens[a][0], tokens[b - 1][1], label or WORD) for a, b, label in found]}
    spans = {} if given is None else {"spans": _spans(text, given)}
    return spans if tags is None else {"tags": list(tags), **spans}


def _span(text: str, start: int, end: int, label: str) -> Inner:
    return {"start": start, "end": end, "label": label, "text": text[start:end]}


def _spans(text: str, given: Any) -> list[Inner]:
    """The spans, checked and in order, with whatever else is said of each."""
    if isinstance(given, str) or not isinstance(given, list | tuple):
        return [_span(text, each.start, each.end, each.label) for each in read_spans(text, given) or ()]
    found = []
    for each in given:
        own = read_spans(text, [each]) or ()
        known = {*STARTS, *ENDS, *LABELS, "text", "word", "surface", "id"}
        more = {key: value for key, value in each.items() if key not in known} if isinstance(each, Mapping) else {}
        named = {"id": str(each["id"])} if isinstance(each, Mapping) and each.get("id") is not None else {}
        found += [{**named, **_span(text, span.start, span.end, span.label), **more} for span in own]
    return sorted(found, key=lambda span: (span["start"], span["end"], span["label"]))


def _related(spans: Sequence[Inner], given: Any) -> Inner:
    """Relations between spans, which all get ids; what has another form stays a column as it is."""
    if not isinstance(given, list) or not all(
        isinstance(each, Mapping) and {"head", "tail", "label"} <= each.keys() for each in given
    ):
        return {"relations": given}
    named = [span if "id" in span else {"id": str(number), **span} for number, span in enumerate(spans)]
    relations = [{**each, "head": str(each["head"]), "tail": str(each["tail"])} for each in given]
    ids = {span["id"] for span in named}
    for each in relations:
        if not {each["head"], each["tail"]} <= ids:
            raise RowFault(_("the relation {label} joins a span that is not there").format(label=each["label"]))
    return {"spans": named, "relations": relations}


def _others(fields: Mapping[str, object], columns: FieldMap, inner: Inner, tags: Sequence[str] | None) -> Inner:
    """The columns that are no field; of numbered ones, not those that repeat tokens and tags."""
    taken = {path[0] for path in columns.paths.values()}
    numbers = sorted((name for name in fields if name.isdigit()), key=int)
    opening = numbers[:2] if "1" in numbers else []
    first = next((place for place, name in enumerate(opening) if fields[name] == inner.get("tokens")), None)
    if first is not None:  # columns of a CoNLL file; one before the tokens counts them
        taken |= set(numbers[: first + 1])
        taken |= {numbers[-1]} if tags is not None and fields[numbers[-1]] == list(tags) else set()
    return {name: value for name, value in fields.items() if name not in taken and name not in inner}
