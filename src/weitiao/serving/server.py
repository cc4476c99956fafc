"""`weitiao serve`: listen, load the runs, answer until told to stop. Needs the extra `serve`."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weitiao.errors import MissingExtra, Refused
from weitiao.messages import _, system_reason
from weitiao.serving.desk import Desk, Limits
from weitiao.serving.shelf import load_together

HIGHEST_PORT = 65535


def serve(
    runs: Sequence[Path | str],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    base: str | None = None,
    on_ready: Callable[[str, Sequence[str]], None] | None = None,
) -> None:
    """Load the runs and answer until SIGINT or SIGTERM; open requests are finished first.

    Args:
        runs: run folders, or their `model/` or `adapter/` folders; adapters on one base hold it once.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        limits: what a request may hold.
        base: the pretrained model of the adapters, in place of the one that each names.
        on_ready: told the address and the names.

    Raises:
        MissingExtra: the extra `serve` is not installed.
        Refused: the address cannot be listened on.
    """
    try:
        import uvicorn

        from weitiao.serving.app import build_app
    except ImportError as error:
        raise MissingExtra("fastapi", "serve") from error
    listening = _listen(host, port)
    try:
        predictors = load_together(runs, base=base)
        app = build_app(Desk(predictors, limits))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))
        if on_ready is not None:
            shown, bound = listening.getsockname()[:2]
            on_ready(f"http://{shown}:{bound}", [each.name for each in predictors])
        with _ending_quietly():
            server.run(sockets=[listening])
    finally:
        listening.close()


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """A signal ends the server and nothing else: uvicorn repeats it to the handler it found, which is this one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, lambda *_arguments: None) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _listen(host: str, port: int) -> Any:
    """A listening socket, taken before the models are loaded, so that a used port is told at once."""
    try:
        if not 0 <= port <= HIGHEST_PORT:
            raise OSError(_("ports go from 0 to {highest}").format(highest=HIGHEST_PORT))
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = _("no such host") if isinstance(error, socket.gaierror) else system_reason(error)
        raise Refused(
            _("cannot listen on {host}:{port} ({reason}); choose another --port").format(
                host=host, port=port, reason=reason
            )
        ) from error
