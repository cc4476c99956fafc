"""The workers of a search on a cluster: each runs the worker of `weitiao tune` on the same study, in a Ray task.

The study lies in a folder that all of them see. Ray starts the task of a lost worker again, and it finds the trial that
was in hand then, as any worker would.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from weitiao.errors import Interrupted
from weitiao.messages import _
from weitiao.verbs.clusters.post import EVERY, Line, Post
from weitiao.verbs.clusters.session import RETRIES, Cluster, sentence, session
from weitiao.verbs.searching.workers import work


def search_on(cluster: Cluster, folder: Path, tell: Callable[[], None], stop: Callable[[], bool]) -> list[str]:
    """Work on a study until its budget is used up or all workers have left; why some ended early, if they did.

    Args:
        folder: of the study, which `weitiao tune` began.
        tell: called again and again, to say which trials have ended.
        stop: whether a signal asks to leave.
    """
    with session(cluster):
        import ray

        post = ray.remote(num_cpus=0)(Post).remote()
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(work_on)
        tasks = [task.remote(str(folder.absolute()), post, cluster.threads()) for _worker in range(cluster.workers)]
        waiting, asked = tasks, False
        while waiting:
            _done, waiting = ray.wait(waiting, num_returns=len(waiting), timeout=EVERY)
            tell()
            if stop() and not asked:
                asked = True
                post.stop.remote()
        tell()
        text = _("worker {number} ended: {reason}")
        reasons = [(number, _why(task)) for number, task in enumerate(tasks)]
        return [text.format(number=number, reason=reason) for number, reason in reasons if reason]


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
