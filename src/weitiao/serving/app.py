"""Predictors over HTTP: `POST /v1/predict/{model}` typed by the task, `GET /v1/models`, `/health`, `/docs`.

A request comes in, its body is read no further than the limit, and the desk answers in a worker thread, so the server
stays responsive. Nothing is loaded from elsewhere: the documentation page is plain and made here. Importing this needs
the extra `serve`; `weitiao.serving.server` says so where it is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, create_model
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from weitiao.messages import _
from weitiao.serving.desk import Desk, Limits, RequestError
from weitiao.serving.docs import docs_page
from weitiao.serving.predictor import Predictor


def build_app(desk: Desk, *, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The web application that answers for a desk.

    Args:
        desk: the models, and what a request may hold.
        routers: of `serving.page`, `serving.feedback` and `serving.drift`; each is made by its `routes(...)`.
    """
    app = FastAPI(title="weitiao", docs_url=None, redoc_url=None, openapi_url="/openapi.json")

    async def predict(request: Request) -> JSONResponse:
        name = request.scope["path"].rpartition("/")[2]
        desk.find(name)
        body = await read_body(request, desk.limits.body_bytes)
        return JSONResponse(await run_in_threadpool(desk.answer, name, body))

    for name, predictor in desk.predictors.items():
        app.add_api_route("/v1/predict/" + name, predict, methods=["POST"], **_described(name, predictor, desk.limits))
    app.add_api_route("/v1/predict/{model}", predict, methods=["POST"], include_in_schema=False)
    app.add_api_route(
        "/v1/models", lambda: {"models": [_model(each) for each in desk.predictors.values()]}, methods=["GET"]
    )
    app.add_api_route("/health", lambda: {"status": "ok", "models": list(desk.predictors)}, methods=["GET"])
    app.add_api_route("/docs", lambda: HTMLResponse(docs_page(app.openapi())), methods=["GET"], include_in_schema=False)
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(RequestError, _rejected)
    app.add_exception_handler(HTTPException, _no_such_page)
    return app


async def _rejected(_request: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=getattr(error, "status", 400))


async def _no_such_page(request: Request, error: Exception) -> JSONResponse:
    """The router's own complaints: 404, and 405 with the methods that are allowed."""
    status, headers = getattr(error, "status_code", 404), getattr(error, "headers", None)
    reason = _("no such page: {path}; see /docs").format(path=request.url.path)
    if status == 405:
        reason = _("{path} does not take {method}; see /docs").format(path=request.url.path, method=request.method)
    return JSONResponse({"detail": reason}, status_code=status, headers=headers)


async def read_body(request: Request, limit: int) -> bytes:
    """The body, read no further than the limit.

    Raises:
        RequestError: it is larger (413).
    """
    reason = _("the body is larger than {limit} bytes").format(limit=limit)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise RequestError(413, reason)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise RequestError(413, reason)
    return bytes(body)


def _described(name: str, predictor: Predictor, limits: Limits) -> dict[str, Any]:
    """The OpenAPI entry of one model, from its task's own types."""
    record = predictor.task.record
    schema = record.model_json_schema()
    schema.pop("$defs", None)
    batch = {"type": "array", "items": schema, "minItems": 1, "maxItems": limits.records}
    named = {"type": "object", "properties": {"records": batch}, "required": ["records"], "additionalProperties": False}
    return {
        "name": f"predict_{name}",
        "summary": f"Predict with {name}",
        "response_model": _response(predictor),
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"anyOf": [schema, batch, named]}}},
            }
        },
        "responses": {status: {"model": Problem} for status in (400, 404, 413, 422)},
    }


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str


def _response(predictor: Predictor) -> type[BaseModel]:
    kind: Any = predictor.task.prediction
    parts: dict[str, Any] = {"model": (str, ...), "predictions": (list[kind], ...), "truncated": (list[int], ...)}
    return create_model(f"{kind.__name__}s", **parts)


def _model(predictor: Predictor) -> dict[str, Any]:
    return {
        "name": predictor.name,
        "task": predictor.task.name,
        "labels": list(predictor.labels),
        "max_length": predictor.max_length,
    }
