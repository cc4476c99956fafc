"""Answering a long file by the workers of a cluster: Ray Data reads it in parts, each of which any worker answers.

A part is what a plain run answers at a time, and is answered by the same code, so the rows are the same. Ray Data keeps
the parts in order, reads no further ahead than the workers need, and gives a part whose worker was lost to another.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

from weitiao.errors import Failed
from weitiao.messages import _
from weitiao.verbs.clusters.post import Post
from weitiao.verbs.clusters.session import RETRIES, Cluster, lost, session
from weitiao.verbs.predicting.asked import Answered, Answerer, Asked


def answered_on(cluster: Cluster, asked: Asked) -> Generator[Answered, None, None]:
    """The answered rows of a source, in order.

    Args:
        asked: workers find the run and the source where the driver does.
    """
    asked = replace(asked, folder=asked.folder.absolute())
    with session(cluster):
        import ray

        try:
            for row in _dataset(cluster, asked).iter_rows():
                yield pickle.loads(row["part"])
        except ray.exceptions.RayError as error:
            raise lost(error) from error


def _dataset(cluster: Cluster, asked: Asked) -> Any:
    """One row of bytes a part: read without a CPU of its own, so that the workers have them all."""
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # bytes: each part is a block
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    post = ray.remote(num_cpus=0)(Post).remote()
    parts = ray.data.read_datasource(_parts(asked), override_num_blocks=1, num_cpus=0)
    return parts.map_batches(
        Worker,
        fn_constructor_args=(asked, os.getcwd(), cluster.threads(), cluster.workers, post),  # noqa: PTH109
        batch_size=1,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=cluster.workers),
        num_cpus=1,
    )


def _parts(asked: Asked) -> Any:
    """The source, as Ray Data reads it: by one task, in the order of its rows."""
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    class Parts(Datasource):  # type: ignore[misc]
        def estimate_inmemory_data_size(self) -> None:
            return None

        def get_read_tasks(self, *_arguments: Any, **_options: Any) -> list[Any]:
            here = os.getcwd()  # noqa: PTH109
            return [ReadTask(lambda: _blocks(asked, here), BlockMetadata(None, None, None, None))]

    return Parts()


def _blocks(asked: Asked, here: str) -> Iterator[Any]:
    os.chdir(here)  # the source is named from there, in messages too
    for part in asked.chunks():
        yield _block(part)


def _block(part: Any) -> Any:
    import pyarrow  # type: ignore[import-untyped]

    return pyarrow.table({"part": [pickle.dumps(part)]})


class Worker:
    """Answers parts, in a process of its own.

    Ray Data replaces a lost worker without end; a part that ends every worker, such as by its memory, is given up.
    """

    def __init__(self, asked: Asked, here: str, threads: int, workers: int, post: Any) -> None:
        import ray
        import torch

        os.chdir(here)
        torch.set_num_threads(threads)
        self.lost = ray.get(post.start.remote()) - workers
        self.answerer = Answerer(asked)

    def __call__(self, table: Any) -> Any:
        if self.lost > RETRIES:
            raise Failed(_("workers were lost {count} times").format(count=self.lost))
        return _block(self.answerer(pickle.loads(table["part"][0].as_py())))
