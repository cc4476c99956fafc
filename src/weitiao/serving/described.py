"""What the OpenAPI document says of an address: what it takes, what it answers, and why it may not answer."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, create_model

from weitiao.data.fields import GROUP
from weitiao.serving.desk import Limits
from weitiao.serving.options import Options
from weitiao.serving.predictor import Predictor
from weitiao.serving.staff import Model

LONGEST_TIMEOUT = 600_000  # milliseconds
ANY = (400, 401, 403, 405, 408, 413, 415, 429, 503)  # that every address may answer


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str


PROBLEMS: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in ANY}
PREDICT_PROBLEMS = {**PROBLEMS, 404: {"model": Problem}, 422: {"model": Problem}}
TIMEOUT_PARAMETER = {
    "name": "X-Timeout-Ms", "in": "header", "required": False,
    "description": "milliseconds in which the answer is wanted; 429 at once where that cannot be",
    "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_TIMEOUT},
}  # fmt: skip


def described(model: Model, limits: Limits) -> dict[str, Any]:
    """The OpenAPI entry of one model, from its task's own types."""
    schema = _asked(model.predictor)
    batch = {"type": "array", "items": schema, "minItems": 1, "maxItems": limits.records}
    options = Options.model_json_schema()["properties"]
    named = {
        "type": "object", "properties": {"records": batch, **options}, "required": ["records"],
        "additionalProperties": False,
    }  # fmt: skip
    in_query = [
        {"name": name, "in": "query", "required": False, "schema": options[name]} for name in ("top_k", "probabilities")
    ]
    return {
        "name": f"predict_{model.name}",
        "summary": f"Predict with {model.name}",
        "response_model": _response(model),
        "openapi_extra": {
            "requestBody": json_body({"anyOf": [schema, batch, named]}),
            "parameters": [*in_query, TIMEOUT_PARAMETER],
        },
        "responses": PREDICT_PROBLEMS,
    }


def _asked(predictor: Predictor) -> dict[str, Any]:
    """The task's Record without what only rows of a file have, and without what the model was not trained to read."""
    schema = predictor.task.record.model_json_schema()
    schema.pop("$defs", None)
    asked = {
        spec.name
        for spec in predictor.task.fields
        if not spec.only_labelled
        and (spec.required or not spec.asked or predictor.fields is None or spec.name in predictor.fields)
    }
    if predictor.task.neighbours:
        asked.add(GROUP)
    return {**schema, "properties": {name: each for name, each in schema["properties"].items() if name in asked}}


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """A body that has to be there."""
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _response(model: Model) -> type[BaseModel]:
    kind: Any = model.predictor.task.prediction
    parts: dict[str, Any] = {
        "model": (str, ...), "version": (str, ...), "predictions": (list[kind], ...), "truncated": (list[int], ...)
    }  # fmt: skip
    return create_model(f"{kind.__name__}s", **parts)
