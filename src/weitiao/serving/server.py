"""`weitiao serve`: listen, start the workers, answer until told to stop. Needs the extra `serve`.

SIGTERM or SIGINT once: not ready any more, nothing new is taken, what was taken is answered, then the server ends. A
second signal ends it at once.
"""

from __future__ import annotations

import ipaddress
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from weitiao.errors import Interrupted, MissingExtra, Refused
from weitiao.machine import cores
from weitiao.messages import _, system_reason
from weitiao.serving.desk import Desk, Limits
from weitiao.serving.drift.watch import Watch
from weitiao.serving.engines import Wanted
from weitiao.serving.feedback.store import FeedbackStore
from weitiao.serving.journal import NOWHERE, Journal
from weitiao.serving.keys import Keyring
from weitiao.serving.staff import Hiring

if TYPE_CHECKING:
    import uvicorn


HIGHEST_PORT = 65535
WORKERS = 2  # so that one that dies leaves the other
BACKLOG = 1024  # connections that wait to be taken
LAST_WORDS = 10  # seconds in which clients have to take their answers once the server ends


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How a server stands in its network, and who answers.

    Args:
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        workers: processes that answer; 0 for none, then the server's own does.
        keys: file of API keys; None for none.
        no_keys: whether anybody may ask without a key, from other machines and by other names of this one.
        cors: origins of pages that may ask.
        log: where the access log goes: a file, `-` for stderr, `none`.
        log_texts: whether the texts of requests are logged too.
        limits: what a request may hold.
        base: the pretrained model of the adapters, in place of the one that each names.
        engine: what computes; `auto` for the fastest that answers the same.
        feedback: address of the database for corrections; without one none are taken.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = WORKERS
    keys: Path | None = None
    no_keys: bool = False
    cors: Sequence[str] = ()
    log: str = NOWHERE
    log_texts: bool = False
    limits: Limits = field(default_factory=Limits)
    base: str | None = None
    engine: Wanted = "auto"
    feedback: str | None = None


def serve(
    runs: Sequence[Path | str],
    options: ServerOptions | None = None,
    *,
    on_ready: Callable[[str, Mapping[str, str]], None] | None = None,
) -> None:
    """Load the runs and answer until SIGINT or SIGTERM; what was taken is answered first.

    Args:
        runs: run folders, or their `model/` or `adapter/` folders; adapters on one base hold it once.
        options: address, workers, keys and the like.
        on_ready: told the address, and of each model why its engine is the one that answers.

    Raises:
        MissingExtra: the extra `serve` is not installed.
        Refused: the address cannot be listened on, or not without keys; a run cannot be served.
        Unreachable: the database for corrections does not answer.
        Interrupted: a second signal ended the server before it had answered everything.
    """
    options = options or ServerOptions()
    try:
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401

        from weitiao.serving.app import build_app
    except ImportError as error:
        raise MissingExtra(error.name or "fastapi", "serve") from error
    listening = _listen(options.host, options.port)
    try:
        _refuse_open_door(listening, options)
        _serve(build_app, [Path(run) for run in runs], options, listening, on_ready)
    finally:
        listening.close()


