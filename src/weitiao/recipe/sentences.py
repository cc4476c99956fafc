"""Pydantic's findings in our words: what was written, what is expected, and the name that was probably meant.

No sentence of pydantic reaches the user; a finding of a kind that is not listed here is worded from its type alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from weitiao.messages import _
from weitiao.tables import closest, did_you_mean


@dataclass(frozen=True, slots=True)
class Finding:
    """A mistake at one key, before it has a file and line; `guess` is the name that was probably meant."""

    code: str
    keys: tuple[str, ...]
    message: str
    guess: str = ""


def findings(error: ValidationError, model: type[BaseModel], prefix: tuple[str, ...] = ()) -> list[Finding]:
    """One finding a key, in the order of the fields."""
    details: dict[tuple[str, ...], list[Any]] = {}
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        if detail["type"] == "missing" and isinstance(location[-1], int):  # a tuple that is too short
            location = location[:-1]
        details.setdefault((*prefix, *_keys(location)), []).append(detail)
    return [_finding(keys, each, _known_keys(model, keys[len(prefix) : -1])) for keys, each in details.items()]


def _finding(keys: tuple[str, ...], details: Sequence[Any], known: Sequence[str]) -> Finding:
    key, first = ".".join(keys), details[0]
    kind = first["type"]
    if kind == "extra_forbidden":
        hint = did_you_mean(keys[-1], known)
        expected = (
            _("; expected one of: {names}").format(names=", ".join(known))
            if known
            else _("; there are no options here")
        )
        expected = "" if hint else expected
        message = _("unknown key '{key}'").format(key=key) + hint + expected
        return Finding("unknown-key", keys, message, closest(keys[-1], known) or "")
    if kind == "missing" and not isinstance(first["loc"][-1], int):
        return Finding("missing-key", keys, _("`{key}` is missing; add it to the recipe").format(key=key))
    if kind == "value_error":
        message = _("`{key}`: {reason}").format(key=key, reason=first["ctx"]["error"])
        return Finding("bad-value", keys, message)
    wanted = list(dict.fromkeys(_expected(each) for each in details))
    message = _("`{key}`: got {got}; expected {expected}").format(
        key=key, got=shown(first["input"]), expected=_(" or ").join(wanted)
    )
    return Finding("bad-value", keys, message)


def _expected(detail: Mapping[str, Any]) -> str:
    """What pydantic's error type asks for, in our words."""
    kind, context = detail["type"], detail.get("ctx", {})
    for bound, (name, sign) in BOUNDS.items():
        if kind == bound:
            return _("a number {sign} {limit}").format(sign=sign, limit=f"{context[name]:g}")
    if kind == "literal_error":
        names = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        return _("one of: {names}").format(names=", ".join(names)) + did_you_mean(str(detail["input"]), names)
    if kind == "too_short" or kind == "missing":
        return _("at least {n} items").format(n=context.get("min_length", 2))
    if kind == "too_long":
        return _("at most {n} items").format(n=context["max_length"])
    words = {
        "int": _("a whole number"), "float": _("a number"), "finite": _("a number"), "bool": _("true or false"),
        "string": _("text"), "dict": _("a mapping"), "mapping": _("a mapping"), "model": _("a mapping"),
        "list": _("a list"), "tuple": _("a list"),
    }  # fmt: skip
    if kind == "string_too_short":
        return _("some text")
    return words.get(kind.split("_")[0], _("another value"))


BOUNDS = {
    "greater_than": ("gt", ">"),
    "greater_than_equal": ("ge", ">="),
    "less_than": ("lt", "<"),
    "less_than_equal": ("le", "<="),
}


def shown(value: object, most: int = 60) -> str:
    """A value as one would write it in YAML or JSON, cut to `most` characters."""
    if isinstance(value, str):
        text = f"'{value}'"
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = str(value)
    return text if len(text) <= most else text[: most - 3] + "..."


def kind_of(value: object) -> str:
    """The value, or for containers their kind."""
    names = {dict: _("a mapping"), list: _("a list"), type(None): _("nothing")}
    return names.get(type(value)) or shown(value)


def _keys(location: Sequence[str | int]) -> tuple[str, ...]:
    """Pydantic's location without the names of union members (`train.list[str]`, `fields.x.int`)."""
    unions = {"str", "int", "float", "bool"}
    return tuple(str(part) for part in location if str(part) not in unions and not str(part).endswith("]"))


def _known_keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        inner = model.model_fields.get(part)
        if inner is None or not (isinstance(inner.annotation, type) and issubclass(inner.annotation, BaseModel)):
            return []
        model = inner.annotation
    return sorted(model.model_fields)
