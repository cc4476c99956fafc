"""The workers of a search on a cluster: each runs the worker of `weitiao tune` on the same study, in a Ray task.

The study lies in a folder that all of them see. Ray starts the task of a lost worker again, and it finds the trial that
was in hand then, as any worker would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weitiao.errors import Interrupted
from weitiao.events import OnEvent
from weitiao.messages import _
from weitiao.tuning.study import Study, trials_left
from weitiao.verbs.clusters.post import EVERY, Line, Post
from weitiao.verbs.clusters.session import RETRIES, Cluster, sentence, session
from weitiao.verbs.searching.workers import ended, tell_ended, work


def search_on(cluster: Cluster, study: Study, on_event: OnEvent, stop: Callable[[], bool]) -> None:
    """Work on a study until its budget is used up or all workers have left.

    Args:
        study: which `weitiao tune` began; no more workers are started than it has trials left.
        on_event: told which trials have ended, and why workers ended early, if they did.
        stop: whether a signal asks to leave, which is handed on to the workers once.
    """
    told = ended(study)
    left = trials_left(study.search, study.space, study.trials())
    workers = cluster.workers if left is None else min(cluster.workers, left)
    with session(cluster):
        import ray

        post = ray.remote(num_cpus=0)(Post).remote()
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(work_on)
        asking = (str(study.folder.path.absolute()), post, cluster.threads())
        tasks = [task.remote(*asking) for _worker in range(workers)]
        waiting, asked = tasks, False
        while waiting:
            _done, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=EVERY)
            tell_ended(study, told, on_event)
            if stop() and not asked:
                asked = True
                post.stop.remote()
        tell_ended(study, told, on_event)
        text = _("worker {number} ended: {reason}")
        for number, task in enumerate(tasks):
            if reason := _why(task):
                on_event({"kind": "note", "text": text.format(number=number, reason=reason)})


def work_on(folder: str, post: Any, threads: int) -> None:
    """What each task does."""
    import torch

    torch.set_num_threads(threads)
    try:
        work(folder, stop=Line(post).stop)
    except Interrupted:
        return


def _why(task: Any) -> str:
    """Why a task ended with an error, if it did."""
    import ray

    try:
        ray.get(task)
    except ray.exceptions.RayError as error:
        return sentence(error)
    return ""
