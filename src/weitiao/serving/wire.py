"""HTTP as bytes: uvicorn's protocol on httptools, which waits for slow clients only so long and complains in JSON."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from weitiao.messages import _
from weitiao.serving.desk import Limits

HEAD_SECONDS = 10.0  # in which the head of a request has to be here
HEAD_BYTES = Limits().head_bytes  # of a head that is not whole yet; of a whole one the gate looks at the size
LINGER_SECONDS = 2.0  # in which a client that was refused may still send
CONNECTIONS = 1000  # at once


class Wire(HttpToolsProtocol):
    """One connection."""

    head_timer: asyncio.TimerHandle | None = None
    head_bytes = 0  # that came since the last request was answered, of a head that is not whole
    refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, unless there are too many that do."""
        super().connection_made(Joining(transport, self.loop))  # type: ignore[arg-type]
        if len(self.connections) > CONNECTIONS:
            self.refuse(429, _("too many connections"), {"Retry-After": "1"})
            return
        self._set_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._unset_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; once its head is whole, the body has a time of its own."""
        if self.refused:
            return
        super().data_received(data)
        if self._answering or self.refused or self.transport.is_closing():
            return
        self.head_bytes += len(data)
        if self.head_bytes > HEAD_BYTES:
            self.send_400_response("")
        elif self.head_timer is None:
            self._set_head_timer()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self.parser.get_http_version() == "1.1" and sum(name == b"host" for name, _value in self.headers) != 1:
            raise ValueError  # RFC 9112, section 3.2; the parser makes an error of its own of it
        self._unset_head_timer()
        self.head_bytes = 0
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Say what is wrong with bytes that are no request, unless an answer is on its way already."""
        if self._answering:
            if self.cycle.response_started:
                self.transport.close()
                return
            self.cycle.disconnected = True  # nobody reads what it would answer
            self.cycle.message_event.set()
        self.refuse(400, _("this is no HTTP request that can be read here"), {})

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
            "content-type": "application/json", "content-length": len(body), "connection": "close", **headers
        }  # fmt: skip
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items()).encode()
        self.transport.write(STATUS_LINE[status] + lines + b"\r\n" + body)
        with suppress(OSError):  # the client has left
            self.transport.write_eof()
        self.transport.resume_reading()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    @property
    def _answering(self) -> bool:
        """Whether the head of a request is here whose answer is not complete."""
        return self.cycle is not None and not self.cycle.response_complete

    def _set_head_timer(self) -> None:
        self.head_timer = self.loop.call_later(HEAD_SECONDS, self.too_slow)

    def _unset_head_timer(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None


class Joining:
    """A transport that sends at once what is written in one turn of the loop, such as the head and body of an answer.

    Args:
        transport: what sends.
        loop: of the transport.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._written: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send it with what else this turn brings."""
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def write_eof(self) -> None:
        """Send all, and say that there is no more."""
        self._send()
        self._transport.write_eof()

    def close(self) -> None:
        """Send all, and hang up."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        whole, self._written = b"".join(self._written), []
        if whole:
            self._transport.write(whole)
