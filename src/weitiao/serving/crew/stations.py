"""What answers a batch: a predictor in this process, or a worker in a process of its own.

A worker is started as a program, told over a socket what to load, and asked batch after batch. It shares nothing with
the server but the weight files, so it can be killed without harm, and each has Python's lock to itself.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

from weitiao.errors import Refused
from weitiao.records import Prediction
from weitiao.serving.crew.pieces import Question
from weitiao.serving.engines import Wanted
from weitiao.serving.predictor import Predictor

GRACE = 5  # seconds in which a worker ends once it is told to


class Lost(Exception):
    """The worker is gone, and what it was asked with it."""


class Fault(Exception):
    """The worker met a fault and goes on; the text is what `described` says of it."""


class Station(Protocol):
    """Answers batches, one at a time."""

    def start(self) -> Mapping[str, str]:
        """Load the models and answer a text by each; of each why its engine is the one that answers.

        Raises:
            Refused: a model cannot be loaded.
            Lost: the worker ended before it could answer.
        """
        ...

    def answer(self, model: str, questions: Sequence[Question]) -> list[Prediction]:
        """The answers, in order.

        Raises:
            Lost: the worker is gone; `alive` says so from then on.
        """
        ...

    def alive(self) -> bool:
        """Whether it could be asked."""
        ...

    def stop(self) -> None:
        """End it, once it has nothing to answer."""
        ...

    def kill(self) -> None:
        """End it at once, whatever it does."""
        ...


@dataclass(frozen=True, slots=True)
class Loading:
    """What a station is to load.

    Args:
        runs: name -> run folder, or its `model/` or `adapter/` folder.
        base: the pretrained model of the adapters, in place of the one that each names.
        threads: for computing; 0 for as many as there are cores.
        engine: what computes; adapters are always answered by torch.
    """

    runs: Mapping[str, str]
    base: str | None = None
    threads: int = 0
    engine: Wanted = "auto"


def answer(predictor: Predictor, questions: Sequence[Question]) -> list[Prediction]:
    """What a predictor says of records that are encoded already."""
    features = [feature for each in questions for feature in each.features]
    coming = iter(predictor.engine.infer(features))
    return [
        predictor.task.decode(
            each.record,
            each.features,
            [next(coming) for _feature in each.features],
            predictor.labels,
            predictor.settings if each.settings is None else each.settings,
        )
        for each in questions
    ]


class Here:
    """Answers in this process, by predictors that are loaded already."""

    def __init__(self, predictors: Mapping[str, Predictor], reasons: Mapping[str, str] | None = None) -> None:
        self._predictors, self._reasons = predictors, reasons or {}

    def start(self) -> Mapping[str, str]:
        for predictor in self._predictors.values():
            try_out(predictor)
        return self._reasons

    def answer(self, model: str, questions: Sequence[Question]) -> list[Prediction]:
        return answer(self._predictors[model], questions)

    def alive(self) -> bool:
        return True

    def stop(self) -> None:
        """Nothing is to be ended."""

    def kill(self) -> None:
        """Nothing can be ended; the process ends it."""


def try_out(predictor: Predictor) -> None:
    """Have a text answered, if the model reads texts alone: a model that loads but cannot answer is found here."""
    with suppress(ValueError):  # RowFault: it reads more than texts
        record = predictor.record(dict.fromkeys(sorted(predictor.fields or {"text"}), "weitiao 123"))
        predictor.answer([record])


class Worker:
    """Answers in a process of its own."""

    def __init__(self, loading: Loading) -> None:
        self._loading = loading
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Connection | None = None

    @property
    def process(self) -> int | None:
        """Its process id."""
        return self._process.pid if self._process else None

    def start(self) -> Mapping[str, str]:
        self.stop()
        ours, theirs = socket.socketpair()
        self._line = Connection(ours.detach())
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "weitiao.serving.crew.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(self._loading.threads),
                start_new_session=True,  # Ctrl+C ends the server, which ends its workers when they have answered
            )
        said = self._ask(self._loading)
        if isinstance(said, str):
            self.stop()
            raise Refused(said)
        return said  # type: ignore[return-value]

    def answer(self, model: str, questions: Sequence[Question]) -> list[Prediction]:
        said = self._ask((model, questions))
        if isinstance(said, str):
            raise Fault(said)
        return said  # type: ignore[return-value]

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        if self._line is not None:
            self._line.close()  # the worker reads the end of the line and leaves
            self._line = None
        if self._process is not None:
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def kill(self) -> None:
        if (process := self._process) is not None:
            process.kill()

    def _ask(self, question: object) -> object:
        if self._line is None:
            raise Lost
        try:
            self._line.send(question)
            return self._line.recv()
        except (OSError, EOFError) as error:
            self._bury()
            raise Lost from error

    def _bury(self) -> None:
        """See the process ended: its line breaks a moment before, in which `alive` would still say yes."""
        if self._line is not None:
            self._line.close()
            self._line = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def _environment(threads: int) -> dict[str, str]:
    """This process's, with the same modules to be found; threads unless the user has said how many."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if threads:
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait awake would take the server's own core
    return environment
