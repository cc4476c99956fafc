"""Predictors over HTTP: `POST /v1/predict/{model}` typed by the task, `GET /v1/models`, `/health`, `/docs`.

A request body comes in and is measured before it is read; what is wrong with it is answered with 4xx and one sentence.
Models run in one worker thread at a time, so the server stays responsive. Nothing is loaded from elsewhere: the
documentation page is plain and made here. Needs the extra `serve`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError, create_model

from weitiao.errors import MissingExtra, Refused
from weitiao.messages import _
from weitiao.records import Record
from weitiao.serving.docs import docs_page
from weitiao.serving.predictor import Predictor
from weitiao.tables import did_you_mean
from weitiao.tasks import RowFault

if TYPE_CHECKING:
    from fastapi import FastAPI


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold; beyond it, 413."""

    body_bytes: int = 4 * 1024 * 1024
    records: int = 256
    characters: int = 20_000  # a text; far above the tokens that models read


class Rejected(Exception):
    """A request that is answered with 4xx and one sentence."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Desk:
    """Answers for the loaded predictors, one at a time."""

    def __init__(self, predictors: Sequence[Predictor], limits: Limits) -> None:
        self.predictors = _by_name(predictors)
        self.limits = limits
        self._lock = Lock()

    def find(self, name: str) -> Predictor:
        """The predictor of that name.

        Raises:
            Rejected: there is none (404).
        """
        if name not in self.predictors:
            hint = did_you_mean(name, list(self.predictors)) or _("; expected one of: {names}").format(
                names=", ".join(self.predictors)
            )
            raise Rejected(404, _("unknown model '{name}'{hint}").format(name=name, hint=hint))
        return self.predictors[name]

    def answer(self, name: str, body: bytes) -> dict[str, Any]:
        """The predictions for a request body.

        Raises:
            Rejected: the body cannot be used.
        """
        predictor = self.find(name)
        items = self._items(_parse(body))
        records = [self._record(predictor, item, index) for index, item in enumerate(items)]
        with self._lock:
            predictions = predictor.predict(records)
        return {"model": name, "predictions": [each.model_dump(mode="json") for each in predictions]}

    def _items(self, value: Any) -> list[Any]:
        if isinstance(value, Mapping) and "records" in value:
            if len(value) > 1:
                raise Rejected(422, _("expected one key, `records`"))
            value = value["records"]
        items = value if isinstance(value, list) else [value]
        if not items:
            raise Rejected(422, _("no records to predict"))
        if len(items) > self.limits.records:
            raise Rejected(
                413,
                _("{count} records in one request; at most {limit} are answered").format(
                    count=len(items), limit=self.limits.records
                ),
            )
        return items

    def _record(self, predictor: Predictor, item: Any, index: int) -> Record:
        try:
            record = predictor.task.record.model_validate(item)
            self._check_length(record, index)
            specs = [spec.name for spec in predictor.task.fields if not spec.only_labelled]
            return predictor.record({name: each for name in specs if (each := getattr(record, name)) is not None})
        except ValidationError as error:
            raise Rejected(422, _validation_sentence(error, index)) from error
        except RowFault as fault:
            raise Rejected(422, _("record {index}: {reason}").format(index=index, reason=fault)) from fault

    def _check_length(self, record: Record, index: int) -> None:
        for name, value in record:
            if isinstance(value, str) and len(value) > self.limits.characters:
                raise Rejected(
                    413,
                    _("record {index}: `{field}` has {count} characters; at most {limit} are answered").format(
                        index=index, field=name, count=len(value), limit=self.limits.characters
                    ),
                )


def _by_name(predictors: Sequence[Predictor]) -> dict[str, Predictor]:
    found: dict[str, Predictor] = {}
    for predictor in predictors:
        if predictor.name in found:
            raise Refused(_("two runs are named '{name}'; serve one of them elsewhere").format(name=predictor.name))
        found[predictor.name] = predictor
    return found


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except UnicodeDecodeError as error:
        raise Rejected(400, _("the body is not UTF-8 (byte {byte})").format(byte=error.start)) from error
    except json.JSONDecodeError as error:
        raise Rejected(
            400,
            _("the body is not valid JSON: {reason} at line {line}, column {column}").format(
                reason=error.msg, line=error.lineno, column=error.colno
            ),
        ) from error
    except (RecursionError, ValueError) as error:  # nested too deep; a number with too many digits
        raise Rejected(400, _("the body is JSON that cannot be read here: nested too deep or too long a number")) from error


def _validation_sentence(error: ValidationError, index: int) -> str:
    detail = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in detail["loc"])
    words = {
        "missing": _("it is missing"),
        "extra_forbidden": _("no such field"),
        "string_type": _("expected text"),
        "string_unicode": _("it holds half of a surrogate pair, which is not a character"),
        "model_type": _("expected an object such as {example}").format(example='{"text": "..."}'),
    }
    reason = words.get(detail["type"], _("its value is not valid"))
    if not field:
        return _("record {index}: {reason}").format(index=index, reason=reason)
    return _("record {index}: `{field}`: {reason}").format(index=index, field=field, reason=reason)


def build_app(predictors: Sequence[Predictor], limits: Limits | None = None) -> FastAPI:
    """The web application.

    Raises:
        MissingExtra: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI, Request
        from fastapi.responses import HTMLResponse, JSONResponse
        from starlette.concurrency import run_in_threadpool
        from starlette.exceptions import HTTPException
    except ImportError as error:
        raise MissingExtra("fastapi", "serve") from error

    desk = Desk(predictors, limits or Limits())
    app = FastAPI(title="weitiao", docs_url=None, redoc_url=None, openapi_url="/openapi.json")

    async def predict(request: Request) -> JSONResponse:
        name = request.path_params["model"] if "model" in request.path_params else request.url.path.rpartition("/")[2]
        desk.find(name)
        body = await read_body(request, desk.limits.body_bytes)
        return JSONResponse(await run_in_threadpool(desk.answer, name, body))

    async def rejected(request: Request, error: Any) -> JSONResponse:  # noqa: ARG001 - the framework's signature
        return JSONResponse({"detail": str(error)}, status_code=error.status)

    async def no_such_page(request: Request, error: Any) -> JSONResponse:
        reason = _("no such page: {path}; see /docs").format(path=request.url.path)
        if error.status_code == 405:
            reason = _("{path} does not take {method}; see /docs").format(path=request.url.path, method=request.method)
        return JSONResponse({"detail": reason}, status_code=error.status_code, headers=error.headers)

    for name, predictor in desk.predictors.items():
        app.add_api_route(
            "/v1/predict/" + name, predict, methods=["POST"], **_described(name, predictor, desk.limits)
        )
    app.add_api_route("/v1/predict/{model}", predict, methods=["POST"], include_in_schema=False)
    app.add_api_route("/v1/models", lambda: {"models": [_model(each) for each in desk.predictors.values()]}, methods=["GET"])
    app.add_api_route("/health", lambda: {"status": "ok", "models": list(desk.predictors)}, methods=["GET"])
    app.add_api_route(
        "/docs", lambda: HTMLResponse(docs_page(app.openapi())), methods=["GET"], include_in_schema=False
    )
    app.add_exception_handler(Rejected, rejected)
    app.add_exception_handler(HTTPException, no_such_page)
    return app


