"""The learning curve: scores of models that were trained on growing shares of the rows, and what more rows would give.

Every model answers the same rows, and each resample draws the same of them, so that differences between sizes are
paired. The error is fitted by a power law, a + b n^-c (Cortes et al. 1993, section 2): least squares under a, b >= 0,
its exponent from a grid. What the law says beyond the last size is an extrapolation.

Notation: P sizes, S seeds, R resamples, E exponents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from weitiao.evaluation.intervals import Score, between, over_seeds
from weitiao.evaluation.schema import Part
from weitiao.evaluation.titles import metric_title, split_title
from weitiao.messages import _, ngettext
from weitiao.metrics import direction
from weitiao.records import FloatArray

FEWEST = 4  # sizes from which there is a law: through three, its three numbers go nearly always
EXPONENTS = np.linspace(0.02, 2.0, 199)  # [E]; Hestness et al. 2017 measured 0.07 to 0.35
DRAWN = 61  # points of the fitted line in charts
ENOUGH = 100  # scored rows, below which the 95 % interval of a share reaches 10 points to each side: 1.96 sqrt(1/4n)


class SizePoint(Part):
    """What models of one size scored."""

    rows: int = Field(description="training rows, on average over the seeds")
    share: float = Field(description="of all training rows")
    seeds: dict[str, float] = Field(description="score of each seed")
    score: Score = Field(description="their mean; the interval is over seeds and scored rows")


class PowerLaw(Part):
    """error = a + b n^-c."""

    a: float = Field(description="the error that no number of rows takes away")
    b: float
    c: float = Field(description="how fast the error falls with the rows n")

    def error(self, rows: FloatArray) -> FloatArray:
        """The error at so many rows."""
        return self.a + self.b * np.asarray(rows, dtype=np.float64) ** -self.c


class LearningCurve(Part):
    """How much data is enough."""

    weitiao: str
    name: str = Field(description="of the folder")
    task: str
    model: str
    method: str
    metric: str
    split: str = Field(description="the rows that every model answered")
    scored_rows: int
    least_rows: int = Field(description="training rows that a size other than the last has at least")
    confidence: float
    points: list[SizePoint] = Field(description="by growing size")
    law: PowerLaw | None = Field(description="null with fewer than four sizes; b is 0 where the score does not rise")
    fits: bool = Field(description="whether the law goes through the interval of every size")
    doubled: Score | None = Field(
        description="what twice the rows would add to the score, by the law; null where it does not fit"
    )
    sentences: list[str] = Field(description="what the curve says")

    def line(self) -> list[tuple[float, float]]:
        """(rows, score) along the law, from the smallest size to twice the largest; empty where there is none."""
        if self.law is None:
            return []
        rows = np.geomspace(self.points[0].rows, 2 * self.points[-1].rows, DRAWN)
        return list(zip(rows.tolist(), from_error(self.law.error(rows), self.metric).tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Measured:
    """What the models of one size scored.

    Args:
        rows: training rows of each seed's model.
        share: of all training rows.
        values: seed -> score.
        draws: [S, R], the score of each resample of the scored rows.
    """

    rows: Sequence[int]
    share: float
    values: dict[str, float]
    draws: FloatArray


@dataclass(frozen=True, slots=True)
class Asked:
    """What was trained and scored: fields of `LearningCurve` of the same names."""

    weitiao: str
    name: str
    task: str
    model: str
    method: str
    metric: str
    split: str
    scored_rows: int
    least_rows: int
    confidence: float
    seed: int


def learning_curve(asked: Asked, measured: Sequence[Measured]) -> LearningCurve:
    """The curve through sizes, smallest first."""
    drawn = np.stack(  # [P, R]; seeds of one number are no pairs: each size's models have seen rows of their own
        [over_seeds(each.draws, asked.seed + number) for number, each in enumerate(measured)]
    )
    points = [
        SizePoint(
            rows=round(float(np.mean(each.rows))),
            share=each.share,
            seeds=each.values,
            score=between(float(np.mean(list(each.values.values()))), row, asked.confidence),
        )
        for each, row in zip(measured, drawn, strict=True)
    ]
    rows = np.array([each.rows for each in points], dtype=np.float64)  # [P]
    means = np.array([each.score.value for each in points])  # [P]
    law, doubled = None, None
    if len(points) >= FEWEST:
        found = fit_power_law(rows, to_error(means, asked.metric)[None])
        law = PowerLaw(**{name: float(value[0]) for name, value in found.items()})
        gains = _doubling(fit_power_law(rows, to_error(drawn.T, asked.metric)), rows[-1])  # [R]
        gain = float(_doubling(found, rows[-1])[0])
        doubled = between(direction(asked.metric) * gain, direction(asked.metric) * gains, asked.confidence)
    fits = law is not None and _goes_through(law, points, asked.metric)
    facts = {name: getattr(asked, name) for name in LearningCurve.model_fields if hasattr(asked, name)}
    made = LearningCurve(**facts, points=points, law=law, fits=fits, doubled=doubled if fits else None, sentences=[])
    return made.model_copy(update={"sentences": sentences(made)})


def to_error(scores: FloatArray, metric: str) -> FloatArray:
    """What is left to the best score, 1; a metric of which less is better is an error itself."""
    return scores if direction(metric) < 0 else 1 - scores


def from_error(errors: FloatArray, metric: str) -> FloatArray:
    """The other way round."""
    return to_error(errors, metric)


def fit_power_law(rows: FloatArray, errors: FloatArray) -> dict[str, FloatArray]:
    """The law of least squares through the errors at each size.

    Args:
        rows: [P], ascending.
        errors: [R, P], of R curves.

    Returns:
        `a`, `b` and `c`, each [R].
    """
    last = rows[-1]
    best: dict[str, FloatArray] = {name: np.zeros(len(errors)) for name in "abc"}
    least = np.full(len(errors), np.inf)
    for exponent in EXPONENTS:
        x = (rows / last) ** -exponent  # [P], 1 at the last size
        a, b = _nonnegative(x, errors)
        squares = ((a[:, None] + b[:, None] * x - errors) ** 2).sum(1)  # [R]
        better = squares < least
        least = np.where(better, squares, least)
        for name, value in (("a", a), ("b", b * last**exponent), ("c", np.full_like(a, exponent))):
            best[name] = np.where(better, value, best[name])
    return best


def _nonnegative(x: FloatArray, errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least squares of errors [R, P] = a + b x under a, b >= 0: ([R], [R])."""
    spread = x - x.mean()
    b = errors @ spread / (spread @ spread)
    a = errors.mean(1) - b * x.mean()
    through_zero = errors @ x / (x @ x)
    b = np.where(a < 0, through_zero, b)
    a = np.maximum(a, 0.0)
    flat = b < 0
    return np.where(flat, errors.mean(1), a), np.where(flat, 0.0, b)


