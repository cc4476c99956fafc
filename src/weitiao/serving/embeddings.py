"""`POST /v1/embeddings` as OpenAI's clients speak it, for models of the task `embed`.

The request and the answer are those of OpenAI's API reference, "Create embeddings"; tokens in place of texts are
refused, for their ids would be those of another vocabulary. `dimensions` cuts the vector where the model was trained
to serve with its beginning alone (Kusupati et al. 2022).
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.messages import _
from weitiao.records import EmbedPrediction, EmbedRecord
from weitiao.serving.body import RequestError, parse, reason_of, shown
from weitiao.serving.desk import Desk, Order
from weitiao.serving.options import Options
from weitiao.serving.staff import Model
from weitiao.tasks import RowFault

TASK = "embed"


class EmbeddingsRequest(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str = Field(description="name of a model of the task embed")
    input: str | list[str] = Field(description="a text, or several")
    encoding_format: Literal["float", "base64"] = Field("float", description="base64: little-endian float32")
    dimensions: int | None = Field(None, ge=1, description="length of the vectors, of those that the model serves")
    user: str | None = Field(None, description="taken, not used")


class Embedding(BaseModel):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(BaseModel):
    """What is answered."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: Usage


class Fault(BaseModel):
    """What went wrong, as OpenAI says it."""

    message: str
    type: str
    param: str | None
    code: str | None


class EmbeddingsProblem(BaseModel):
    """Why a request was not answered."""

    error: Fault


def request_schema(desk: Desk) -> dict[str, Any]:
    """The JSON schema of a request, with the names of the models that embed."""
    schema = EmbeddingsRequest.model_json_schema()
    if names := [each.name for each in desk.models.values() if each.predictor.task.name == TASK]:
        schema["properties"]["model"]["enum"] = names
    return schema


def read(desk: Desk, body: bytes) -> tuple[EmbeddingsRequest, Order]:
    """The request, and the order that it comes to.

    Raises:
        RequestError: it cannot be used: 400, with the field; 404 for the model; 413 where it is too large.
    """
    try:
        asked = EmbeddingsRequest.model_validate(parse(body))
    except ValidationError as error:
        field, reason = reason_of(error)
        field = field.partition(".")[0]
        raise RequestError(400, _("`{field}`: {reason}").format(field=field, reason=reason), param=field) from error
    model = desk.find(asked.model)
    if model.predictor.task.name != TASK:
        reason = _("the model '{name}' does not embed; its task is {task}")
        raise RequestError(400, reason.format(name=model.name, task=model.predictor.task.name), param="model")
    texts = [asked.input] if isinstance(asked.input, str) else asked.input
    if not texts:
        raise RequestError(400, _("`input`: no text in it"), param="input")
    desk.check_count(len(texts))
    _check_dimensions(model, asked.dimensions)
    return asked, desk.order(model, [_record(desk, model, text, place) for place, text in enumerate(texts)], Options())


def _record(desk: Desk, model: Model, text: str, place: int) -> EmbedRecord:
    desk.check_length({"input": text}, place)
    try:
        record: EmbedRecord = model.predictor.record({"text": text})  # type: ignore[assignment]
    except RowFault as fault:
        raise RequestError(
            400, _("input {index}: {reason}").format(index=place, reason=fault), param="input"
        ) from fault
    return record


def _check_dimensions(model: Model, dimensions: int | None) -> None:
    known: Sequence[int] = model.predictor.task.options.dimensions
    if dimensions is not None and dimensions not in known:
        names = ", ".join(map(str, known)) or _("none")
        reason = _("`dimensions`: the model does not serve {count}; it serves: {names}, and the whole vector")
        raise RequestError(400, reason.format(count=shown(str(dimensions)), names=names), param="dimensions")


def answer(asked: EmbeddingsRequest, order: Order, predictions: Sequence[EmbedPrediction]) -> dict[str, Any]:
    """The answer, in the order of the texts."""
    vectors = [_vector(each.vector, asked.dimensions) for each in predictions]
    data = [
        {"object": "embedding", "index": index, "embedding": _coded(vector, asked.encoding_format)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": order.tokens, "total_tokens": order.tokens}
    return {"object": "list", "data": data, "model": order.model.name, "usage": usage}


def _vector(vector: Sequence[float], dimensions: int | None) -> np.ndarray[Any, Any]:
    """The vector, or its beginning, of length 1 again, [H]."""
    if dimensions is None:
        return np.asarray(vector)
    kept = np.asarray(vector[:dimensions])  # [D]
    return kept / max(float(np.linalg.norm(kept)), 1e-12)


def _coded(vector: np.ndarray[Any, Any], form: str) -> list[float] | str:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()  # type: ignore[no-any-return]
