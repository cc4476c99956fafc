"""A ladder: one run compressed in several ways, and what each way costs and gives; `ladder.json`.

Speed is told beside the run's own, measured in turn with it: figures of different minutes on a shared machine do not
compare. Which artifacts no other beats in everything (size, speed, score) is the Pareto front.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from weitiao.evaluation.intervals import Score
from weitiao.evaluation.schema import Part

LADDER_FILE, PAGE_FILE = "ladder.json", "ladder.html"
# from exact to coarse; what a task or a model does not allow is left out with its reason
DEFAULT = (
    "onnx",
    "int8",
    "int8:mode=static",
    "vocabulary+onnx",
    "vocabulary+onnx+int8",
    "prune:ffn=0.25,recover=1+int8",
    "distil+onnx",
    "distil+onnx+int8",
    "bits",
    "bits:bits=4",
    "sparsify",
)


class Speed(Part):
    """How fast a model answers."""

    p50: float = Field(description="milliseconds of one text alone, median")
    p95: float = Field(description="... and that which 95 % stay under")
    texts_per_second: float = Field(description="asked for all at once")


class Rung(Part):
    """One artifact of the ladder; the first is the run itself."""

    name: str
    path: str = Field(description="its folder, from that of the ladder; of the run as it was given")
    bytes: int = Field(description="of all files in model/")
    speed: Speed
    beside: Speed | None = Field(description="the run's own, measured in turn with it; null for the run")
    times: float = Field(description="texts a second over the run's, measured in turn")
    score: Score = Field(description="headline metric on the rows that all answered")
    difference: Score | None = Field(description="from the run's score, paired bootstrap; null for the run")
    within: bool = Field(
        description="whether the score fell by no more than the tolerance, and nothing spoke against a step"
    )
    objections: list[str] = Field(
        default_factory=list, description="what spoke against its steps when they were compared, as in compression.json"
    )
    best: bool = Field(default=False, description="whether no other is better in size, speed and score together")


class LeftOut(Part):
    """A way of compressing that could not be gone."""

    name: str
    reason: str


class Ladder(Part):
    """The answer of `weitiao compress RUN --ladder`."""

    weitiao: str
    task: str
    metric: str = Field(description="headline metric")
    split: str = Field(description="rows that all answered: dev, or a file")
    rows: int
    confidence: float
    tolerance: float
    timed: int = Field(description="of these rows, how many were timed")
    rounds: int = Field(description="times that each artifact and the run were measured in turn")
    threads: int = Field(description="that the machine has")
    machine: dict[str, str | list[str]] = Field(description="kind of machine and its instruction sets")
    rungs: list[Rung]
    left_out: list[LeftOut]


def words_of(rung: str) -> list[str]:
    """The steps of a rung as it is written: `distil+int8:mode=static`."""
    return re.split(r"\+(?=[a-z_])", rung)


def folder_name(rung: str) -> str:
    """A rung's name as a folder may be called, and be served."""
    return re.sub(r"[^\w.+=,-]+", "-", rung)


def with_front(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs, those marked that no other beats: at least as good in everything, and better in something."""
    return [each.model_copy(update={"best": not any(beats(other, each) for other in rungs)}) for each in rungs]


def beats(one: Rung, other: Rung) -> bool:
    """Whether `one` is at least as good as `other` in size, speed and score, and better in one of them."""
    pairs: list[tuple[float, float]] = [
        (-one.bytes, -other.bytes),
        (one.times, other.times),
        (one.score.value, other.score.value),
    ]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
