"""Ray started on this machine, or joined at an address; left as it was found.

It reports nothing to its makers, starts no dashboard, listens on the loopback interface alone where it is ours, and
says nothing of its own: what goes wrong is told in our sentences. Ray is imported here, not before.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from weitiao.errors import Failed, MissingExtra, Refused
from weitiao.events import OnEvent
from weitiao.messages import _
from weitiao.tables import did_you_mean
from weitiao.telemetry import silence

NAMES = ("ray",)
LOCAL = "local"
AUTO = "auto"
ADDRESS = re.compile(r"(?:ray://)?(?:\[(?P<six>[^\]\s]+)\]|(?P<host>[^:/\s]+)):(?P<port>\d{1,5})")
PATIENCE = 5.0  # seconds in which something has to answer at an address; Ray itself would ask on for minutes
LOOPBACK = ("localhost", "127.0.0.1", "::1")
RETRIES = 3  # times that a lost worker is replaced before the work is given up
STORE = 256 * 2**20  # bytes of shared memory of a Ray of our own; only events and parts of files go through it
QUIET = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # its C++ part writes to stderr what it also recovers from
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # Ray Train: a worker stays in its folder
    "RAY_TRAIN_METRICS_ENABLED": "0",  # Ray Train: no gauges, which nothing reads
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # as it will be by default, of which it would warn
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a verb's work is done, if not in this process.

    Args:
        name: what runs the workers; `ray`.
        workers: how many.
        address: `local` starts Ray here for this work alone; else of a running cluster: `auto`, HOST:PORT or
            ray://HOST:PORT.
    """

    name: str = "ray"
    workers: int = 2
    address: str = LOCAL

    def check(self) -> None:
        """See that it can be used at all, before anything is read.

        Raises:
            MissingExtra: Ray is not installed.
            Refused: the name is not known, there is no worker, or nothing answers at the address.
        """
        if self.name not in NAMES:
            raise Refused(
                _("unknown cluster '{name}'; expected one of: {names}{hint}").format(
                    name=self.name, names=", ".join(NAMES), hint=did_you_mean(self.name, NAMES)
                )
            )
        if self.workers < 1:
            raise Refused(_("{count} workers do no work; give at least one").format(count=self.workers))
        if find_spec("ray") is None:
            raise MissingExtra("ray", "ray")
        if self.address not in (LOCAL, AUTO):
            _see_answer(self.address)

    def words(self) -> str:
        """The options of the command line that name it."""
        address = "" if self.address == LOCAL else f" --address {self.address}"
        return f" --cluster {self.name} --workers {self.workers}{address}"

    def threads(self) -> int:
        """Torch threads of one worker: its share of this machine's; on a cluster one, as it takes one CPU there."""
        import torch

        return max(1, torch.get_num_threads() // self.workers) if self.address == LOCAL else 1


def cluster_at(where: Cluster | str | None) -> Cluster | None:
    """The cluster that is meant, by its name too, once it is seen that it can be used.

    Raises:
        MissingExtra, Refused: as `Cluster.check`.
    """
    if where is None:
        return None
    if isinstance(where, str):
        where = Cluster(where)
    if not isinstance(where, Cluster):
        raise Refused(_("`cluster` is {got}; expected a weitiao.Cluster or its name").format(got=repr(where)))
    where.check()
    return where


@contextmanager
def reached(cluster: Cluster | None, on_event: OnEvent) -> Iterator[None]:
    """The cluster, where there is one, for as long as the block lasts; hold it before anything is written."""
    if cluster is None:
        yield
        return
    on_event({"kind": "phase", "text": _("starting {count} Ray workers").format(count=cluster.workers)})
    with session(cluster):
        yield


def _see_answer(address: str) -> None:
    """See that something listens at HOST:PORT or ray://HOST:PORT."""
    matched = ADDRESS.fullmatch(address)
    port = int(matched["port"]) if matched else 0
    if matched is None or not 0 < port < 2**16:
        message = _("'{address}' is no address of a Ray cluster; expected auto, HOST:PORT or ray://HOST:PORT")
        raise Refused(message.format(address=address))
    host = matched["six"] or matched["host"]
    if not _answers(host, port) and not (host in LOOPBACK and _answers(_own_address(), port)):
        raise _no_answer(address)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=PATIENCE):
            return True
    except (OSError, UnicodeError):  # UnicodeError: a name that no host can have
        return False


