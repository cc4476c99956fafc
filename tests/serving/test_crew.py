"""The queue and the crew, without models: what goes together, what is refused, and who fails with whom."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weitiao.errors import Refused
from weitiao.records import ClassifyPrediction, ClassifyRecord, Feature, Prediction
from weitiao.serving.crew.crew import Crew, Unwatched
from weitiao.serving.crew.pieces import Closed, Piece, Question, Ticket, Turned
from weitiao.serving.crew.stations import Fault, Loading, Lost, Worker
from weitiao.serving.crew.waiting import Bounds, Waiting, batch_of
from weitiao.serving.house import House
from weitiao.serving.meters import Meters
from weitiao.serving.promotion import PROMOTED
from weitiao.serving.staff import Hiring


def question(length: int, text: str = "a") -> Question:
    return Question(ClassifyRecord(text=text), [Feature(np.zeros(length, dtype=np.int32))])


def piece(length: int, due: float = 1e9, model: str = "m") -> Piece:
    return Piece.of(model, question(length), Ticket(1), 0, due)


def test_what_is_due_first_goes_first_with_those_of_its_length() -> None:
    waiting = [piece(100, 5), piece(10, 1), piece(98, 4), piece(11, 3), piece(10, 2, "other"), piece(90, 9)]
    assert [each.length for each in batch_of(waiting, 2048)] == [10, 11]
    assert [each.length for each in batch_of(waiting[:1] + waiting[2:3] + waiting[5:], 2048)] == [98, 100, 90]


@pytest.mark.parametrize("budget", [64, 500, 2048])
def test_a_batch_keeps_its_tokens_and_its_padding(budget: int) -> None:
    waiting = [piece(length, due) for due, length in enumerate(np.random.default_rng(3).integers(1, 64, 200).tolist())]
    while waiting:
        batch = batch_of(waiting, budget)
        padded = len(batch) * max(each.length for each in batch)
        assert padded <= budget
        assert sum(each.tokens for each in batch) >= 0.75 * padded
        assert min(waiting, key=lambda each: each.due) in batch
        waiting = [each for each in waiting if each not in batch]


def test_one_record_longer_than_a_batch_goes_alone() -> None:
    assert [each.length for each in batch_of([piece(3000), piece(2900)], 2048)] == [3000]


def test_the_queue_is_bounded_and_says_when_to_come_again() -> None:
    waiting = Waiting(Bounds(tokens=100, batch_tokens=64), 1)
    waiting.speed.took(10, 1.0)
    waiting.admit([piece(250)])  # alone it may be longer than the queue
    with pytest.raises(Turned) as turned:
        waiting.admit([piece(10)])
    assert (turned.value.status, turned.value.kind, turned.value.retry_after) == (429, "full", 13)
    with pytest.raises(Turned):
        waiting.check()
    assert (waiting.tokens, waiting.records) == (250, 1)


def test_what_would_be_late_is_refused_by_the_measured_speed() -> None:
    waiting = Waiting(Bounds(), 2)
    waiting.admit([piece(500, time.monotonic() + 0.1)])  # no speed is known yet
    waiting.answered(waiting.take() or [], None)
    waiting.speed.took(100, 1.0)  # of each of two stations
    waiting.admit([piece(500, time.monotonic() + 10)])
    with pytest.raises(Turned, match=r"the answer would take 5\.0 s, and the request allows [34]\.\d s") as turned:
        waiting.admit([piece(500, time.monotonic() + 4)])
    assert (turned.value.status, turned.value.kind, turned.value.retry_after) == (429, "late", 2)


def test_small_batches_do_not_measure_the_speed() -> None:
    waiting = Waiting(Bounds(batch_tokens=100), 1)
    for length, expected in ((20, 0.0), (50, 50.0)):
        waiting.admit([piece(length)])
        waiting.answered(waiting.take() or [], 1.0)
        assert waiting.pace == expected


class Fake:
    """A station that answers with the length of the text, and does as the text says."""

    def __init__(self) -> None:
        self.up = False
        self.faults: list[Exception] = []  # of the next starts
        self.starts = 0
        self.go = threading.Event()
        self.go.set()
        self.batches: list[int] = []

    def start(self) -> dict[str, str]:
        self.starts += 1
        if self.faults:
            raise self.faults.pop(0)
        self.up = True
        return {"m": "it is the only one"}

    def answer(self, model: str, questions: Sequence[Question]) -> list[Prediction]:
        self.go.wait(10)
        texts = [each.record.text for each in questions]  # type: ignore[attr-defined]
        self.batches.append(len(texts))
        if "die" in texts:
            self.up = False
            raise Lost
        if "fault" in texts:
            raise ValueError("fault")
        return [ClassifyPrediction(labels=(), confidence=len(text), scores={}) for text in texts]

    def alive(self) -> bool:
        return self.up

    def stop(self) -> None:
        self.up = False

    def kill(self) -> None:
        self.up = False


def asked(crew: Crew, *texts: str) -> Any:
    return crew.submit("m", [question(5, text) for text in texts], 30)


def values(future: Any) -> list[float]:
    return [each.confidence for each in future.result(10)]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


class Told(Unwatched):
    """Remembers the faults."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []

    def fault(self, kind: str, detail: str) -> None:
        self.faults.append((kind, detail))


