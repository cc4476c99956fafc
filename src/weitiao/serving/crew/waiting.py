"""The queue before the stations: bounded, refusing at the door what it cannot hold or not answer in time.

A batch is the piece that is due first and those of its model that are as long, up to a number of tokens: no more than
a quarter of a batch would be padding. Nothing waits for a batch to fill: under load the queue fills it, and without
load waiting would only cost time.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from weitiao.messages import _
from weitiao.serving.crew.pieces import Closed, Piece, Turned

BATCH_TOKENS = 2048  # as `models.inference`: from there on larger batches are no faster on CPUs
PADDING = 0.25  # of a batch's padded tokens, at most
IDLE = 0.5  # seconds after which a station without work looks after itself
WHOLE = 4  # a batch measures the speed if it has at least a quarter of the tokens that one may have
AGAIN = 1  # seconds after which to come again where only the next moments will show
MEMORY = 0.9  # of what was measured before, that a new batch leaves


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the queue holds.

    Args:
        tokens: that wait, over all requests; a single request may be longer if nothing else waits.
        batch_tokens: padded tokens of a batch.
    """

    tokens: int = 32_768
    batch_tokens: int = BATCH_TOKENS


class Speed:
    """Tokens a second that one station answers, over the last ten or so whole batches; 0 before any."""

    def __init__(self) -> None:
        self._tokens = self._seconds = 0.0

    def took(self, tokens: int, seconds: float) -> None:
        """Take one batch into account."""
        self._tokens = MEMORY * self._tokens + tokens
        self._seconds = MEMORY * self._seconds + seconds

    @property
    def tokens(self) -> float:
        return self._tokens / self._seconds if self._seconds else 0.0


