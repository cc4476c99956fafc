"""`weitiao serve`: answer over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from weitiao.cli.adapters import Base
from weitiao.cli.failures import say
from weitiao.cli.marking import N_
from weitiao.messages import _

ABOUT = N_("Serve a run over HTTP: POST /v1/predict/NAME, GET /health, GET /docs.")


def serve(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help=N_("Run folders to serve, or their adapter/."))],
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help=N_("Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help=N_("Port to listen on."))] = 8000,
    base: Base = None,
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
    from weitiao.serving.server import serve as serve_runs

    say(_("loading ..."))
    serve_runs(
        runs,
        host=host,
        port=port,
        base=base,
        feedback=feedback,
        on_ready=lambda url, names: say(
            _("serving {names} at {url} (documentation: {url}/docs); stop with Ctrl+C").format(
                names=", ".join(names), url=url
            )
        ),
    )