@pytest.fixture
def crew() -> Any:
    crew = Crew([Fake()], Unwatched())
    crew.start()
    yield crew
    crew.retire()
    crew.join(10)


def test_answers_come_in_the_order_of_the_request(crew: Crew) -> None:
    assert values(asked(crew, "a", "bbb", "cc")) == [1, 3, 2]


def test_only_the_request_at_fault_fails(crew: Crew) -> None:
    station = crew.stations[0]
    station.go.clear()  # type: ignore[attr-defined]
    first, bad, good = asked(crew, "a"), asked(crew, "fault"), asked(crew, "bb")
    station.go.set()  # type: ignore[attr-defined]
    assert values(first) == [1] and values(good) == [2]
    with pytest.raises(Turned) as turned:
        bad.result(10)
    assert (turned.value.status, turned.value.retry_after) == (503, 1)


def test_a_dead_station_takes_down_what_it_had_and_is_started_again(crew: Crew) -> None:
    with pytest.raises(Turned, match="the worker that had the request has died; send it again"):
        asked(crew, "die").result(10)
    until(lambda: crew.stations[0].starts == 2 and crew.up == 1)  # type: ignore[attr-defined]
    assert values(asked(crew, "a")) == [1]


def test_who_retires_answers_what_waits_and_takes_nothing_more(crew: Crew) -> None:
    station = crew.stations[0]
    station.go.clear()  # type: ignore[attr-defined]
    futures = [asked(crew, "a" * each) for each in range(1, 6)]
    crew.retire()
    with pytest.raises(Closed):
        asked(crew, "a")
    station.go.set()  # type: ignore[attr-defined]
    assert [values(each) for each in futures] == [[1], [2], [3], [4], [5]]
    crew.join(10)
    assert not station.alive()


def test_what_is_overdue_is_not_given_out_but_ended() -> None:
    waiting = Waiting(Bounds(), 1)
    late, good, left = (piece(10, time.monotonic() + each) for each in (0.1, 60, 60))
    for each in (late, good, left):
        waiting.admit([each])
    left.ticket.future.cancel()
    until(lambda: time.monotonic() > late.due)
    assert waiting.take() == [good]
    assert waiting.tokens == 0
    with pytest.raises(Turned, match="the answer was not ready in the time that the request allows") as turned:
        late.ticket.future.result(0)
    assert (turned.value.status, turned.value.kind, turned.value.retry_after) == (503, "overdue", 1)


