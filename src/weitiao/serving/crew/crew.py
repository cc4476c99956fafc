"""A queue and the stations that answer from it, one thread each: one version of the models, from its start to its end.

A station that dies takes down what it was being asked and nothing else: it is started again, and the queue waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from weitiao.errors import Failed, Refused
from weitiao.messages import _
from weitiao.records import Prediction
from weitiao.serving.crew.pieces import Piece, Question, Ticket, Turned
from weitiao.serving.crew.stations import Lost, Station
from weitiao.serving.crew.waiting import Bounds, Waiting

AGAIN = 1  # seconds after which what a dead worker had may be asked again
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
        self.waiting = Waiting(bounds or Bounds(), len(stations))
        self._watcher = watcher
        self.reasons: Mapping[str, str] = {}  # model -> why its engine is the one that answers
        self._up = [False] * len(stations)
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
                self.reasons = next(iter([*pool.map(lambda station: station.start(), self.stations)]))
        except (Refused, Lost) as error:
            for station in self.stations:
                station.stop()
            if isinstance(error, Refused):
                raise
            raise Failed(_("a worker ended while it loaded the models")) from error
        self._up = [True] * len(self.stations)
        for lane in self._lanes:
            lane.start()

    @property
    def up(self) -> int:
        """Stations that could be asked now."""
        return sum(self._up)

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
        self.waiting.abandon(Turned(503, _("the server was stopped"), AGAIN, "stopped"))
        for station in self.stations:
            station.kill()

    def _work(self, place: int) -> None:
        station = self.stations[place]
        while (batch := self.waiting.take()) is not None:
            if not station.alive():
                self.waiting.back(batch)
                self._start_again(place)
            elif batch:
                self._answer(station, batch)
        self._up[place] = False
        station.stop()

    def _start_again(self, place: int) -> None:
        self._up[place], pause = False, FIRST_PAUSE
        self._watcher.fault("worker", "")
        while True:
            try:
                self.stations[place].start()
                break
            except (Lost, Refused) as error:
                self._watcher.fault("start", str(error))
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        self._up[place] = True

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
            self._watcher.fault("internal", str(fault))
            self._end(
                batch, Turned(503, _("the request met a fault of the server, which is logged"), AGAIN, "internal")
            )
            return
        for piece in batch:
            self._answer(station, [piece])

    def _end(self, batch: Sequence[Piece], reason: Exception) -> None:
        self.waiting.answered(batch, None)
        for piece in batch:
            piece.ticket.fail(reason)
