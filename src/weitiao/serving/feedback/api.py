"""`POST /v1/feedback` takes a correction, `GET /v1/feedback/stats` says how many there are."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from weitiao.errors import Unreachable
from weitiao.messages import _
from weitiao.serving.app import answered
from weitiao.serving.body import RequestError
from weitiao.serving.described import PREDICT_PROBLEMS, PROBLEMS, TIMEOUT_PARAMETER
from weitiao.serving.desk import Desk, Order
from weitiao.serving.feedback.corrections import Asked, Correction, asked, parsed
from weitiao.serving.feedback.store import Feedback, FeedbackStore

RETRY = 5  # seconds after which to ask a database again that did not answer
log = logging.getLogger(__name__)


class Stored(BaseModel):
    """A correction that is on the disk."""

    id: str = Field(description="its id in the database")
    model: str = Field(description="the model whose answer was corrected")
    version: str = Field(description="its version")
    agreed: bool | None = Field(description="whether the answer was right; null where answers are not right or wrong")
    new_label: bool = Field(description="whether the model cannot give this answer, for it never learnt the label")


class Counted(BaseModel):
    """How much is known of one version of a model."""

    model: str
    version: str
    corrections: int = Field(description="what was sent, also where the answer was right")
    judged: int = Field(description="of these, answers that are right or wrong")
    agreed: int = Field(description="of these, answers that were right")
    new_labels: int = Field(description="corrections that the model cannot answer with")
    last: str = Field(description="when the newest came, in UTC")


class Stats(BaseModel):
    """How much is known of each version of each model."""

    versions: list[Counted]


def routes(desk: Desk, store: FeedbackStore | None) -> APIRouter:
    """The addresses of feedback; without a database one that says what is missing, and is in no documentation."""
    if store is None:
        return _closed()
    router = APIRouter(prefix="/v1/feedback", tags=["feedback"])
    schema = Correction.model_json_schema()
    schema["properties"]["model"]["enum"] = list(desk.models)
    said: dict[str, Any] = {"content": {"application/json": {"schema": schema}}}

    @router.post(
        "",
        status_code=201,
        response_model=Stored,
        responses=PREDICT_PROBLEMS,
        summary="Correct an answer",
        openapi_extra={"requestBody": {"required": True, **said}, "parameters": [TIMEOUT_PARAMETER]},
    )
    async def correct(request: Request) -> Any:
        body = await request.body()
        read: list[Asked] = []

        def order() -> Order:
            read.append(asked(desk, parsed(body)))
            return read[-1].order

        _order, predictions = await answered(desk, request, order)
        return await run_in_threadpool(_stored, store, read[-1].considered(predictions[0]))

    @router.get("/stats", response_model=Stats, responses=PROBLEMS, summary="Count the corrections")
    def stats() -> Any:
        try:
            return {"versions": store.counts()}
        except Unreachable as error:
            raise _unreachable(error) from error

    return router


def _closed() -> APIRouter:
    router = APIRouter()

    @router.post("/v1/feedback", include_in_schema=False)
    async def correct() -> Any:
        raise RequestError(404, _("this server takes no corrections; start it with --feedback URL"))

    return router


def _stored(store: FeedbackStore, feedback: Feedback) -> Stored:
    try:
        name = store.add(feedback)
    except Unreachable as error:
        raise _unreachable(error) from error
    return Stored(
        id=name,
        model=feedback.model,
        version=feedback.version,
        agreed=feedback.agreed,
        new_label=feedback.new_label,
    )


def _unreachable(error: Unreachable) -> RequestError:
    """The reason is for who runs the server: it names the database."""
    log.warning("%s", error)
    reason = _("the database of corrections does not answer; nothing was stored")
    return RequestError(503, reason, "store", retry_after=RETRY)