def _own_address() -> str:
    """This machine's address, which Ray takes for a loopback one."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # of a datagram socket: nothing is sent
        return str(probe.getsockname()[0])
    return "127.0.0.1"


def _no_answer(address: str) -> Refused:
    message = _(
        "{address}: no Ray cluster answers there; see that it runs, and where it asks for a token set "
        "RAY_AUTH_MODE=token"
    )
    return Refused(message.format(address=address))


@contextmanager
def session(cluster: Cluster) -> Iterator[None]:
    """Ray, running: one that this process already uses, else ours for as long as the block lasts.

    Raises:
        Refused: nothing answers at the address, or it has fewer CPUs than workers.
    """
    silence()
    with _environment({**QUIET, **(_loopback() if cluster.address == LOCAL else {})}):
        import ray

        ours = not ray.is_initialized()
        try:
            with _unheard():
                if ours:
                    _start(cluster)
                _see_room(cluster)
                yield
        finally:
            if ours:
                ray.shutdown()


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """With these variables, for Ray here and the processes it starts; those that the user has set stay."""
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(new)
    try:
        yield
    finally:
        for name in new:
            os.environ.pop(name, None)


def _loopback() -> dict[str, str]:
    """What keeps Ray and gloo on the loopback interface."""
    interface = next((name for _number, name in socket.if_nameindex() if name in ("lo", "lo0")), "")
    one_machine = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # Ray's name for it, on any system
    return one_machine | ({"GLOO_SOCKET_IFNAME": interface} if interface else {})


def _start(cluster: Cluster) -> None:
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if cluster.address == LOCAL:
        options |= {"num_cpus": cluster.workers, "object_store_memory": STORE, "include_dashboard": False}
    try:
        with _own_signals(), _stderr_nowhere():
            ray.init(address=cluster.address, **options)
    except ConnectionError as error:
        raise _no_answer(cluster.address) from error
    except Exception as error:  # what Ray raises itself where a part of it is not up within half a minute
        raise Failed(_("Ray did not start ({reason}); try again").format(reason=sentence(error))) from error


def _see_room(cluster: Cluster) -> None:
    """Workers for which there is no CPU would be waited for without end."""
    import ray

    cpus = int(ray.cluster_resources().get("CPU", 0))
    if cpus < cluster.workers:
        message = _("{workers} workers need a CPU each, and the Ray cluster has {cpus}; lower --workers")
        raise Refused(message.format(workers=cluster.workers, cpus=cpus))


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, which `ray.init` replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _stderr_nowhere() -> Iterator[None]:
    """Without what C++ writes to stderr as a process: Ray says there that its log level was set."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def _unheard() -> Iterator[None]:
    """Without what Ray prints about lost workers: it does so on stdout, where a verb's one JSON object stands."""
    from ray._private import worker

    spoken = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *_arguments, **_options: None
    try:
        yield
    finally:
        worker.print_to_stdstream = spoken


def sentence(error: BaseException) -> str:
    """The first line of what went wrong at the root, without Ray's traces."""
    root = error
    while (inner := _inside(root)) is not None:
        root = inner
    text = str(root).strip().splitlines()
    return f"{type(root).__name__}: {text[0]}" if text else type(root).__name__


def _inside(error: BaseException) -> BaseException | None:
    """What an error was raised for: by Ray's tasks and Ray Train's groups, which wrap it, or by Python."""
    failures = getattr(error, "worker_failures", None) or {}
    wrapped = [*failures.values(), getattr(error, "_base_exc", None), getattr(error, "cause", None), error.__cause__]
    return next((each for each in wrapped if isinstance(each, BaseException) and each is not error), None)


def lost(error: BaseException) -> Failed:
    """The error of work that Ray gave up."""
    return Failed(_("a Ray worker failed ({reason})").format(reason=sentence(error)))
