"""The options that give a verb's work to a cluster, and what they mean together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.errors import Refused
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.verbs.clusters.session import Cluster

ClusterName = Annotated[
    str, typer.Option("--cluster", metavar="NAME", help=N_("Work on several workers of a cluster: ray (extra `ray`)."))
]
Workers = Annotated[
    int | None, typer.Option("--workers", metavar="N", help=N_("Workers of the cluster; 2 unless given."))
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        help=N_("A running cluster: auto, HOST:PORT or ray://HOST:PORT; without it, one is started here."),
    ),
]


def cluster_of(name: str, workers: int | None, address: str) -> Cluster | None:
    """The cluster that was asked for, if any.

    Raises:
        Refused: options of a cluster without one.
    """
    if not name:
        if workers is not None or address:
            raise Refused(_("--workers and --address are of a cluster; add --cluster ray"))
        return None
    from weitiao.verbs.clusters.session import Cluster

    given = {"workers": workers, "address": address or None}
    return Cluster(name, **{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
