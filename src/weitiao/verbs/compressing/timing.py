"""How fast two models answer the same texts, measured in turn, so that what else the machine does falls on both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from weitiao.compression.ladder import Speed
from weitiao.records import Record

if TYPE_CHECKING:
    from weitiao.serving.predictor import Predictor

WARM = 8  # texts that are answered before anything is measured
ALONE = 64  # texts that are asked one at a time in a round


@dataclass(slots=True)
class Clocked:
    """What was measured of one model."""

    latencies: list[float] = field(default_factory=list)  # seconds of one text alone
    seconds: list[float] = field(default_factory=list)  # of all texts at once, one a round
    texts: int = 0

    def measure(self, predictor: Predictor, records: Sequence[Record]) -> None:
        """One round."""
        for record in records[:ALONE]:
            start = time.perf_counter()
            predictor.answer([record])
            self.latencies.append(time.perf_counter() - start)
        start = time.perf_counter()
        predictor.answer(records)
        self.seconds.append(time.perf_counter() - start)
        self.texts = len(records)

    def add(self, other: Clocked) -> None:
        """Take in what was measured of the same model at another time."""
        self.latencies += other.latencies
        self.seconds += other.seconds
        self.texts = other.texts

    def speed(self) -> Speed:
        """The medians."""
        p50, p95 = (1000 * float(each) for each in np.percentile(self.latencies, [50, 95]))
        return Speed(p50=p50, p95=p95, texts_per_second=self.texts / statistics.median(self.seconds))


def in_turn(one: Predictor, other: Predictor, records: Sequence[Record], rounds: int) -> tuple[Clocked, Clocked]:
    """Both models on the same texts, round by round; which goes first changes from round to round."""
    clocks = (Clocked(), Clocked())
    both = list(zip((one, other), clocks, strict=True))
    for predictor, _clock in both:
        predictor.answer(records[:WARM])
    for number in range(rounds):
        for predictor, clock in both if number % 2 == 0 else both[::-1]:
            clock.measure(predictor, records)
    return clocks


def times(fast: Clocked, slow: Clocked) -> float:
    """How many times the texts a second: the median over the rounds."""
    return statistics.median(a / b for a, b in zip(slow.seconds, fast.seconds, strict=True))
