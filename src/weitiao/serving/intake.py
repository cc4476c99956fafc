"""Bodies of requests: read whole before anything looks at them, no further and no longer than the limits say."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from weitiao.messages import _
from weitiao.serving.body import RequestError
from weitiao.serving.crew.pieces import Turned
from weitiao.serving.desk import Limits

JSON = "application/json"
CURLS = "application/x-www-form-urlencoded"  # what `curl -d` says of any body
WHOLE = 16  # of the longest bodies, that all requests together may hold


class Intake:
    """What is held of all requests together."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.held = 0

    @contextmanager
    def body(self) -> Iterator[Body]:
        """The body of one request, held until it is answered."""
        body = Body(self)
        try:
            yield body
        finally:
            self.held -= body.size


class Body:
    """The body of one request."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._whole = bytearray()
        self._given = False
        self._receive: Receive | None = None

    @property
    def size(self) -> int:
        """Bytes that are here."""
        return len(self._whole)

    async def read(self, scope: Scope, receive: Receive) -> None:
        """Read it.

        Raises:
            RequestError: it is too large (413), too slow (408), or not plain JSON (415).
            Turned: there is no room for it now.
            ClientDisconnect: the client has left.
        """
        self._receive, headers, limits = receive, Headers(scope=scope), self._intake.limits
        check_form(headers)
        if (declared := headers.get("content-length", "")).isdigit() and int(declared) > limits.body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(limits.body_seconds):
                while await self._more(receive):
                    pass
        except TimeoutError as error:
            reason = _("the body took more than {limit:g} s").format(limit=limits.body_seconds)
            raise RequestError(408, reason) from error

    async def receive(self) -> Message:
        """The body for the application, once; then what else the client sends, which is that it leaves."""
        if self._given:
            assert self._receive is not None
            return await self._receive()
        self._given = True
        return {"type": "http.request", "body": bytes(self._whole), "more_body": False}

    async def _more(self, receive: Receive) -> bool:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk = message.get("body", b"")
        self._whole += chunk
        self._intake.held += len(chunk)
        if len(self._whole) > self._intake.limits.body_bytes:
            raise self._too_large()
        if self._intake.held > WHOLE * self._intake.limits.body_bytes:
            raise Turned(429, _("too many requests are being read; come again later"), 1, "full")
        return bool(message.get("more_body", False))

    def _too_large(self) -> RequestError:
        return RequestError(
            413, _("the body is larger than {limit} bytes").format(limit=self._intake.limits.body_bytes)
        )


def check_form(headers: Headers) -> None:
    """Refuse what is packed, and what says of itself that it is not JSON.

    Raises:
        RequestError: it is (415).
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(415, _("a packed body is not unpacked; send it as it is"))
    kind = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if kind not in (JSON, CURLS) and (headers.get("content-length", "0") != "0" or "transfer-encoding" in headers):
        raise RequestError(415, _("the body has to be JSON, with the header Content-Type: application/json"))
