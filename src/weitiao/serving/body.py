"""The JSON of a request, read strictly: what another reader could understand otherwise is refused with a sentence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pydantic import ValidationError

from weitiao.messages import _


class RequestError(Exception):
    """A request that is answered with a status other than 200 and one sentence.

    Args:
        status: of HTTP.
        reason: the sentence.
        kind: one word, for the metrics; by default that of the status.
        retry_after: seconds after which to come again.
        param: the field at fault, where there is one.
    """

    def __init__(
        self, status: int, reason: str, kind: str = "", *, retry_after: int | None = None, param: str | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.kind, self.retry_after, self.param = status, kind, retry_after, param


def parse(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, without doubled keys, NaN and infinities.

    Raises:
        RequestError: it is something else (400).
    """
    try:
        return json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise RequestError(400, _("the body is not UTF-8 (byte {byte})").format(byte=error.start)) from error
    except json.JSONDecodeError as error:
        raise RequestError(
            400,
            _("the body is not valid JSON: {reason} at line {line}, column {column}").format(
                reason=error.msg, line=error.lineno, column=error.colno
            ),
        ) from error
    except (RecursionError, ValueError) as error:  # nested too deep; a number with too many digits
        raise RequestError(
            400, _("the body is JSON that cannot be read here: nested too deep or too long a number")
        ) from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _value in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RequestError(400, _("the key `{key}` stands twice in one object").format(key=shown(twice)))
    return found


def _no_number(constant: str) -> NoReturn:
    raise RequestError(400, _("{constant} is no number in JSON").format(constant=constant))


def characters_in(value: Any) -> int:
    """Characters of all texts in a JSON value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(characters_in, value.values()))
    return sum(map(characters_in, value)) if isinstance(value, list) else 0


def reason_of(error: ValidationError) -> tuple[str, str]:
    """(field, why) of the first thing that a value's type does not allow."""
    detail = error.errors(include_input=False, include_url=False)[0]
    told = detail.get("ctx", {})
    words = {
        "missing": _("it is missing"),
        "extra_forbidden": _("no such field"),
        "string_type": _("expected text"),
        "bool_type": _("expected true or false"),
        "int_type": _("expected a whole number"),
        "dict_type": _("expected an object"),
        "list_type": _("expected a list"),
        "greater_than_equal": _("expected at least {bound}").format(bound=told.get("ge")),
        "string_too_long": _("expected at most {bound} characters").format(bound=told.get("max_length")),
        "value_error": str(told.get("error")),
        "model_type": _("expected an object such as {example}").format(example='{"text": "..."}'),
    }
    field = ".".join(shown(str(part)) for part in detail["loc"])
    return field, words.get(detail["type"], _("its value is not valid"))


def shown(text: str) -> str:
    """A piece of a request as a message can hold it: short, and of characters that there are."""
    kept = text if len(text) <= 80 else text[:77] + "..."
    return "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in kept)
