"""Who is told of answered requests: drift and the like, on a thread of their own, so that no request waits for them.

Records and predictions go in as they were answered, those of some moments together: it costs less. Where the observers
are slower than the requests, requests go unobserved and are counted; what an observer raises ends with those requests
and is counted too.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from queue import Full, Queue
from typing import Protocol

from weitiao.records import Prediction, Record

PAUSE = 0.05  # seconds of which the requests are told together
WAITING = 1024  # answered requests that wait to be told; beyond it they go unobserved


class Observer(Protocol):
    """Told of the records of answered requests, and of their answers."""

    def __call__(self, model: str, records: Sequence[Record], predictions: Sequence[Prediction]) -> None: ...


Told = tuple[str, Sequence[Record], Sequence[Prediction]]


class Observers:
    """The observers, and the thread that tells them; it starts with the first request and ends with the process."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self.unobserved = 0
        self.faults = 0
        self._observers = tuple(observers)
        self._waiting: Queue[Told] = Queue(WAITING)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def tell(self, model: str, records: Sequence[Record], predictions: Sequence[Prediction]) -> None:
        """Leave a request for the observers; never waits."""
        if not self._observers:
            return
        try:
            self._waiting.put_nowait((model, records, predictions))
        except Full:
            self.unobserved += 1
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._tell_all, name="observers", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """Wait until all that was left is told."""
        self._waiting.join()

    def _tell_all(self) -> None:
        while True:
            told = [self._waiting.get()]
            time.sleep(PAUSE)
            told += [self._waiting.get_nowait() for _each in range(self._waiting.qsize())]
            for model in dict.fromkeys(name for name, _records, _predictions in told):
                own = [each for each in told if each[0] == model]
                for observer in self._observers:
                    self._tell(observer, own)
            for _each in told:
                self._waiting.task_done()

    def _tell(self, observer: Observer, told: Sequence[Told]) -> None:
        """Requests of one model together; where that fails one by one, so that only the one at fault is lost."""
        try:
            observer(told[0][0], [one for each in told for one in each[1]], [one for each in told for one in each[2]])
        except Exception:
            if len(told) == 1:
                self.faults += 1
                return
            for each in told:
                self._tell(observer, [each])
