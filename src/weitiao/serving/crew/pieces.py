"""A request on its way: its pieces, one a record, and the ticket that its answers are gathered on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from weitiao.records import Feature, Prediction, Record
from weitiao.tasks import Settings


class Turned(Exception):
    """A request that is not answered now; it may come again.

    Args:
        status: 429 at admission, 503 where it was accepted already or the server ends.
        reason: one sentence.
        retry_after: seconds after which to come again.
        kind: one word, for the metrics.
    """

    def __init__(self, status: int, reason: str, retry_after: int, kind: str) -> None:
        super().__init__(reason)
        self.status, self.retry_after, self.kind = status, retry_after, kind


class Closed(Exception):
    """The queue takes nothing any more, for another version of the models has taken its place."""


@dataclass(frozen=True, slots=True)
class Question:
    """One record as a station is asked it; this crosses to another process.

    Args:
        record: what to answer.
        features: as the task encodes it.
        settings: thresholds and the like in place of the model's own; None for those.
    """

    record: Record
    features: Sequence[Feature]
    settings: Settings | None = None


class Ticket:
    """The answers of a request, in order; done once the last is there, or the first fails."""

    def __init__(self, size: int) -> None:
        self.future: Future[list[Prediction]] = Future()
        self._answers: list[Prediction | None] = [None] * size
        self._open = size
        self._settling = Lock()

    def settle(self, place: int, answer: Prediction) -> None:
        """Take one answer; pieces of a request may be answered by several stations, each another place."""
        with self._settling:
            self._answers[place] = answer
            self._open -= 1
            last = self._open == 0
        if last:
            _deliver(self.future, [each for each in self._answers if each is not None])

    def fail(self, reason: Exception) -> None:
        """End the request without an answer."""
        with suppress(InvalidStateError):
            self.future.set_exception(reason)


def _deliver(future: Future[list[Prediction]], answers: list[Prediction]) -> None:
    with suppress(InvalidStateError):  # another piece has failed, or who asked has left
        future.set_result(answers)


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """One record that waits.

    Args:
        model: by which it is to be answered.
        question: what the station is asked.
        ticket: of its request.
        place: in its request, from 0.
        due: when the answer is wanted, by the monotonic clock.
        tokens: of all its features.
        length: of its longest feature.
    """

    model: str
    question: Question
    ticket: Ticket
    place: int
    due: float
    tokens: int
    length: int

    @classmethod
    def of(cls, model: str, question: Question, ticket: Ticket, place: int, due: float) -> Piece:
        """A piece, measured."""
        lengths = [len(feature) for feature in question.features]
        return cls(model, question, ticket, place, due, sum(lengths), max(lengths))
