"""`weitiao serve`: answer over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from weitiao.cli.adapters import Base
from weitiao.cli.failures import say
from weitiao.cli.marking import N_
from weitiao.errors import Refused
from weitiao.messages import _

ABOUT = N_("Serve a run over HTTP: POST /v1/predict/NAME, GET /health, GET /docs.")


def serve(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help=N_("Run folders to serve, or their adapter/."))],
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help=N_("Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help=N_("Port to listen on."))] = 8000,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", help=N_("Processes that answer; 0: the server's own."))
    ] = 2,
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help=N_("Time for an answer, where a request says none."))
    ] = 30.0,
    keys: Annotated[
        Path | None, typer.Option("--keys", metavar="FILE", help=N_("Ask for an API key; see: weitiao keys."))
    ] = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help=N_("Let other machines ask without a key."))] = False,
    cors: Annotated[
        list[str] | None, typer.Option("--cors", metavar="ORIGIN", help=N_("Origin of pages that may ask."))
    ] = None,
    log: Annotated[
        str, typer.Option("--log", metavar="FILE", help=N_("File of the access log; - for stderr, none for no log."))
    ] = "-",
    log_texts: Annotated[bool, typer.Option("--log-texts", help=N_("Log the texts of requests too."))] = False,
    base: Base = None,
    engine: Annotated[
        str,
        typer.Option("--engine", metavar="NAME", help=N_("torch, onnx, or auto: the fastest that answers the same.")),
    ] = "auto",
    feedback: Annotated[
        str | None,
        typer.Option(
            "--feedback",
            metavar="URL",
            help=N_("Database for corrections: sqlite:///PATH, or postgresql://...; without it none are taken."),
        ),
    ] = None,
) -> None:
    """Load the runs, then answer until stopped."""
    from weitiao.serving.desk import Limits
    from weitiao.serving.engines import Wanted
    from weitiao.serving.server import ServerOptions
    from weitiao.serving.server import serve as serve_runs

    if workers < 0:
        raise Refused(_("--workers: expected 0 or more, got {count}").format(count=workers))
    if not 0 < deadline <= 600:
        raise Refused(_("--deadline: expected seconds up to 600, got {seconds:g}").format(seconds=deadline))
    if engine not in get_args(Wanted):
        names = ", ".join(get_args(Wanted))
        raise Refused(_("--engine: expected one of {names}, got '{got}'").format(names=names, got=engine))
    say(_("loading ..."))
    options = ServerOptions(
        host=host, port=port, workers=workers, keys=keys, no_keys=no_keys, cors=tuple(cors or ()), log=log,
        log_texts=log_texts, limits=Limits(deadline=deadline), base=base, feedback=feedback,
        engine=cast("Wanted", engine),
    )  # fmt: skip
    serve_runs(runs, options, on_ready=_ready)


def _ready(url: str, reasons: Mapping[str, str]) -> None:
    for name, reason in reasons.items():
        if reason:
            say(f"{name}: {reason}")
    message = _("serving {names} at {url} (documentation: {url}/docs); stop with Ctrl+C")
    say(message.format(names=", ".join(reasons), url=url))
