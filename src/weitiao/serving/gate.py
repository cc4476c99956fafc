"""What stands around every request: who asks, whether the server still takes any, and what is written of it.

Pure ASGI, outside of the application. Each answer carries `X-Request-ID`; an unexpected fault becomes a 503 with that
number and nothing of the fault, which the journal has without the texts that it was about.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Collection, MutableMapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weitiao.messages import _
from weitiao.serving.body import RequestError, shown
from weitiao.serving.crew.pieces import Turned
from weitiao.serving.crew.worker import described
from weitiao.serving.desk import Desk
from weitiao.serving.intake import Intake
from weitiao.serving.journal import Journal
from weitiao.serving.keys import Keyring, secret
from weitiao.serving.meters import Meters

OPENAI = "/v1/embeddings"  # answers faults as OpenAI does
OPEN = frozenset({"/", "/health", "/health/live", "/health/ready"})  # need no key
WHILE_DRAINING = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
KINDS = {
    400: "body", 401: "key", 403: "origin", 404: "unknown", 405: "method", 408: "slow", 413: "large", 415: "type",
    422: "unusable", 429: "busy", 503: "internal",
}  # fmt: skip
OPENAI_TYPES = {401: "authentication_error", 429: "rate_limit_error", 503: "server_error"}
DRAINED = 5  # seconds after which another server may have taken the place of one that ends


class Gate:
    """The outermost part of the application.

    Args:
        app: what answers.
        desk: whose draining turns requests away.
        meters, journal: told of every request.
        keys: who may ask; None for everybody.
        origins: pages that may ask besides those of this server.
        open_paths: that need no key, beside `OPEN`.
        here_only: whether to answer only who asks by a name of this machine: a page whose own name was made to lead
            here (DNS rebinding) is of the origin that it asks, and is known by that name.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        desk: Desk,
        meters: Meters,
        journal: Journal,
        keys: Keyring | None = None,
        origins: Sequence[str] = (),
        open_paths: Collection[str] = (),
        here_only: bool = False,
    ) -> None:
        self._app, self._desk, self._meters, self._journal = app, desk, meters, journal
        self._intake, self._here_only = Intake(desk.limits), here_only
        self._keys, self._origins, self._open = keys, frozenset(origins), OPEN | frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, send, texts=self._journal.texts)
        self._meters.arrived()
        try:
            self._check(scope, visit)
            with self._intake.body() as body:
                await body.read(scope, receive)
                await self._app(scope, body.receive, visit.send)
        except ClientDisconnect:
            visit.facts["kind"] = "left"
        except (RequestError, Turned) as error:
            await problem(scope, error)(scope, receive, visit.send)
        except Exception as fault:
            self._meters.fault("internal", f"{visit.id}: {described(fault)}")
            if not visit.status:
                await problem(scope, internal(visit.id))(scope, receive, visit.send)
        finally:
            self._write(scope, visit)

    def _check(self, scope: Scope, visit: Visit) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        if sum(len(name) + len(value) for name, value in scope["headers"]) > (most := self._desk.limits.head_bytes):
            raise RequestError(400, _("the head of the request is larger than {limit} bytes").format(limit=most))
        if self._here_only and not of_this_machine(headers.get("host", "localhost")):
            reason = _("without keys the server is asked as localhost or 127.0.0.1; give it --keys FILE, or --no-keys")
            raise RequestError(403, reason, "host")
        if self._desk.draining and path not in WHILE_DRAINING:
            raise Turned(503, _("the server is being stopped; send the request again"), DRAINED, "draining")
        if scope["method"] not in SAFE and not self._from_here(headers):
            raise RequestError(403, _("a page of another origin may not ask; the server's --cors names those that may"))
        if self._keys is not None and path not in self._open:
            key = self._keys.find(secret(headers))
            if key is None:
                raise RequestError(401, _("a key is needed, as in: Authorization: Bearer KEY"))
            visit.facts["key"] = key.name
            if wait := self._keys.wait(key):
                reason = _("this key may ask {count} times a minute").format(count=key.per_minute)
                raise Turned(429, reason, math.ceil(wait), "rate")

    def _from_here(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        return origin is None or origin in self._origins or "*" in self._origins or _host(origin) == headers.get("host")

    def _write(self, scope: Scope, visit: Visit) -> None:
        seconds = time.monotonic() - visit.began
        kind = visit.facts.pop("kind", "") or (KINDS.get(visit.status, "other") if visit.status >= 400 else "")
        route = getattr(scope.get("route"), "path", "other")
        self._meters.answered(route, visit.status, seconds, kind)
        self._journal.write(
            {
                "id": visit.id,
                "method": scope["method"],
                "path": shown(scope["path"]),
                "status": visit.status,
                "ms": round(1000 * seconds, 2),
                **({"kind": kind} if kind else {}),
                **visit.facts,
            }
        )


class Visit:
    """One request: its number, when it came, and the status that it got.

    Who answers finds `facts` to fill in the scope's state, and whether `texts` are to be among them.
    """

    def __init__(self, scope: Scope, send: Send, *, texts: bool) -> None:
        self.id = uuid.uuid4().hex
        self.began = time.monotonic()
        self.status = 0
        self.facts: MutableMapping[str, Any] = {}
        self._send = send
        scope.setdefault("state", {}).update(facts=self.facts, texts=texts)

    async def send(self, message: Message) -> None:
        """Send on, with the number in the head."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.id
        await self._send(message)


def internal(number: str) -> Turned:
    """What is said of a fault inside: its number."""
    reason = _("the server met a fault of its own; it is logged as {number}").format(number=number)
    return Turned(503, reason, 1, "internal")


def problem(scope: Scope, error: RequestError | Turned) -> JSONResponse:
    """The answer to a request that is not answered otherwise: a status, one sentence, and when to come again."""
    scope["state"]["facts"]["kind"] = error.kind or KINDS.get(error.status, "other")
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 408 or error.kind == "draining":
        headers["Connection"] = "close"
    body: dict[str, Any] = {"detail": str(error)}
    if scope["path"] == OPENAI:
        kind = OPENAI_TYPES.get(error.status, "invalid_request_error")
        param = getattr(error, "param", None)
        body = {"error": {"message": str(error), "type": kind, "param": param, "code": scope["state"]["facts"]["kind"]}}
    return JSONResponse(body, status_code=error.status, headers=headers)


@lru_cache(maxsize=64)
def of_this_machine(host: str) -> bool:
    """Whether a `Host` header is `localhost` or an address of loopback, with any port."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