@pytest.mark.parametrize(
    ("fault", "told"),
    [(Refused("no weights"), "no weights"), (Lost(), "Lost in "), (OSError(12, "/a/path"), "OSError in _started")],
)
def test_a_station_that_cannot_be_started_is_tried_again_and_meanwhile_nobody_waits(
    fault: Exception, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weitiao.serving.crew.crew.FIRST_PAUSE", 0.2)
    station, watcher = Fake(), Told()
    crew = Crew([station], watcher)
    crew.start()
    station.faults = [fault]
    station.go.clear()
    taken = asked(crew, "die")
    until(lambda: crew.waiting.records == 0)
    waits = asked(crew, "a")
    station.go.set()
    for each in (taken, waits):
        with pytest.raises(Turned) as turned:
            each.result(10)
        assert turned.value.status == 503
    with pytest.raises(Turned, match="no worker is up; send the request again"):
        asked(crew, "a")
    until(lambda: crew.up == 1)
    assert values(asked(crew, "a")) == [1]
    assert [kind for kind, _detail in watcher.faults] == ["worker", "start"]
    assert watcher.faults[1][1].startswith(told) and "/a/path" not in watcher.faults[1][1]
    crew.retire()
    crew.join(10)


def test_who_retires_does_not_wait_for_a_station_that_cannot_be_started() -> None:
    station = Fake()
    crew = Crew([station], Unwatched())
    crew.start()
    station.faults = [OSError()] * 100
    station.go.clear()
    asked(crew, "die")
    until(lambda: crew.waiting.records == 0)
    waits = asked(crew, "a")
    crew.retire()
    station.go.set()
    with pytest.raises(Turned, match="no worker is up"):
        waits.result(10)
    crew.join(10)
    assert not any(lane.is_alive() for lane in crew._lanes)
    assert station.starts == 2


def test_a_fault_is_logged_without_what_it_was_about(crew: Crew) -> None:
    crew._watcher = watcher = Told()
    with pytest.raises(Turned):
        asked(crew, "fault").result(10)
    ((kind, detail),) = watcher.faults
    assert kind == "internal" and detail.startswith("ValueError in ")


class Doomed(Worker):
    """A worker whose line breaks as it is asked every third batch, a moment before its process ends."""

    def __init__(self) -> None:
        super().__init__(Loading({}))
        self.batches: list[int] = []

    def answer(self, model: str, questions: Sequence[Question]) -> list[Prediction]:
        self.batches.append(len(questions))
        if len(self.batches) % 3 == 1:
            assert self._line is not None
            with socket.socket(fileno=os.dup(self._line.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        with suppress(Fault):  # it has no model of that name, which it says as long as it lives
            super().answer(model, questions)
        return [ClassifyPrediction(labels=(), confidence=1.0, scores={}) for _each in questions]


def test_a_killed_worker_takes_down_the_batch_it_had_and_no_other() -> None:
    station = Doomed()
    crew = Crew([station], Unwatched(), Bounds(batch_tokens=28 * 5))
    crew.start()
    futures = [asked(crew, *"a" * 28) for _each in range(9)]
    outcomes = Counter(type(each.exception(60)) for each in futures)
    crew.retire()
    crew.join(10)
    assert outcomes == {Turned: 3, type(None): 6}
    assert station.batches == [28] * 9


def test_a_worker_takes_no_code_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)", "utf-8")
    monkeypatch.chdir(tmp_path)
    worker = Worker(Loading({}))
    assert worker.start() == {}
    worker.stop()


def test_a_promotion_that_cannot_be_served_is_told_once(made_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = {"date": "2026-01-01", "action": "promote", "before": ".", "after": "gone", "why": "", "gate": {}}
    (made_run / PROMOTED).write_text(json.dumps({"current": "gone", "history": [change]}), "utf-8")
    meters, told = Meters(), Told()
    monkeypatch.setattr(meters, "fault", told.fault)
    house = House([made_run], Hiring(0, None, 1, "torch"), meters)
    for _second in range(3):
        house._look()
    house.close()
    ((kind, detail),) = told.faults
    assert kind == "promotion" and "the promoted run cannot be served" in detail
