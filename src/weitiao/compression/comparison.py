"""What a step changed: the answers of what it left beside those of what it was made of, on the same labelled rows.

Plain values go in: raw outputs and predictions of both, rows and metric. A `Comparison` comes out, with what speaks
against the step. The rule: an exact step must not change an output by more than its bound; and whatever the step, the
metric may not fall by more than the tolerance, however wide the interval of the difference is. The interval says what
that is worth: it is `proven` where even its lower end lies within the tolerance, on rows enough that to see no
difference among them means something (the "rule of three" of Hanley and Lippman-Hand 1983: 3 / rows may be hidden).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from weitiao.compression.base import StepOptions
from weitiao.evaluation.intervals import HIDDEN, Resampling, Score, difference
from weitiao.evaluation.schema import Part
from weitiao.evaluation.titles import metric_title
from weitiao.messages import _
from weitiao.metrics import AnyMetric, value_of
from weitiao.models.parity import RANKED, largest_difference
from weitiao.records import Outputs, Prediction, Record

ROUNDING = 1e-9  # of a difference of two shares


class Comparison(Part):
    """A step's model beside the one it was made of."""

    rows: int = Field(description="labelled rows that both answered")
    split: str = Field(description="dev, or the file that they are from")
    covered: int = Field(description="rows that an exact step promises to answer as before; all rows of other steps")
    largest: float | None = Field(
        description="largest difference of a raw output on the covered rows; null where outputs have other shapes"
    )
    batched: float = Field(description="largest difference of a raw output between a row asked alone and among others")
    agreement: float | None = Field(
        description="share of rows answered the same; null where answers are numbers or vectors"
    )
    metric: str = Field(description="headline metric")
    before: float = Field(description="its value, of the source")
    after: float = Field(description="its value, of the step's model")
    difference: Score = Field(description="after minus before, paired bootstrap")
    since: Score | None = Field(
        default=None, description="after minus the model that all steps started from; null for the first step"
    )
    total: float | None = Field(
        default=None, description="the differences of this command and of earlier ones, added up; null without earlier"
    )
    confidence: float = Field(description="of the intervals")
    proven: bool = Field(description="whether the intervals, too, are within the tolerance, on rows enough to tell")
    objections: list[str] = Field(description="why it is outside the tolerance; empty where it is within")


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model says of the rows that are compared.

    Args:
        outputs: raw, one list a row.
        predictions: one a row.
        alone: raw outputs of the first rows, each asked by itself.
    """

    outputs: Sequence[Sequence[Outputs]]
    predictions: Sequence[Prediction]
    alone: Sequence[Sequence[Outputs]]

    @property
    def batched(self) -> float:
        """Largest difference of an output between a row asked alone and among others."""
        return max(
            (largest_difference(one, among) for one, among in zip(self.alone, self.outputs, strict=False)), default=0.0
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """On what models are compared.

    Args:
        task: the Task.
        metric: the headline metric.
        records: the labelled rows; at least one.
        split: where they are from.
        resampling: of the intervals.
        tolerance: by how much the metric may fall.
    """

    task: Any
    metric: AnyMetric
    records: Sequence[Record]
    split: str
    resampling: Resampling
    tolerance: float

    def gap(self, after: Sequence[Prediction], before: Sequence[Prediction]) -> Score:
        """The metric of `after` minus that of `before`."""
        return difference(self.metric, after, before, self.records, self.resampling)

    def fell(self, gap: Score) -> bool:
        """Whether the metric fell by more than the tolerance."""
        return self.beyond(gap.value)

    def beyond(self, difference: float) -> bool:
        """Whether a difference is a fall by more than the tolerance."""
        return difference < -self.tolerance - ROUNDING


def compared(
    ground: Ground,
    before: Answered,
    after: Answered,
    options: StepOptions,
    *,
    covered: Sequence[bool],
    first: Answered | None = None,
    earlier: float = 0.0,
) -> Comparison:
    """The comparison of a step, judged.

    Args:
        before: of the step's source.
        after: of what the step wrote.
        covered: rows that an exact step promises.
        first: of the model that all steps started from, where that is another.
        earlier: by how much the metric changed in earlier commands.
    """
    promised = [row for row, inside in enumerate(covered) if inside]
    apart = [largest(before.outputs[row], after.outputs[row]) for row in promised]
    known = [each for each in apart if each is not None]
    gap = ground.gap(after.predictions, before.predictions)
    since = None if first is None else ground.gap(after.predictions, first.predictions)
    gaps = [each for each in (gap, since) if each is not None]
    total = earlier + gaps[-1].value
    worst = max(known) if known and len(known) == len(apart) else None
    return Comparison(
        rows=len(ground.records),
        split=ground.split,
        covered=len(promised),
        largest=worst,
        batched=after.batched,
        agreement=agreement(ground, before.predictions, after.predictions),
        metric=ground.metric.name,
        before=value_of(ground.metric, before.predictions, ground.records),
        after=value_of(ground.metric, after.predictions, ground.records),
        difference=gap,
        since=since,
        total=total if earlier else None,
        confidence=ground.resampling.confidence,
        proven=all(each.low + min(earlier, 0.0) >= -ground.tolerance for each in gaps)
        and ground.tolerance * len(ground.records) >= HIDDEN,
        objections=[*_inexact(options, worst, bool(promised)), *_fallen(ground, gap, since, total)],
    )


def largest(first: Sequence[Outputs], second: Sequence[Outputs]) -> float | None:
    """Largest difference of an output of one row; None where the two are of different shapes."""
    if len(first) != len(second):
        return None
    worst = 0.0
    for one, other in zip(first, second, strict=True):
        if _shapes(one) != _shapes(other):
            return None
        worst = max([worst, largest_difference([one], [other])])
    return worst


def _shapes(outputs: Outputs) -> dict[str, tuple[int, ...]]:
    """Of each output; of ranked candidates, which are filled up, without their number."""
    return {name: each.shape[1:] if name in RANKED else each.shape for name, each in outputs.items()}


def agreement(ground: Ground, before: Sequence[Prediction], after: Sequence[Prediction]) -> float | None:
    """Share of rows answered the same, probabilities aside; None where answers are not right or wrong."""
    if ground.task.right(before[0], ground.records[0]) is None:
        return None
    same = [decided(one) == decided(other) for one, other in zip(before, after, strict=True)]
    return same.count(True) / len(same)


def decided(prediction: Prediction) -> Any:
    """An answer without its probabilities."""
    return _without_floats(prediction.model_dump())


def _without_floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_floats(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_floats(each) for each in value]
    return None if isinstance(value, float) else value


def _inexact(options: StepOptions, worst: float | None, promised: bool) -> list[str]:
    """What an exact step promised and did not keep."""
    if not options.exact or not promised or (worst is not None and worst <= options.bound):
        return []
    if worst is None:
        return [_("its outputs have other shapes than those of its source, though the step promises the same answers")]
    return [
        _("an output differs by {worst}, and the step promises the same answers within {bound}").format(
            worst=f"{worst:.2g}", bound=f"{options.bound:g}"
        )
    ]


def _fallen(ground: Ground, gap: Score, since: Score | None, total: float) -> Iterator[str]:
    """How far the metric fell beyond the tolerance, in this step and in all together."""
    if ground.beyond(total) and not any(ground.fell(each) for each in (gap, since) if each is not None):
        sentence = _(
            "{metric} differs by {gap} with the steps of earlier commands added up; it may fall by {tolerance} at most"
        )
        name = metric_title(ground.metric.name)
        yield sentence.format(metric=name, gap=f"{total:+.3f}", tolerance=f"{ground.tolerance:.3g}")
    for each, when in ((gap, ""), (since, _(" since the first step"))):
        if each is None or not ground.fell(each) or (each is since and since == gap):
            continue
        sentence = _("{metric} on {rows} rows of {split} differs by {gap}{when}; it may fall by {tolerance} at most")
        told = sentence.format(
            metric=metric_title(ground.metric.name), rows=f"{len(ground.records):,}", split=ground.split,
            gap=each.shown("+"), when=when, tolerance=f"{ground.tolerance:.3g}",
        )  # fmt: skip
        yield told + (_(" (the interval holds zero: on so few rows it may be chance)") if each.high >= 0 else "")
