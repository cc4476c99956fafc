"""A queue and the stations that answer from it, one thread each: one version of the models, from its start to its end.

A station that dies takes down what it was being asked and nothing else: it is started again, and the queue waits for it
unless it is the last one and cannot be started.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from weitiao.errors import Failed, WeitiaoError
from weitiao.messages import _
from weitiao.records import Prediction
from weitiao.serving.crew.pieces import Piece, Question, Ticket, Turned
from weitiao.serving.crew.stations import Fault, Lost, Station
from weitiao.serving.crew.waiting import AGAIN, Bounds, Waiting, nobody
from weitiao.serving.crew.worker import described

FIRST_PAUSE, LONGEST_PAUSE = (
    0.5,
    30.0,
)  # seconds between attempts to start a station again; each is twice the one before


class Watcher(Protocol):
    """Told what the stations do."""

    def batch(self, model: str, records: int, tokens: int, seconds: float) -> None:
        """A batch was answered."""
        ...

    def fault(self, kind: str, detail: str) -> None:
        """A station died (`worker`), could not be started (`start`), or failed on a batch (`internal`)."""
        ...


class Unwatched:
    """Nobody is told."""

    def batch(self, model: str, records: int, tokens: int, seconds: float) -> None:
        """Nothing is done."""

    def fault(self, kind: str, detail: str) -> None:
        """Nothing is done."""


class Crew:
    """Answers requests by its stations until it retires."""

    def __init__(self, stations: Sequence[Station], watcher: Watcher, bounds: Bounds | None = None) -> None:
        self.stations = stations
        self.waiting = Waiting(bounds or Bounds(), 0)
        self._watcher = watcher
        self.reasons: Mapping[str, str] = {}  # model -> why its engine is the one that answers
        self._up: set[int] = set()  # places of stations
        self._moving = threading.Lock()  # held while one comes or goes
        self._lanes = [
            threading.Thread(target=self._work, args=(place,), daemon=True) for place in range(len(stations))
        ]

    def start(self) -> None:
        """Start every station, side by side; none is left behind where one cannot be.

        Raises:
            Refused: a model cannot be loaded.
            Failed: a worker ended while it was loading.
        """
        try:
            with ThreadPoolExecutor(len(self.stations)) as pool:
                said = list(pool.map(lambda station: station.start(), self.stations))
            self.reasons = said[0]  # all stations load the same
        except Exception as error:
            for station in self.stations:
                station.stop()
            if isinstance(error, Lost):
                raise Failed(_("a worker ended while it loaded the models")) from error
            raise
        for place in range(len(self.stations)):
            self._stand(place, up=True)
        for lane in self._lanes:
            lane.start()

    @property
    def up(self) -> int:
        """Stations that could be asked now."""
        return len(self._up)

    def submit(self, model: str, questions: Sequence[Question], timeout: float) -> Future[list[Prediction]]:
        """Queue a request.

        Args:
            model: name of the model.
            questions: at least one.
            timeout: seconds in which the answer is wanted.

        Raises:
            Turned: it is not let in.
            Closed: the crew retires.
        """
        ticket, due = Ticket(len(questions)), time.monotonic() + timeout
        pieces = [Piece.of(model, question, ticket, place, due) for place, question in enumerate(questions)]
        self.waiting.admit(pieces)
        return ticket.future

    def retire(self) -> None:
        """Answer what waits, then end the stations; returns at once."""
        self.waiting.close()

    def join(self, timeout: float | None = None) -> None:
        """Wait until all is answered and the stations have ended."""
        for lane in self._lanes:
            lane.join(timeout)

    def abandon(self) -> None:
        """End the stations at once; what waits is not answered."""
        self.waiting.close()
        self.waiting.fail(Turned(503, _("the server was stopped"), AGAIN, "stopped"))
        for station in self.stations:
            station.kill()

    def _work(self, place: int) -> None:
        station = self.stations[place]
        while (batch := self.waiting.take()) is not None:
            if not station.alive():
                self.waiting.back(batch)
                if not self._start_again(place):
                    break
            elif batch:
                self._answer(station, batch)
        self._stand(place, up=False)
        station.stop()

    def _stand(self, place: int, *, up: bool) -> None:
        with self._moving:
            (self._up.add if up else self._up.discard)(place)
            self.waiting.stations = len(self._up)

    def _start_again(self, place: int) -> bool:
        """Whether the station is up again: it is tried until it is, after the crew has retired only once."""
        self._stand(place, up=False)
        self._watcher.fault("worker", "")
        pause = FIRST_PAUSE
        while not self._started(place):
            if not self.up:
                self.waiting.fail(nobody())
            if self.waiting.closed:
                return False
            self.waiting.rest(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._stand(place, up=True)
        return True

    def _started(self, place: int) -> bool:
        try:
            self.stations[place].start()
        except Exception as error:  # of the system too, such as no memory for another process
            self._watcher.fault("start", _told(error))
            return False
        return True

    def _answer(self, station: Station, batch: Sequence[Piece]) -> None:
        began = time.monotonic()
        try:
            answers = station.answer(batch[0].model, [piece.question for piece in batch])
        except Lost:
            self._end(batch, Turned(503, _("the worker that had the request has died; send it again"), AGAIN, "worker"))
            return
        except Exception as fault:
            self._answer_alone(station, batch, fault)
            return
        seconds = time.monotonic() - began
        self.waiting.answered(batch, seconds)
        for piece, answer in zip(batch, answers, strict=True):
            piece.ticket.settle(piece.place, answer)
        self._watcher.batch(batch[0].model, len(batch), sum(piece.tokens for piece in batch), seconds)

    def _answer_alone(self, station: Station, batch: Sequence[Piece], fault: Exception) -> None:
        """After a fault in a batch: each piece by itself, so that only the one at fault ends without an answer."""
        if len(batch) == 1:
            self._watcher.fault("internal", _told(fault))
            self._end(
                batch, Turned(503, _("the request met a fault of the server, which is logged"), AGAIN, "internal")
            )
            return
        for place, piece in enumerate(batch):
            if not station.alive():
                self.waiting.back(batch[place:])
                return
            self._answer(station, [piece])

    def _end(self, batch: Sequence[Piece], reason: Exception) -> None:
        self.waiting.answered(batch, None)
        for piece in batch:
            piece.ticket.fail(reason)


def _told(error: Exception) -> str:
    """What the log may have of it: our own sentences, and no text or path that another one may quote."""
    return str(error) if isinstance(error, WeitiaoError | Fault) else described(error)