def _serve(
    build_app: Callable[..., Any],
    runs: Sequence[Path],
    options: ServerOptions,
    listening: socket.socket,
    on_ready: Callable[[str, Mapping[str, str]], None] | None,
) -> None:
    from weitiao.serving.app import Doors
    from weitiao.serving.drift import api as drift
    from weitiao.serving.feedback import api as feedback
    from weitiao.serving.house import House
    from weitiao.serving.meters import Meters
    from weitiao.serving.page import api as page

    store = FeedbackStore.open(options.feedback) if options.feedback is not None else None
    keys = Keyring(options.keys) if options.keys is not None else None
    journal = Journal(options.log, texts=options.log_texts)
    meters = Meters(journal)
    house = House(runs, Hiring(options.workers, options.base, cores(), options.engine), meters)
    watch = Watch(lambda name: desk.find(name).predictor)
    desk = Desk(limits=options.limits, observers=[watch], staff=house.staff)
    here_only = keys is None and not options.no_keys  # then the address is one of loopback
    doors = Doors(keys, options.cors, page.OPEN_PATHS, here_only, journal, meters)
    meters.registry.register(drift.Gauges(watch, lambda: list(desk.models)))
    routers = [
        page.routes(desk, feedback=store is not None),
        drift.routes(watch, lambda: list(desk.models)),
        feedback.routes(desk, store),
    ]
    server = _server(build_app(desk, routers=routers, doors=doors), desk)
    try:
        house.open(desk)
        listening.listen(BACKLOG)
        if on_ready is not None:
            reasons = house.staff.crew.reasons
            on_ready(_url(listening), {name: reasons.get(name, "") for name in desk.models})
        with _ending_quietly():
            server.run(sockets=[listening])
        if server.force_exit:
            raise Interrupted(_("stopped at once; requests that were not answered are lost"))
        house.close()
    except BaseException:
        house.abandon()
        raise
    finally:
        journal.close()


def _server(app: Any, desk: Desk) -> uvicorn.Server:
    """uvicorn with our protocol, that drains before it ends."""
    import uvicorn

    from weitiao.serving.wire import Wire

    class Draining(uvicorn.Server):
        """Takes nothing new after the first signal, and ends once all is answered, or at the second.

        It ends too once the last answer was due and its client has had `LAST_WORDS` to take it.
        """

        ends_at = math.inf  # by the monotonic clock

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
            """A signal came."""
            if desk.draining:
                self.should_exit = self.force_exit = True
            desk.draining = True
            self.ends_at = min(self.ends_at, time.monotonic() + desk.limits.deadline + LAST_WORDS)

        async def on_tick(self, counter: int) -> bool:
            """Whether to end: once told so, and nothing is left to be answered."""
            if desk.draining and (not self.server_state.tasks or time.monotonic() > self.ends_at):
                self.should_exit = True
            return await super().on_tick(counter)

    config = uvicorn.Config(
        app, log_level="critical", server_header=False, http=Wire, ws="none", lifespan="off",
        h11_max_incomplete_event_size=desk.limits.head_bytes, timeout_graceful_shutdown=LAST_WORDS, backlog=BACKLOG,
        proxy_headers=False,
    )  # fmt: skip
    return Draining(config)


def _url(listening: socket.socket) -> str:
    shown, bound = listening.getsockname()[:2]
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{bound}"


def _refuse_open_door(listening: socket.socket, options: ServerOptions) -> None:
    """Others than this machine need a key, unless the user says otherwise.

    Raises:
        Refused: they would not.
    """
    address = ipaddress.ip_address(listening.getsockname()[0])
    if not address.is_loopback and options.keys is None and not options.no_keys:
        message = _(
            "{host} can be reached by other machines, and no key would be asked for; make keys with "
            "`weitiao keys add FILE NAME` and give --keys FILE, or say --no-keys"
        )
        raise Refused(message.format(host=options.host))


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


def _listen(host: str, port: int) -> socket.socket:
    """A socket with its address, taken before the models are loaded, so that a used port is told at once.

    It listens only once they are: until then connections are refused, and do not hang.
    """
    try:
        if not 0 <= port <= HIGHEST_PORT:
            raise OSError(_("ports go from 0 to {highest}").format(highest=HIGHEST_PORT))
        family, kind, number, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, number)
        try:
            if os.name == "posix":  # an ended server's port is free again at once; elsewhere it would mean sharing it
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it: what is sent in
            bound.bind(address)  # parts would wait for the client's delayed acknowledgement, some 40 ms
        except OSError:
            bound.close()
            raise
        return bound
    except OSError as error:
        reason = _("no such host") if isinstance(error, socket.gaierror) else system_reason(error)
        raise Refused(
            _("cannot listen on {host}:{port} ({reason}); choose another --port").format(
                host=host, port=port, reason=reason
            )
        ) from error