async def read_body(request: Any, limit: int) -> bytes:
    """The body, read no further than the limit.

    Raises:
        Rejected: it is larger (413).
    """
    reason = _("the body is larger than {limit} bytes").format(limit=limit)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise Rejected(413, reason)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Rejected(413, reason)
    return bytes(body)


def _described(name: str, predictor: Predictor, limits: Limits) -> dict[str, Any]:
    """The OpenAPI entry of one model, from its task's own types."""
    record = predictor.task.record
    schema = record.model_json_schema()
    schema.pop("$defs", None)
    batch = {"type": "array", "items": schema, "minItems": 1, "maxItems": limits.records}
    return {
        "name": f"predict_{name}",
        "summary": f"Predict with {name}",
        "response_model": _response(predictor),
        "openapi_extra": {
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": [schema, batch]}}}}
        },
        "responses": {status: {"model": Problem} for status in (400, 404, 413, 422)},
    }


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str


def _response(predictor: Predictor) -> type[BaseModel]:
    kind = predictor.task.prediction
    return create_model(f"{kind.__name__}s", model=(str, ...), predictions=(list[kind], ...))


def _model(predictor: Predictor) -> dict[str, Any]:
    return {
        "name": predictor.name,
        "task": predictor.task.name,
        "labels": list(predictor.labels),
        "max_length": predictor.max_length,
    }


def serve(
    runs: Sequence[Path | str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    on_ready: Callable[[str, Sequence[str]], None] | None = None,
) -> None:
    """Load the runs and answer until SIGINT or SIGTERM; open requests are finished first.

    Raises:
        MissingExtra: the extra `serve` is not installed.
        Refused: the address cannot be listened on.
    """
    try:
        import fastapi  # noqa: F401 - asked for before the models are loaded
        import uvicorn
    except ImportError as error:
        raise MissingExtra("fastapi", "serve") from error
    listening = _listen(host, port)
    try:
        app = build_app([Predictor.load(run) for run in runs], limits)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))
        if on_ready is not None:
            shown, bound = listening.getsockname()[:2]
            on_ready(f"http://{shown}:{bound}", [each for each in _names(app)])
        server.run(sockets=[listening])
    finally:
        listening.close()


def _listen(host: str, port: int) -> Any:
    """A listening socket, taken before the models are loaded, so that a used port is told at once."""
    import socket

    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Refused(
            _("cannot listen on {host}:{port} ({reason}); choose another --port").format(host=host, port=port, reason=reason)
        ) from error


def _names(app: Any) -> list[str]:
    prefix = "/v1/predict/"
    return [route.path.removeprefix(prefix) for route in app.routes if route.path.startswith(prefix) and "{" not in route.path]
