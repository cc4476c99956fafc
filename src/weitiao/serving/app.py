"""Models over HTTP: `POST /v1/predict/{model}` typed by the task, `/v1/embeddings`, and what a server says of itself.

A request comes in whole or not at all, is read and encoded in a thread unless it is short, and waits for the crew
without holding one up, so the server stays responsive. Nothing is loaded from elsewhere: the documentation page is
plain and made here. Importing this needs the extra `serve`; `weitiao.serving.server` says so where it is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from weitiao.messages import _
from weitiao.serving import embeddings
from weitiao.serving.body import RequestError, shown
from weitiao.serving.crew.pieces import Closed, Turned
from weitiao.serving.crew.waiting import overdue
from weitiao.serving.described import ANY, LONGEST_TIMEOUT, PROBLEMS, TIMEOUT_PARAMETER, described, json_body
from weitiao.serving.desk import Desk, Limits, Order
from weitiao.serving.docs import docs_page
from weitiao.serving.gate import Gate, problem
from weitiao.serving.journal import Journal
from weitiao.serving.keys import Keyring
from weitiao.serving.meters import Meters
from weitiao.serving.staff import Model

TIMEOUT = "x-timeout-ms"
SHORT = 1024  # bytes of a body that is read at once: some milliseconds where it is all records of one letter
T = TypeVar("T")


class Direct(APIRoute):
    """A route whose function takes the request and gives the response itself; FastAPI describes it and no more."""

    def __init__(self, path: str, endpoint: Callable[[Request], Awaitable[Response]], **described: Any) -> None:
        super().__init__(path, endpoint, **described)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            response = await endpoint(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = answer


@dataclass(frozen=True, slots=True)
class Doors:
    """Who may come in, and who is told.

    Args:
        keys: needed to ask; None for everybody.
        origins: pages that may ask besides those of this server.
        open_paths: of the routers, that need no key.
        here_only: whether to be asked only by the names of this machine.
        journal: the access log.
        meters: behind `/metrics`; routers register figures of their own with `meters.registry`.
    """

    keys: Keyring | None = None
    origins: Sequence[str] = ()
    open_paths: Collection[str] = ()
    here_only: bool = False
    journal: Journal = field(default_factory=Journal)
    meters: Meters = field(default_factory=Meters)


def build_app(desk: Desk, *, routers: Sequence[APIRouter] = (), doors: Doors | None = None) -> FastAPI:
    """The web application that answers for a desk.

    Args:
        desk: the models, and what a request may hold.
        routers: of `serving.page`, `serving.feedback` and `serving.drift`; each is made by its `routes(...)`.
        doors: who may come in, and who is told.
    """
    doors = doors or Doors()
    doors.meters.watch(desk)
    app = FastAPI(title="weitiao", docs_url=None, redoc_url=None, openapi_url="/openapi.json", redirect_slashes=False)
    app.state.reader = Reader()
    _add_answers(app, desk)
    _add_state(app, desk, doors.meters)
    for router in routers:
        app.include_router(router, responses=PROBLEMS)
    app.add_exception_handler(HTTPException, _no_such_page)
    app.add_exception_handler(RequestValidationError, _unusable)
    app.add_middleware(
        Gate, desk=desk, meters=doors.meters, journal=doors.journal, keys=doors.keys, origins=doors.origins,
        open_paths=doors.open_paths, here_only=doors.here_only,
    )  # fmt: skip
    if doors.origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=doors.origins, allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "x-api-key", TIMEOUT],
            expose_headers=["retry-after", "x-request-id"],
        )  # fmt: skip
    return app


def _add_answers(app: FastAPI, desk: Desk) -> None:
    async def predict(request: Request) -> JSONResponse:
        name, query, body = request.scope["path"].rpartition("/")[2], dict(request.query_params), await request.body()
        order, predictions = await answered(desk, request, lambda: desk.read(desk.find(name), body, query))
        return JSONResponse(desk.reply(order, predictions))

    async def embed(request: Request) -> JSONResponse:
        body = await request.body()
        asked: list[embeddings.EmbeddingsRequest] = []

        def read() -> Order:
            request_, order = embeddings.read(desk, body)
            asked.append(request_)
            return order

        order, predictions = await answered(desk, request, read)
        desk.observers.tell(order.model.name, order.records, predictions)
        return JSONResponse(embeddings.answer(asked[-1], order, predictions))

    add = partial(app.router.add_api_route, methods=["POST"], route_class_override=Direct)
    for model in desk.models.values():
        add("/v1/predict/" + model.name, predict, **described(model, desk.limits))
    add("/v1/predict/{model}", predict, include_in_schema=False)
    add(
        "/v1/embeddings", embed, summary="Embed texts", response_model=embeddings.EmbeddingsAnswer,
        responses={status: {"model": embeddings.EmbeddingsProblem} for status in (*ANY, 404)},
        openapi_extra={
            "requestBody": json_body(embeddings.request_schema(desk)),
            "parameters": [TIMEOUT_PARAMETER],
        },
    )  # fmt: skip


class Reader:
    """Reads what is short on the spot, and anything else in a thread.

    Also what is short, while a large one is at it: it may hold a model's lock for as long as it takes.
    """

    def __init__(self) -> None:
        self._large = 0  # that are being read

    async def read(self, order: Callable[[], Order], size: int) -> Order:
        """The order in a body of `size` bytes."""
        if size <= SHORT:
            return await run_in_threadpool(order) if self._large else order()
        self._large += 1
        try:
            return await run_in_threadpool(order)
        finally:
            self._large -= 1


async def answered(desk: Desk, request: Request, read: Callable[[], Order]) -> tuple[Order, Any]:
    """Read an order, queue it and wait for its answers; once more from the start where the models were replaced.

    Raises:
        RequestError: it cannot be used.
        Turned: it cannot be answered now.
    """
    timeout = timeout_of(request, desk.limits)
    while True:
        desk.staff.crew.waiting.check()
        order = await request.app.state.reader.read(read, len(await request.body()))
        facts = request.scope["state"]["facts"]
        facts |= {"model": order.model.name, "version": order.model.version, "records": len(order.records)}
        facts["tokens"] = order.tokens
        if request.scope["state"]["texts"]:
            facts["texts"] = [_plain(each) for each in order.records]
        try:
            return order, await asyncio.wait_for(asyncio.wrap_future(desk.submit(order, timeout)), timeout)
        except TimeoutError:  # a station has it, or none takes anything
            raise overdue() from None
        except Closed:
            if desk.draining:
                raise Turned(503, _("the server is being stopped; send the request again"), 1, "draining") from None


def _plain(record: BaseModel) -> dict[str, Any]:
    return record.model_dump(mode="json", exclude_defaults=True)


def timeout_of(request: Request, limits: Limits) -> float:
    """Seconds in which the answer is wanted.

    Raises:
        RequestError: the header says something else (422; 400 for OpenAI's clients).
    """
    given = request.headers.get(TIMEOUT)
    if given is None:
        return limits.deadline
    if not (given.isascii() and given.isdigit() and len(given) < 10 and 1 <= int(given) <= LONGEST_TIMEOUT):
        reason = _("X-Timeout-Ms: expected milliseconds from 1 to {most}, got '{given}'")
        status = 400 if request.url.path == "/v1/embeddings" else 422
        raise RequestError(status, reason.format(most=LONGEST_TIMEOUT, given=shown(given)), param="X-Timeout-Ms")
    return int(given) / 1000


def _add_state(app: FastAPI, desk: Desk, meters: Meters) -> None:
    """What the server says of itself; its health without a thread, for those may all be busy."""

    async def health() -> dict[str, Any]:
        return {"status": "ok", "models": list(desk.models)}

    async def live() -> dict[str, Any]:
        return {"status": "ok"}

    async def ready() -> JSONResponse:
        if desk.ready:
            return JSONResponse({"status": "ready"})
        reason = _("the server is being stopped") if desk.draining else _("no worker is up")
        return JSONResponse({"detail": reason}, status_code=503, headers={"Retry-After": "1"})

    def models() -> dict[str, Any]:
        return {"models": [_shown(each) for each in desk.models.values()]}

    def metrics() -> Response:
        return Response(meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    page = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    for path, function in {
        "/health": health,
        "/health/live": live,
        "/health/ready": ready,
        "/v1/models": models,
    }.items():
        app.add_api_route(path, function, methods=["GET"], responses=PROBLEMS)
    app.add_api_route("/metrics", metrics, methods=["GET"], response_class=Response, responses={**PROBLEMS, 200: page})
    app.add_api_route("/docs", lambda: HTMLResponse(docs_page(app.openapi())), methods=["GET"], include_in_schema=False)


def _no_such_page(request: Request, error: Exception) -> JSONResponse:
    """The router's own complaints: 404, and 405 with the methods that are allowed."""
    status, headers = getattr(error, "status_code", 404), getattr(error, "headers", None)
    path, method = shown(request.url.path), shown(request.method)
    reason = _("no such page: {path}; see /docs").format(path=path)
    if status == 405:
        reason = _("{path} does not take {method}; see /docs").format(path=path, method=method)
    answer = problem(request.scope, RequestError(status, reason))
    answer.headers.update(headers or {})
    return answer


def _unusable(request: Request, error: Exception) -> JSONResponse:
    """What a router's own types do not allow: which field, and why."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return problem(request.scope, RequestError(400, _("the body is not valid JSON")))
    where = ".".join(shown(str(part)) for part in first["loc"][1:]) or _("the body")
    reason = _("`{field}`: {reason}").format(field=where, reason=_("its value is not valid"))
    return problem(request.scope, RequestError(422, reason))


def _shown(model: Model) -> dict[str, Any]:
    predictor = model.predictor
    return {
        "name": model.name,
        "version": model.version,
        "task": predictor.task.name,
        "labels": list(predictor.labels),
        "fields": sorted(predictor.fields) if predictor.fields is not None else None,
        "max_length": predictor.max_length,
    }
