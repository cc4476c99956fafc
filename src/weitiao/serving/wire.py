"""HTTP as bytes: uvicorn's protocol on h11, which waits for slow clients only so long and complains in JSON.

h11 looks at a request only once the one before it is answered, and bounds heads and trailers alike; with `Holding` a
client that sends without end fills its own buffers, and not the server's memory.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from weitiao.messages import _

HEAD_SECONDS = 10.0  # in which the head of a request has to be here
LINGER_SECONDS = 2.0  # in which a client that was refused may still send
AHEAD = 64 * 1024  # bytes of further requests, from which on no more are read
CONNECTIONS = 1000  # at once


class Wire(H11Protocol):
    """One connection."""

    head_timer: asyncio.TimerHandle | None = None
    refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many that do."""
        super().connection_made(Joining(transport, self.loop))  # type: ignore[arg-type]
        self.flow = Holding(self.transport, lambda: len(self.conn.trailing_data[0]))
        if len(self.connections) > CONNECTIONS:
            self.refuse(429, _("too many connections"), {"Retry-After": "1"})
            return
        self.head_timer = self.loop.call_later(HEAD_SECONDS, self.too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._unset_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; once its head is whole, the body has a time of its own."""
        if self.refused:
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._unset_head_timer()
        elif self.head_timer is None and not self.transport.is_closing():
            self.head_timer = self.loop.call_later(HEAD_SECONDS, self.too_slow)

    def send_400_response(self, _message: str) -> None:
        """Say what is wrong with bytes that are no request."""
        self._unset_head_timer()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self.refuse(400, _("this is no HTTP request that can be read here"), {})
        else:
            self.transport.close()

    def too_slow(self) -> None:
        """The head did not come in time."""
        if not self.transport.is_closing():
            self.refuse(408, _("the head of the request took more than {limit:g} s").format(limit=HEAD_SECONDS), {})

    def refuse(self, status: int, reason: str, headers: dict[str, str]) -> None:
        """Answer without the application, and hang up; what is still sent is read, or the answer would be lost."""
        self.refused = True
        self._unset_head_timer()
        body = json.dumps({"detail": reason}, ensure_ascii=False).encode()
        head: dict[str, Any] = {
            "content-type": "application/json", "content-length": str(len(body)), "connection": "close", **headers
        }  # fmt: skip
        response = h11.Response(status_code=status, headers=list(head.items()), reason=STATUS_PHRASES[status])
        events = (response, h11.Data(data=body), h11.EndOfMessage())
        self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
        with suppress(OSError):  # the client has left
            self.transport.write_eof()
        self.transport.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _unset_head_timer(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None


class Holding(FlowControl):
    """Reads on only while few bytes are here that nobody has looked at; uvicorn's own reads on with every request.

    Args:
        transport: what reads.
        held: how many bytes are here.
    """

    def __init__(self, transport: asyncio.Transport, held: Callable[[], int]) -> None:
        super().__init__(transport)
        self._held = held

    def resume_reading(self) -> None:
        """Read on, unless there is enough; each request that is taken from it asks again."""
        if self._held() < AHEAD:
            super().resume_reading()


class Joining:
    """A transport that sends at once what is written in one turn of the loop, such as the head and body of an answer.

    Args:
        transport: what sends.
        loop: of the transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._written: list[bytes] = []
        self._over = False  # nothing may be written any more

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it with what else this turn brings; nothing once the end was sent."""
        if self._over:
            return
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def write_eof(self) -> None:
        """Send all, and say that there is no more."""
        self._send()
        self._over = True
        self._transport.write_eof()

    def close(self) -> None:
        """Send all, and hang up."""
        self._send()
        self._over = True
        self._transport.close()

    def _send(self) -> None:
        whole, self._written = b"".join(self._written), []
        if whole:
            self._transport.write(whole)
