"""Training on the workers of a cluster: Ray Train starts them as one process group, and each runs the plain loop.

The driver has looked at everything and claimed the run folder, which all workers share; they go on with it as
`weitiao train --resume` would. So does the group that replaces one of which a worker was lost: from the newest
checkpoint, to the same bytes. Events and errors come back by the `Post`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import timedelta
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder
from weitiao.errors import Failed, Interrupted, Refused, StorageFull, WeitiaoError
from weitiao.events import OnEvent
from weitiao.machine import is_main
from weitiao.messages import _
from weitiao.verbs.clusters.post import EVERY, Line, Post
from weitiao.verbs.clusters.session import RETRIES, Cluster, lost, session
from weitiao.verbs.preparing.preflight import beside

OWN = ".ray"  # folder in the run's, for the few files that Ray Train insists to write
KINDS = (Interrupted, StorageFull, Refused, Failed, WeitiaoError)  # what an error of a worker is raised as, here


def fit_on(cluster: Cluster, folder: RunFolder, data: Any, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Finish the run in `folder` on the cluster's workers.

    Args:
        data: rows in Python, where the run is trained on such.
        stop: whether a signal asks to leave.

    Raises:
        Interrupted: `stop` asked for it.
        WeitiaoError: what a worker raised.
    """
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
            raise lost(error) from error
        finally:
            shutil.rmtree(folder.path / OWN, ignore_errors=True)
    if reason is not None:
        kind, text = reason
        raise kind(text)
    if broken := fitting.exception():
        raise lost(broken) from broken


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

    from weitiao.verbs.fitting.whole_run import go_on

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
