"""What passes between the driver and its workers: events and errors one way, the wish to stop the other.

A `Post` is an actor of its own, so that it outlives the workers; each of them holds a `Line` to it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from weitiao.errors import WeitiaoError

EVERY = 0.2  # seconds between two looks at the post
TOGETHER = 10.0  # seconds that all workers may take to leave by the same error; one alone ends the others


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
        """A group (or a worker that stands alone) begins; which one it is, from 1."""
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
