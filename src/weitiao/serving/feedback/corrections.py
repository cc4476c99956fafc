"""What someone says is right, checked by the model's own task and made into a `Feedback`; no web framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from weitiao.data.fields import GROUP
from weitiao.messages import _
from weitiao.records import Prediction, Record
from weitiao.serving.body import RequestError, characters_in, parse, reason_of
from weitiao.serving.desk import TOKENS, Desk, Order
from weitiao.serving.feedback.store import Feedback
from weitiao.serving.options import Options
from weitiao.serving.predictor import Predictor
from weitiao.tasks import RowFault

BOUNDS = "bounds"  # where tokens stand, of tasks that know the field


class Correction(BaseModel):
    """An answer that was given, and what is right."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="name of the model, as in /v1/models")
    fields: dict[str, Any] = Field(description="what it was asked: a record as /v1/predict/{model} takes it")
    correction: dict[str, Any] = Field(description='what is right, as a training row says it, such as {"label": "pos"}')
    request_id: str = Field("", description="what the asker calls the request, on one line", max_length=200)

    @field_validator("request_id")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError(_("expected characters that can be printed, on one line"))
        return value


def parsed(body: bytes) -> Correction:
    """The body of a request.

    Raises:
        RequestError: it is no JSON (400), or JSON of another form (422).
    """
    try:
        return Correction.model_validate(parse(body))
    except ValidationError as error:
        field, reason = reason_of(error)
        raise RequestError(422, _("`{field}`: {reason}").format(field=field or "body", reason=reason)) from error


@dataclass(frozen=True, slots=True)
class Asked:
    """A correction that can be used, and what to ask the model beside it, which no observer is told again.

    Args:
        said: the correction.
        order: its input, encoded.
        fields: its input as a row of a file has it.
        right: the labelled record of both.
    """

    said: Correction
    order: Order
    fields: Mapping[str, Any]
    right: Record

    def considered(self, prediction: Prediction) -> Feedback:
        """The correction with what the model answers now."""
        model, said = self.order.model, self.said
        predictor, answer = model.predictor, prediction.model_dump(mode="json")
        return Feedback(
            model=said.model,
            version=f"{predictor.folder.resolve().name}@{model.version}" if predictor.folder else model.version,
            task=predictor.task.name,
            fields=self.fields,
            prediction=answer,
            correction=said.correction,
            probabilities=answer.get("scores", {}),
            agreed=predictor.task.right(prediction, self.right),
            new_label=bool(predictor.task.unanswerable([self.right], predictor.labels)),
            request_id=said.request_id,
        )


def asked(desk: Desk, said: Correction) -> Asked:
    """What to ask for a correction.

    Raises:
        RequestError: the model, the input or the correction cannot be used.
    """
    model = desk.find(said.model)
    predictor = model.predictor
    record = desk.record(predictor, said.fields, 0)
    if characters_in(said.correction) > desk.limits.characters:
        reason = _("`correction` has more than {limit} characters").format(limit=desk.limits.characters)
        raise RequestError(413, reason)
    fields = _row(predictor, record)
    right = _corrected(predictor, fields, said.correction)
    return Asked(said, desk.order(model, [record], Options()), fields, right)


def _row(predictor: Predictor, record: Record) -> dict[str, Any]:
    """The record as a row of a file has it: words in place of places."""
    given = record.model_dump(mode="json", exclude_none=True)
    known = {spec.name for spec in predictor.task.fields if not spec.only_labelled}
    row = {name: value for name, value in given.items() if name in known and value != ""}
    if TOKENS in row:
        row |= {BOUNDS: row[TOKENS]} if BOUNDS in known else {}
        row[TOKENS] = [given["text"][start:end] for start, end in row[TOKENS]]
    return row | ({GROUP: record.group} if record.group else {})


def _corrected(predictor: Predictor, fields: Mapping[str, Any], correction: Mapping[str, Any]) -> Record:
    """The labelled record of the input and what is said to be right.

    Raises:
        RequestError: they are no row that the model could be trained on (422).
    """
    open_to = [spec.name for spec in predictor.task.fields if spec.name not in fields]
    unknown = [name for name in correction if name not in open_to]
    if unknown:
        raise RequestError(
            422,
            _("`correction`: unknown field '{name}'; expected: {names}").format(
                name=unknown[0], names=", ".join(open_to)
            ),
        )
    row = {name: value for name, value in {**fields, **correction}.items() if name != GROUP}
    try:
        record: Record = predictor.task.read(row, file="", line=0, group=fields.get(GROUP, ""), labelled=True)
    except RowFault as fault:
        raise RequestError(422, _("`correction`: {reason}").format(reason=fault)) from fault
    return record
