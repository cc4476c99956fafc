"""The first JSON objects of a text, without reading the rest: what tells the layouts that tools write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

FIRST = 20  # objects that are looked at
LONGEST = 1_000_000  # characters of a line that is still looked at


def first_objects(text: str) -> list[dict[str, Any]]:
    """The objects that a JSON array, or JSON lines, begin with; none where the text is neither."""
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    opening = text[start : start + 1]
    if opening == "[":
        return list(islice(_of_array(text, start + 1), FIRST))
    return list(islice(_of_lines(text, start), FIRST)) if opening == "{" else []


def _of_array(text: str, place: int) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    while True:
        while place < len(text) and text[place] in " \t\r\n,":
            place += 1
        if text[place : place + 1] != "{":
            return
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            return
        yield value


def _of_lines(text: str, place: int) -> Iterator[dict[str, Any]]:
    while place < len(text):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        if end - place > LONGEST:
            return
        line = text[place:end].strip()
        place = end + 1
        if not line:
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(value, dict):
            return
        yield value
