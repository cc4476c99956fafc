"""Training on the workers of a cluster: Ray Train starts them as one process group, and each runs the plain loop.

The driver has looked at everything and claimed the run folder, which all workers share; they go on with it as
`weitiao train --resume` would. So does the group that replaces one of which a worker was lost: from the newest
checkpoint, to the same bytes. Events come back, and the wish to stop goes out, through an actor between them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder
from weitiao.errors import Failed, Interrupted, Refused, StorageFull, WeitiaoError
from weitiao.messages import _
from weitiao.verbs.clusters.session import RETRIES, Cluster, lost, session
from weitiao.verbs.preflight import beside

if TYPE_CHECKING:
    from weitiao.verbs.fitting import OnEvent

OWN = ".ray"  # folder in the run's, for the few files that Ray Train insists to write
EVERY = 0.2  # seconds between two looks at what the workers have told
TOGETHER = 10.0  # seconds that all workers may take to leave by the same error; one alone ends the others
KINDS = (Interrupted, StorageFull, Refused, Failed, WeitiaoError)  # what an error of a worker is raised as, here


class Post:
    """What workers and driver leave for each other; an actor, so that it outlives a worker.

    Attributes:
        stopping: whether the driver asks to stop.
        reason: why the workers left early: the kind of error and its sentence.
        left: how many of them did.
        starts: groups of workers so far.
    """

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._stopping = False
        self._reason: tuple[type[WeitiaoError], str] | None = None
        self._left = 0
        self._starts = 0

    def tell(self, event: dict[str, Any]) -> None:
        self._events.append(event)

    def take(self) -> list[dict[str, Any]]:
        """Events since the last time."""
        taken, self._events = self._events, []
        return taken

    def stop(self) -> None:
        self._stopping = True

    def stopping(self) -> bool:
        return self._stopping

    def start(self) -> int:
        """A group begins; which one it is, from 1."""
        self._starts += 1
        return self._starts

    def leave(self, kind: type[WeitiaoError], sentence: str) -> None:
        self._reason = self._reason or (kind, sentence)
        self._left += 1

    def left(self) -> int:
        return self._left

    def reason(self) -> tuple[type[WeitiaoError], str] | None:
        return self._reason


class Line:
    """A worker's end of the post; while it trains, nothing of it waits."""

    def __init__(self, post: Any) -> None:
        self.post = post
        self._asked: Any = None
        self._stopping = False

    def tell(self, event: Mapping[str, Any]) -> None:
        """An event; problems and phases before the model were told by the driver."""
        if event["kind"] != "problems":
            self.post.tell.remote(dict(event))

    def stop(self) -> bool:
        """Whether the driver asked to stop, as far as the answer to the last question tells."""
        import ray

        if self._asked is None:
            self._asked = self.post.stopping.remote()
        elif ray.wait([self._asked], timeout=0)[0]:
            self._stopping = self._stopping or ray.get(self._asked)
            self._asked = None
        return self._stopping

    def all_left(self, workers: int) -> bool:
        """Whether every worker has left for a reason, waiting `TOGETHER` for it."""
        import ray

        deadline = time.monotonic() + TOGETHER
        while (left := ray.get(self.post.left.remote())) < workers and time.monotonic() < deadline:
            time.sleep(EVERY)
        return bool(left >= workers)


def fit_on(cluster: Cluster, folder: RunFolder, data: Any, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Finish the run in `folder` on the cluster's workers.

    Args:
        data: rows in Python, where the run is trained on such.
        stop: whether a signal asks to leave.

    Raises:
        Interrupted: `stop` asked for it.
        WeitiaoError: what a worker raised.
    """
    on_event({"kind": "phase", "text": _("starting {count} Ray workers").format(count=cluster.workers)})
    with session(cluster):
        import ray

        post = ray.remote(num_cpus=0)(Post).remote()
        told = {"folder": str(folder.path.absolute()), "data": data, "post": post, "threads": cluster.threads()}
        told["workers"] = cluster.workers
        fitting = beside(_trainer(cluster, folder, told).fit)
        try:
            _accompany(fitting, post, on_event, stop)
            reason = ray.get(post.reason.remote())
        except ray.exceptions.RayError as error:
            raise lost(error, _("training")) from error
        finally:
            shutil.rmtree(folder.path / OWN, ignore_errors=True)
    if reason is not None:
        kind, text = reason
        raise kind(text)
    if error := fitting.exception():
        raise lost(error, _("training")) from error


def _trainer(cluster: Cluster, folder: RunFolder, told: Mapping[str, Any]) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    from weitiao.training.processes import LONGEST_WAIT

    return TorchTrainer(
        work,
        train_loop_config=dict(told),
        torch_config=TorchConfig(backend="gloo", timeout_s=int(LONGEST_WAIT / timedelta(seconds=1))),
        scaling_config=ScalingConfig(num_workers=cluster.workers, resources_per_worker={"CPU": 1}),
        run_config=RunConfig(
            name="train",
            storage_path=str(folder.path.absolute() / OWN),
            failure_config=FailureConfig(max_failures=RETRIES),
        ),
    )


def _accompany(fitting: Future[Any], post: Any, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Until the workers are done: pass on what they tell, and tell them once to stop."""
    import ray

    asked = False
    while True:
        done = bool(wait([fitting], EVERY).done)
        for event in ray.get(post.take.remote()):
            on_event(event)
        if done:
            return
        if stop() and not asked:
            asked = True
            post.stop.remote()


def work(told: Mapping[str, Any]) -> None:
    """What each worker does; Ray Train has told it its place in the group by the environment, as torchrun would.

    An error is left at the post and ends the group; the next one, which Ray Train starts, finds it and does nothing.
    """
    import ray
    import torch

    from weitiao.verbs.train import go_on, is_main

    line = Line(told["post"])
    if ray.get(line.post.reason.remote()) is not None:
        return
    if is_main():
        _say_whether_again(line)
    torch.set_num_threads(told["threads"])
    try:
        go_on(RunFolder(Path(told["folder"])), told["data"], line.tell, line.stop)
    except WeitiaoError as error:
        kind = next(kind for kind in KINDS if isinstance(error, kind))
        line.post.leave.remote(kind, str(error))
        if not line.all_left(told["workers"]):
            raise  # the others wait for this one, and are ended with it


def _say_whether_again(line: Line) -> None:
    import ray

    start = ray.get(line.post.start.remote())
    if start > 1:
        text = _("a worker was lost; going on from the newest checkpoint (retry {retry} of {retries})")
        line.tell({"kind": "note", "text": text.format(retry=start - 1, retries=RETRIES)})