def _doubling(law: dict[str, FloatArray], rows: float) -> FloatArray:
    """How much of the error twice the rows take away, [R]."""
    gain: FloatArray = law["b"] * rows ** -law["c"] * (1 - 2.0 ** -law["c"])
    return gain


def _goes_through(law: PowerLaw, points: Sequence[SizePoint], metric: str) -> bool:
    told = from_error(law.error(np.array([each.rows for each in points])), metric)
    return all(each.score.low <= value <= each.score.high for each, value in zip(points, told, strict=True))


def sentences(curve: LearningCurve) -> list[str]:
    """What the curve says, and what it does not."""
    first, last = curve.points[0], curve.points[-1]
    words = _("from {few} to {many} training rows, {metric} on {split} goes from {low} to {high}")
    said = [
        words.format(
            few=f"{first.rows:,}", many=f"{last.rows:,}", metric=metric_title(curve.metric),
            split=split_title(curve.split), low=first.score.shown(), high=last.score.shown(),
        )
    ]  # fmt: skip
    few = [few_scored(curve.scored_rows)] if curve.scored_rows < ENOUGH else []
    return [*said, _outlook(curve, last), *few]


def few_scored(rows: int) -> str:
    """What is said of a score on fewer rows than `ENOUGH`."""
    words = ngettext(
        "{rows} row to score is few: below {enough} a share is known to within 10 points at best",
        "{rows} rows to score are few: below {enough} a share is known to within 10 points at best",
        rows,
    )
    return words.format(rows=rows, enough=ENOUGH)


def _outlook(curve: LearningCurve, last: SizePoint) -> str:
    if curve.law is None:
        return _no_law(curve, last)
    if not curve.fits:
        return _("the power law does not go through every interval, so nothing is said of more rows than there are")
    if curve.law.b == 0:
        return _("the score does not rise with the rows, so more rows of this kind are not shown to help")
    assert curve.doubled is not None
    words = _("twice the labels ({rows} rows) would give about {gain}: an extrapolation by {law}, not a measurement")
    law = f"{curve.law.a:.3f} + {curve.law.b:.3g} n^-{curve.law.c:.2f}"
    return words.format(rows=f"{2 * last.rows:,}", gain=curve.doubled.shown("+"), law=law)


def _no_law(curve: LearningCurve, last: SizePoint) -> str:
    """Why there are too few sizes: so many were asked for, or the rows make no more."""
    needed = curve.least_rows * 2 ** (FEWEST - 1)
    if last.rows >= needed:
        return _("no law is fitted through fewer than {count} sizes; ask for more points").format(count=FEWEST)
    words = _(
        "no law is fitted through fewer than {count} sizes, and {rows} training rows make no more: the smallest is to "
        "have {least}, so {needed} are needed; label more"
    )
    return words.format(count=FEWEST, rows=f"{last.rows:,}", least=curve.least_rows, needed=needed)
