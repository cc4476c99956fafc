"""Cells as text: what a spreadsheet, a parquet column or a JSON value says when a task wants text.

Numbers read as they are shown (a whole float loses its `.0`), booleans as 'true' and 'false'; None, NaN and their
pandas cousins are missing. What has no honest text (a list, a mapping, bytes) is a `RowFault`.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from weitiao.messages import _
from weitiao.tasks import RowFault

SHOWN = 30  # characters of a cell that a message quotes
INVISIBLE = "\ufeff\u200b\u2060"  # byte order mark, zero-width space, word joiner: str.strip() leaves them
TIMES = {"datetime64", "timedelta64"}  # numpy scalars whose item may be a bare integer
MISSING = {"NoneType", "NAType", "NaTType"}  # by name, so that pandas need not be imported
SURROGATE = re.compile("[\ud800-\udfff]")  # half of a character outside the first 65,536, which no encoding can write
QUOTED = r"""'(?:[^'\\\n]|\\['"\\nrt])*'|"(?:[^"\\\n]|\\['"\\nrt])*\""""
MEMBER = rf"(?:{QUOTED}|[-+]?\d+(?:\.\d+)?|None|True|False)"
WRITTEN = re.compile(rf"\s*\[\s*{MEMBER}(?:\s*,\s*{MEMBER})*\s*,?\s*\]\s*")  # a list as Python and pandas write it
UNPARTED = re.compile(r"""\s*\[['"].*['"]\]\s*""", re.DOTALL)  # ['a' 'b'], as NumPy writes one, or a broken one
COMMA = re.compile(r"[-+]?\d+,\d+")
PERCENT = re.compile(r"([-+]?\d+(?:[.,]\d+)?)\s*[%\uff05]")
LARGEST_EXACT = 2.0**53  # above it a float no longer tells neighbouring whole numbers apart


def text_of(value: object) -> str | None:
    """The value as text, or None where it is missing.

    Raises:
        RowFault: it is a list, a mapping or bytes, or a text with half of a surrogate pair in it.
    """
    if isinstance(value, str):
        if SURROGATE.search(value):
            raise RowFault(_("a text with half of a surrogate pair, which is not a character"))
        return value
    if type(value).__name__ in MISSING:
        return None
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a numpy scalar
        value = str(value) if type(value).__name__ in TIMES else value.item()
        if value == "NaT":
            return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple | dict | set | bytes) or hasattr(value, "__array__"):
        raise RowFault(_("a {kind} where text is expected").format(kind=type(value).__name__))
    return str(value)


def texts_of(value: object, separator: str | None) -> list[str] | None:
    """The texts in a cell, stripped; None where the cell is empty, which `[]` is not.

    Args:
        value: one value or a list; text may be a JSON list.
        separator: what parts the text of one cell; None reads a cell of text as one.

    Raises:
        RowFault: something in it has no text.
    """
    if isinstance(value, str) and separator is not None:
        listed = _json_list(value)
        value = [part for part in value.split(separator) if not is_blank(part)] or None if listed is None else listed
    if hasattr(value, "tolist") and getattr(value, "ndim", 0) == 1:
        value = value.tolist()
    if isinstance(value, list | tuple | set):
        return [text.strip() for text in map(text_of, value) if text is not None and not is_blank(text)]
    text = text_of(value)
    return None if text is None or is_blank(text) else [text.strip()]


def number_of(value: object, name: str) -> float | None:
    """The number in a cell, None where it is empty.

    Raises:
        RowFault: it is no number, or no finite one.
    """
    text = text_of(value)
    if text is None or is_blank(text):
        return None
    try:
        number = float(text)
    except ValueError:
        message = _("{field} '{value}' is not a number{hint}")
        raise RowFault(message.format(field=name, value=text.strip(), hint=_as_number(text.strip()))) from None
    if not math.isfinite(number):
        raise RowFault(_("{field} '{value}' is not a finite number").format(field=name, value=text.strip()))
    return number


def filled(value: object, name: str) -> str:
    """The text in a cell that must have one.

    Raises:
        RowFault: it is empty.
    """
    text = text_of(value)
    if text is None or is_blank(text):
        raise RowFault(_("empty {field}").format(field=name))
    return text


def list_of(value: object, field: str) -> Sequence[Any] | None:
    """The members of a list in a cell; None where the cell is missing.

    Args:
        value: a list, an array, or text: a list as JSON or Python writes it, or words parted by white space.
        field: what they are, for the message.

    Raises:
        RowFault: it is something else.
    """
    if isinstance(value, str):
        found = _json_list(value)
        if found is None and UNPARTED.fullmatch(value):
            message = _('the {field} are no list that can be read: {got}; write ["a", "b"], or words parted by spaces')
            raise RowFault(message.format(field=field, got=value.strip()[:SHOWN]))
        return value.split() if found is None else found
    return _members(value, field)


def json_list_of(value: object, field: str) -> Sequence[Any] | None:
    """As `list_of`, of members that no words can say: text must be JSON; None where it is blank.

    Raises:
        RowFault: it is no list, or not valid JSON.
    """
    if isinstance(value, str):
        if is_blank(value):
            return None
        try:
            value = json.loads(value)
        except ValueError as error:
            raise RowFault(_("the {field} are not valid JSON").format(field=field)) from error
    return _members(value, field)


def _members(value: Any, field: str) -> Sequence[Any] | None:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if value is None or isinstance(value, list | tuple):
        return value
    raise RowFault(_("expected a list of {field}; got {got}").format(field=field, got=type(value).__name__))


def digest(text: str) -> str:
    """A short name of a text, the same everywhere."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def is_blank(text: str) -> bool:
    """Whether there is nothing to read: only white space and invisible marks."""
    return not text.strip().strip(INVISIBLE).strip()


def _as_number(text: str) -> str:
    """How a number in the spelling of other tools is written here; empty where it is none."""
    if COMMA.fullmatch(text):
        return _("; write the decimal comma as a point: {number}").format(number=text.replace(",", "."))
    if percent := PERCENT.fullmatch(text):
        number = percent[1].replace(",", ".")
        return _("; write it without the percent sign, as {number}").format(number=number)
    return ""


def _number(value: float) -> str | None:
    if math.isnan(value):
        return None
    if value.is_integer() and abs(value) < LARGEST_EXACT:
        return str(int(value))
    return repr(float(value))


def _json_list(text: str) -> list[object] | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = ast.literal_eval(text.strip()) if WRITTEN.fullmatch(text) else None
    return value if isinstance(value, list) else None