class Waiting:
    """The queue; threads put in and take out.

    Args:
        bounds: what it holds.
        stations: that can be asked; whoever has them says when that changes.
    """

    def __init__(self, bounds: Bounds, stations: int) -> None:
        self.bounds = bounds
        self.speed = Speed()
        self.stations = stations  # that can be asked now
        self._pieces: list[Piece] = []
        self._tokens = 0  # that wait
        self._flying = 0  # that a station has
        self._closed = False
        self._changed = threading.Condition()

    @property
    def tokens(self) -> int:
        """Tokens that wait."""
        return self._tokens

    @property
    def records(self) -> int:
        """Records that wait."""
        return len(self._pieces)

    @property
    def empty(self) -> bool:
        """Whether nothing waits and nothing is being answered."""
        return not self._pieces and not self._flying

    @property
    def closed(self) -> bool:
        """Whether nothing is let in any more."""
        return self._closed

    @property
    def pace(self) -> float:
        """Tokens a second of all stations together; 0 before any was measured."""
        return self.speed.tokens * self.stations

    def delay(self, tokens: int = 0) -> float:
        """Seconds until `tokens` more would be answered, by the measured speed; 0 before any was."""
        return (self._tokens + self._flying + tokens) / self.pace if self.pace else 0.0

    def check(self) -> None:
        """Refuse a request before it is read, if there is no room for any.

        Raises:
            Turned: the queue is full.
        """
        if self._tokens >= self.bounds.tokens:
            raise self._full()

    def admit(self, pieces: Sequence[Piece]) -> None:
        """Let a request in, whole or not at all.

        Raises:
            Turned: there is no room for it, or nobody to answer it, or not in time.
            Closed: nothing is let in any more.
        """
        tokens = sum(piece.tokens for piece in pieces)
        with self._changed:
            if self._closed:
                raise Closed
            if not self.stations:
                raise nobody()
            if self._tokens and self._tokens + tokens > self.bounds.tokens:
                raise self._full()
            delay, allowed = self.delay(tokens), pieces[0].due - time.monotonic()
            if delay > allowed:
                raise self._late(delay, allowed)
            self._pieces += pieces
            self._tokens += tokens
            self._changed.notify(len(pieces))

    def take(self) -> list[Piece] | None:
        """The next batch; an empty one after a while without any; None once the queue is closed and empty.

        What is overdue, or of a request that has ended without it, is not given out but ended.
        """
        with self._changed:
            if not self._pieces and not self._closed:
                self._changed.wait(IDLE)
            self._drop_overdue()
            if not self._pieces:
                return None if self._closed else []
            batch = batch_of(self._pieces, self.bounds.batch_tokens)
            taken = set(map(id, batch))
            self._pieces = [piece for piece in self._pieces if id(piece) not in taken]
            tokens = sum(piece.tokens for piece in batch)
            self._tokens -= tokens
            self._flying += tokens
            return batch

    def back(self, batch: Sequence[Piece]) -> None:
        """Take back a batch that nobody was asked."""
        with self._changed:
            self._pieces += batch
            tokens = sum(piece.tokens for piece in batch)
            self._tokens += tokens
            self._flying -= tokens
            self._changed.notify()

    def answered(self, batch: Sequence[Piece], seconds: float | None) -> None:
        """A batch is out of the station's hands; `seconds` that it took, None if it was lost."""
        tokens = sum(piece.tokens for piece in batch)
        with self._changed:
            self._flying -= tokens
            if seconds is not None and tokens * WHOLE >= self.bounds.batch_tokens:
                self.speed.took(tokens, seconds)

    def close(self) -> None:
        """Let nothing in any more; what waits is still given out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def rest(self, seconds: float) -> None:
        """Wait so long, or until the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)

    def fail(self, reason: Exception) -> None:
        """End what waits without an answer."""
        with self._changed:
            left, self._pieces, self._tokens = self._pieces, [], 0
        for piece in left:
            piece.ticket.fail(reason)

    def _drop_overdue(self) -> None:
        now = time.monotonic()
        over = [piece for piece in self._pieces if piece.due < now or piece.ticket.future.done()]
        if over:
            gone = set(map(id, over))
            self._pieces = [piece for piece in self._pieces if id(piece) not in gone]
            self._tokens -= sum(piece.tokens for piece in over)
        for piece in over:
            piece.ticket.fail(overdue())

    def _full(self) -> Turned:
        after = max(1, math.ceil(self.delay() / 2))
        return Turned(429, _("too many requests are waiting; come again later"), after, "full")

    def _late(self, delay: float, allowed: float) -> Turned:
        after = max(1, math.ceil(delay - allowed))
        reason = _("the answer would take {delay:.1f} s, and the request allows {allowed:.1f} s")
        return Turned(429, reason.format(delay=delay, allowed=max(allowed, 0.0)), after, "late")


def nobody() -> Turned:
    """Why a request is not let in where no station can be asked."""
    return Turned(503, _("no worker is up; send the request again"), AGAIN, "worker")


def overdue() -> Turned:
    """Why a request that was let in ends without its answer at the time by which that was due."""
    return Turned(503, _("the answer was not ready in the time that the request allows"), AGAIN, "overdue")


def batch_of(pieces: Sequence[Piece], batch_tokens: int) -> list[Piece]:
    """The piece that is due first, with others of its model and about its length.

    Args:
        pieces: at least one.
        batch_tokens: padded tokens at most, unless the first piece alone has more.
    """
    first = min(pieces, key=lambda piece: piece.due)
    rest = [piece for piece in pieces if piece.model == first.model and piece is not first]
    rest.sort(key=lambda piece: (abs(piece.length - first.length), piece.due))
    batch, rows, longest, tokens = [first], _rows(first), first.length, first.tokens
    for piece in rest:
        new_rows, new_longest, new_tokens = rows + _rows(piece), max(longest, piece.length), tokens + piece.tokens
        padded = new_rows * new_longest
        if padded > batch_tokens or new_tokens < (1 - PADDING) * padded:
            continue
        batch.append(piece)
        rows, longest, tokens = new_rows, new_longest, new_tokens
    return batch


def _rows(piece: Piece) -> int:
    return len(piece.question.features)
