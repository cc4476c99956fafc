"""Two spans of a text as rows write them: `<e1>`, `<e2>` in the text, offsets, or the words themselves.

A row's values go in, the clean text with the bounds of both spans comes out, or a `RowFault` that says what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from weitiao.messages import _
from weitiao.tasks import RowFault
from weitiao.tasks.spans import ENDS, SHOWN, STARTS, SURFACES, checked
from weitiao.tasks.units import Bounds, units_of
from weitiao.tasks.values import is_blank, text_of

MARK = re.compile(r"<(/?)e([12])>")


@dataclass(frozen=True, slots=True)
class MarkedPair:
    """A text and its two spans; `guessed`: one was named by words that stand there more than once, or inside others."""

    text: str
    head: Bounds
    tail: Bounds
    guessed: bool = False


def read_pair(text: str, head: object, tail: object) -> MarkedPair:
    """The pair of a row; `head` and `tail` are missing where the text has marks.

    Raises:
        RowFault: there are not two spans, or one does not stand in the text.
    """
    heads, tails = _value(head), _value(tail)
    if heads is None and tails is None:
        if MARK.search(text):
            return _unmarked(text)
        raise RowFault(_("no head and tail: neither fields nor <e1>...</e1> and <e2>...</e2> in the text"))
    if heads is None or tails is None:
        raise RowFault(_("empty {field}").format(field="head" if heads is None else "tail"))
    places = [_places(text, each, name) for each, name in ((heads, "head"), (tails, "tail"))]
    first, second = min(product(*(found for found, _certain in places)), key=_as_apart_as_can_be)
    return MarkedPair(text, first, second, guessed=not all(certain for _found, certain in places))


def _as_apart_as_can_be(pair: tuple[Bounds, ...]) -> tuple[bool, Bounds, Bounds]:
    """Sorts pairs that do not overlap before others, and early ones before late ones."""
    (start, end), (begin, stop) = pair
    return begin < end and start < stop, pair[0], pair[1]


def _unmarked(text: str) -> MarkedPair:
    """The text without its marks, and without the spaces that stand only around them."""
    parts: list[str] = []
    length, last = 0, 0
    places: dict[tuple[str, str], int] = {}  # (slash or nothing, 1 or 2) -> place in the clean text
    for mark in MARK.finditer(text):
        piece = text[last : mark.start()]
        parts.append(_joined("".join(parts), piece))
        length += len(parts[-1])
        key = (mark[1], mark[2])
        if key in places:
            raise RowFault(_("the mark {mark} stands twice in the text").format(mark=mark[0]))
        places[key], last = length, mark.end()
    parts.append(_joined("".join(parts), text[last:]))
    clean = "".join(parts)
    return MarkedPair(clean, _between_marks(clean, places, "1"), _between_marks(clean, places, "2"))


def _between_marks(clean: str, places: Mapping[tuple[str, str], int], which: str) -> Bounds:
    if ("", which) not in places or ("/", which) not in places:
        raise RowFault(_("expected one <e{which}>...</e{which}> in the text").format(which=which))
    return checked(clean, places["", which], places["/", which], f"e{which}").bounds


def _joined(before: str, piece: str) -> str:
    """What of a piece goes behind the clean text so far: one space is enough between two."""
    doubled = piece[:1] == " " and (not before or before[-1].isspace())
    return piece[1:] if doubled else piece


def _value(value: object) -> object:
    """The value with JSON read; None where it is missing."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            parsed = json.loads(value)
        except ValueError:
            return value
        return parsed if isinstance(parsed, dict) or _is_bounds(parsed) else value
    if isinstance(value, Mapping | list | tuple):
        return value
    text = text_of(value)
    return None if text is None or is_blank(text) else text


def _is_bounds(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(each, int | float) for each in value)


def _places(text: str, value: object, name: str) -> tuple[list[Bounds], bool]:
    """Where the span can stand, in order, and whether that is certain; words inside other words only where no else.

    Raises:
        RowFault: nowhere.
    """
    if isinstance(value, Mapping):
        start, end, surface = (_first(value, keys) for keys in (STARTS, ENDS, SURFACES))
        if start is not None or end is not None:
            return [_checked(text, start, end, name, surface if isinstance(surface, str) else None)], True
        value = surface
    if isinstance(value, list | tuple):
        start, end = value if _is_bounds(value) else (None, None)
        return [_checked(text, start, end, name, None)], True
    surface = (text_of(value) or "").strip()
    if not surface:
        raise RowFault(_("empty {field}").format(field=name))
    found = [each.span() for each in re.finditer(re.escape(surface), text)]
    if not found:
        message = _("the {field} '{surface}' does not stand in the text")
        raise RowFault(message.format(field=name, surface=surface[:SHOWN]))
    starts, ends = (set(borders) for borders in zip(*units_of(text), strict=True))
    whole = [(start, end) for start, end in found if start in starts and end in ends]
    return whole or found, len(whole) == 1


def _checked(text: str, start: object, end: object, name: str, surface: str | None) -> Bounds:
    try:
        bounds = int(text_of(start) or ""), int(text_of(end) or "")
    except ValueError as error:
        raise RowFault(_("expected {field} as words, [start, end] or start and end").format(field=name)) from error
    return checked(text, *bounds, name, surface).bounds


def _first(value: Mapping[str, object], names: tuple[str, ...]) -> object:
    return next((value[name] for name in names if value.get(name) is not None), None)
