"""A request body in, the answer out, or a `RequestError` with a status and one sentence: the server without the web.

Everything that a body can get wrong ends here as 4xx: its size, its JSON, its types, its texts, the name of the model.
Models run one request at a time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic import ValidationError

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.records import Record
from weitiao.serving.observers import Observer, Observers
from weitiao.serving.predictor import Predictor
from weitiao.tables import did_you_mean
from weitiao.tasks import RowFault

TOKENS = "tokens"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold; beyond it, 413."""

    body_bytes: int = 4 * 1024 * 1024
    records: int = 256
    characters: int = 20_000  # a text; far above the tokens that models read


class RequestError(Exception):
    """A request that is answered with 4xx and one sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Desk:
    """Answers for the loaded predictors, one at a time, and tells observers what it answered."""

    def __init__(
        self, predictors: Sequence[Predictor], limits: Limits | None = None, observers: Sequence[Observer] = ()
    ) -> None:
        self.predictors = _by_name(predictors)
        self.limits = limits or Limits()
        self.observers = Observers(observers)
        self._lock = Lock()

    def find(self, name: str) -> Predictor:
        """The predictor of that name.

        Raises:
            RequestError: there is none (404).
        """
        if name not in self.predictors:
            hint = did_you_mean(name, list(self.predictors)) or _("; expected one of: {names}").format(
                names=", ".join(self.predictors)
            )
            raise RequestError(404, _("unknown model '{name}'{hint}").format(name=name, hint=hint))
        return self.predictors[name]

    def answer(self, name: str, body: bytes) -> dict[str, Any]:
        """The predictions for a request body, and the places of the records that were read only in part.

        Raises:
            RequestError: the body cannot be used.
        """
        predictor = self.find(name)
        items = self._items(_parse(body))
        records = [self._record(predictor, item, index) for index, item in enumerate(items)]
        with self._lock:
            answers = predictor.answer(records)
        self.observers.tell(name, records, answers.predictions)
        predictions = [each.model_dump(mode="json") for each in answers.predictions]
        return {"model": name, "predictions": predictions, "truncated": answers.truncated}

    def _items(self, value: Any) -> list[Any]:
        if isinstance(value, Mapping) and "records" in value:
            if len(value) > 1:
                raise RequestError(422, _("expected one key, `records`"))
            value = value["records"]
        items = value if isinstance(value, list) else [value]
        if not items:
            raise RequestError(422, _("no records to predict"))
        if len(items) > self.limits.records:
            raise RequestError(
                413,
                _("{count} records in one request; at most {limit} are answered").format(
                    count=len(items), limit=self.limits.records
                ),
            )
        return items

    def _record(self, predictor: Predictor, item: Any, index: int) -> Record:
        try:
            record = predictor.task.record.model_validate(item)
            self._check_length(item, index)
            given = {
                spec.name: value
                for spec in predictor.task.fields
                if not spec.only_labelled and (value := getattr(record, spec.name, None)) is not None
            }
            tokens = given.pop(TOKENS, None)  # places here, words in a row, which is what `read` takes
            checked = predictor.record(given, group=record.group)
            _check_places(tokens or (), len(getattr(checked, "text", "")))
            return checked if tokens is None else checked.model_copy(update={TOKENS: tokens})
        except ValidationError as error:
            raise RequestError(422, _validation_sentence(error, index)) from error
        except RowFault as fault:
            raise RequestError(422, _("record {index}: {reason}").format(index=index, reason=fault)) from fault

    def _check_length(self, item: Mapping[str, Any], index: int) -> None:
        for name, value in item.items():
            if (count := characters_in(value)) > self.limits.characters:
                raise RequestError(
                    413,
                    _("record {index}: `{field}` has {count} characters; at most {limit} are answered").format(
                        index=index, field=name, count=count, limit=self.limits.characters
                    ),
                )


def characters_in(value: Any) -> int:
    """Characters of all texts in a JSON value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(characters_in, value.values()))
    return sum(map(characters_in, value)) if isinstance(value, list) else 0


def _check_places(tokens: Sequence[tuple[int, int]], length: int) -> None:
    """Refuse tokens that are no pieces of the text.

    Raises:
        RowFault: one lies outside it.
    """
    for start, end in tokens:
        if not 0 <= start < end <= length:
            raise RowFault(
                _("the word {start}-{end} lies outside the text of {length} characters").format(
                    start=start, end=end, length=length
                )
            )


def _by_name(predictors: Sequence[Predictor]) -> dict[str, Predictor]:
    found: dict[str, Predictor] = {}
    for predictor in predictors:
        if set(predictor.name) & set("/{}"):
            raise Refused(_("'{name}' cannot be part of an address; rename the run").format(name=predictor.name))
        if predictor.name in found:
            raise Refused(_("two runs are named '{name}'; serve one of them elsewhere").format(name=predictor.name))
        found[predictor.name] = predictor
    return found


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
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


def _validation_sentence(error: ValidationError, index: int) -> str:
    detail = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in detail["loc"])
    words = {
        "missing": _("it is missing"),
        "extra_forbidden": _("no such field"),
        "string_type": _("expected text"),
        "model_type": _("expected an object such as {example}").format(example='{"text": "..."}'),
    }
    reason = words.get(detail["type"], _("its value is not valid"))
    if not field:
        return _("record {index}: {reason}").format(index=index, reason=reason)
    return _("record {index}: `{field}`: {reason}").format(index=index, field=field, reason=reason)
