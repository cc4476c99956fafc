"""A request body in, the answer out, or a `RequestError` with a status and one sentence: the server without the web.

Everything that a body can get wrong ends here as 4xx: its size, its JSON, its types, its texts, the name of the model.
What can be used is encoded and goes to the crew, which says 429 where it cannot be answered in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from weitiao.messages import _
from weitiao.records import Prediction, Record
from weitiao.serving.body import RequestError, characters_in, parse, reason_of, shown
from weitiao.serving.crew.crew import Crew, Unwatched
from weitiao.serving.crew.pieces import Closed, Question
from weitiao.serving.crew.stations import Here
from weitiao.serving.observers import Observer, Observers
from weitiao.serving.options import Options
from weitiao.serving.predictor import Predictor
from weitiao.serving.staff import Model, Staff, version_of
from weitiao.tables import did_you_mean
from weitiao.tasks import RowFault

TOKENS = "tokens"
RECORDS = "records"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold, beyond it 413; and how long it may take, beyond it 429."""

    body_bytes: int = 4 * 1024 * 1024
    head_bytes: int = 32 * 1024
    records: int = 256
    characters: int = 20_000  # a text; far above the tokens that models read
    deadline: float = 30.0  # seconds from its arrival to its answer, where it does not say
    body_seconds: float = 30.0  # in which its body has to be here, beyond it 408


@dataclass(frozen=True, slots=True)
class Order:
    """A request that can be answered.

    Args:
        model: by which.
        records: as they were read.
        questions: the same, encoded.
        options: what the answers are to show.
        truncated: places, from 0, of records that are longer than the model reads.
        tokens: of all records.
    """

    model: Model
    records: Sequence[Record]
    questions: Sequence[Question]
    options: Options
    truncated: Sequence[int]
    tokens: int


class Desk:
    """Answers for the models of a staff, and tells observers what was answered.

    Args:
        predictors: to answer in this process; none where a staff is given.
        limits: of one request.
        observers: told of each answered request.
        staff: who answers.
    """

    def __init__(
        self,
        predictors: Sequence[Predictor] = (),
        limits: Limits | None = None,
        observers: Sequence[Observer] = (),
        *,
        staff: Staff | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.observers = Observers(observers)
        self.staff = staff or _in_process(predictors)
        self.draining = False

    @property
    def models(self) -> Mapping[str, Model]:
        """The models by name, as they are served now."""
        return self.staff.models

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return not self.draining and self.staff.crew.up > 0

    def find(self, name: str) -> Model:
        """The model of that name.

        Raises:
            RequestError: there is none (404).
        """
        models = self.models
        if name not in models:
            hint = did_you_mean(name, list(models)) or _("; expected one of: {names}").format(names=", ".join(models))
            raise RequestError(404, _("unknown model '{name}'{hint}").format(name=shown(name), hint=hint))
        return models[name]

    def answer(self, name: str, body: bytes, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The predictions for a request body, and the places of the records that were read only in part.

        Raises:
            RequestError: the body cannot be used.
            Turned: it cannot be answered now.
        """
        model = self.find(name)
        order = self.read(model, body, query or {})
        return self.reply(order, self.submit(order, self.limits.deadline).result())

    def read(self, model: Model, body: bytes, query: Mapping[str, str]) -> Order:
        """The order in a request body.

        Raises:
            RequestError: it cannot be used.
        """
        items, beside = self._items(parse(body))
        options = Options.read(beside, query)
        options.check(model.predictor)
        return self.order(
            model, [self.record(model.predictor, item, index) for index, item in enumerate(items, start=1)], options
        )

    def order(self, model: Model, records: Sequence[Record], options: Options) -> Order:
        """An order of records that were read."""
        predictor, settings = model.predictor, options.settings(model.predictor)
        with model.lock:
            features = predictor.task.encode(records, predictor.tokenizer, predictor.labels, predictor.max_length)
        own: list[list[Any]] = [[] for _record in records]
        for feature in features:
            own[feature.group].append(feature)
        questions = [Question(record, parts, settings) for record, parts in zip(records, own, strict=True)]
        truncated = sorted({feature.group for feature in features if feature.cut})
        return Order(model, records, questions, options, truncated, sum(map(len, features)))

    def submit(self, order: Order, timeout: float) -> Future[list[Prediction]]:
        """Queue an order.

        Raises:
            Turned: it cannot be answered in time, or there is no room.
            Closed: the staff that it was encoded for has gone; read it again.
        """
        staff = self.staff
        if staff.models.get(order.model.name) is not order.model:
            raise Closed
        return staff.crew.submit(order.model.name, order.questions, timeout)

    def reply(self, order: Order, predictions: Sequence[Prediction]) -> dict[str, Any]:
        """What is sent; the observers are told."""
        self.observers.tell(order.model.name, order.records, predictions)
        return {
            "model": order.model.name,
            "version": order.model.version,
            "predictions": [order.options.shown(each) for each in predictions],
            "truncated": list(order.truncated),
        }

    def _items(self, value: Any) -> tuple[list[Any], Mapping[str, Any]]:
        """The records of a body, and what stands beside them."""
        beside: dict[str, Any] = {}
        if isinstance(value, Mapping) and RECORDS in value:
            beside = {key: each for key, each in value.items() if key != RECORDS}
            value = value[RECORDS]
        items = value if isinstance(value, list) else [value]
        if not items:
            raise RequestError(422, _("no records to predict"))
        self.check_count(len(items))
        return items, beside

    def check_count(self, count: int) -> None:
        """Refuse more records than one request may have.

        Raises:
            RequestError: there are more (413).
        """
        if count > self.limits.records:
            reason = _("{count} records in one request; at most {limit} are answered")
            raise RequestError(413, reason.format(count=count, limit=self.limits.records))

    def record(self, predictor: Predictor, item: Any, index: int) -> Record:
        """The record in one item of a body.

        Raises:
            RequestError: it cannot be used.
        """
        try:
            record = predictor.task.record.model_validate(item)
            self.check_length(item, index)
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

    def check_length(self, item: Mapping[str, Any], index: int) -> None:
        """Refuse a record with a text that is too long.

        Raises:
            RequestError: it has one (413).
        """
        for name, value in item.items():
            if (count := characters_in(value)) > self.limits.characters:
                raise RequestError(
                    413,
                    _("record {index}: `{field}` has {count} characters; at most {limit} are answered").format(
                        index=index, field=name, count=count, limit=self.limits.characters
                    ),
                )


def _in_process(predictors: Sequence[Predictor]) -> Staff:
    """A staff that answers in this process, ready at once."""
    crew = Crew([Here({each.name: each for each in predictors})], Unwatched())
    staff = Staff.of([Model(each, version_of(each.folder) if each.folder else "") for each in predictors], crew)
    crew.start()
    return staff


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


def _validation_sentence(error: ValidationError, index: int) -> str:
    field, reason = reason_of(error)
    if field in Options.model_fields:
        reason = _("no field of a record; it stands beside `{records}`: {example}")
        reason = reason.format(records=RECORDS, example=f'{{"{RECORDS}": [...], "{field}": ...}}')
    if not field:
        return _("record {index}: {reason}").format(index=index, reason=reason)
    return _("record {index}: `{field}`: {reason}").format(index=index, field=field, reason=reason)
