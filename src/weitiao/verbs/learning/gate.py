"""The gate: whether a run that went on may be served in the place of the one it went on from.

Both answer the same rows, and the difference of the task's headline metric is resampled in pairs. It holds where
- on held-out new rows the interval of the difference lies above zero;
- on the old dev rows its lower end lies above minus the margin: shown to be no worse, not merely not shown to be worse,
  on rows enough that to see no loss among them means something (the "rule of three" of Hanley and Lippman-Hand 1983: a
  loss in 3 of as many others may be hidden);
- on the new rows, where answers are single labels of two or more kinds, the interval of Matthews' correlation lies
  above zero. A model that does not know the new classes is always wrong about them, so that even one that learnt
  shuffled labels is better; its answers then have nothing to do with the labels, and this is what tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from weitiao.evaluation.intervals import HIDDEN, Resampling, Score, difference, interval
from weitiao.messages import _, ngettext
from weitiao.metrics import value_of
from weitiao.recipe import EvaluationSpec
from weitiao.tasks import Task

MARGIN = 0.01
FEWEST = 10  # new rows; the resamples of fewer say too little
ASSOCIATION = "mcc"


class Measured(BaseModel):
    """Two models on the same rows, in the headline metric."""

    model_config = ConfigDict(frozen=True)

    rows: int
    units: int = Field(description="rows that are drawn apart: groups count once")
    served: float = Field(description="of the model that is served")
    learnt: float = Field(description="of the one that went on")
    difference: Score = Field(description="learnt minus served, with the interval of the paired bootstrap")


class Gate(BaseModel):
    """The figures, and what follows from them."""

    model_config = ConfigDict(frozen=True)

    metric: str
    margin: float
    confidence: float
    old: Measured = Field(description="on the dev rows of the served run")
    new: Measured = Field(description="on held-out new rows")
    association: Score | None = Field(description="Matthews' correlation of answers and labels on the new rows")
    reasons: tuple[str, ...] = Field(description="why it does not hold; empty where it does")

    @property
    def holds(self) -> bool:
        """Whether the run may be promoted."""
        return not self.reasons


class Answered(BaseModel):
    """Rows, and what both models say of them."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    records: Sequence[Any]
    served: Sequence[Any]
    learnt: Sequence[Any]


def judge(
    task: Task[Any, Any],
    labels: Sequence[str],
    *,
    old: Answered,
    new: Answered,
    spec: EvaluationSpec,
    margin: float = MARGIN,
) -> Gate:
    """Compare both models and say whether the gate holds; an answer that a model cannot give counts as wrong.

    Args:
        labels: of the run that went on, which knows all those of the other.
    """
    metric = task.metrics(labels)[0]
    on_old, on_new = (_measured(metric, each, spec) for each in (old, new))
    association = _association(task, labels, new, spec)
    reasons = []
    if few := few_new(on_new.rows):
        reasons.append(few)
    if not on_new.difference.low > 0:
        message = _("it is not shown to be better on the new rows ({metric} {gap})")
        reasons.append(message.format(metric=metric.name, gap=on_new.difference.shown("+")))
    if not on_old.difference.low > -margin:
        message = _("it is not shown to lose less than {margin:g} on the old rows ({metric} {gap})")
        reasons.append(message.format(margin=margin, metric=metric.name, gap=on_old.difference.shown("+")))
    elif not on_old.difference.low > 0 and (few := few_old(on_old.units, margin)):
        reasons.append(few)
    if association is not None and not association.low > 0:
        message = _(
            "its answers to the new rows are not shown to have more to do with the labels than chance ({name} {score})"
        )
        reasons.append(message.format(name=ASSOCIATION, score=association.shown("+")))
    return Gate(
        metric=metric.name, margin=margin, confidence=spec.confidence, old=on_old, new=on_new, association=association,
        reasons=tuple(reasons),
    )  # fmt: skip


def few_new(rows: int) -> str:
    """Why so many held-out new rows say too little; empty where they do not."""
    if rows >= FEWEST:
        return ""
    return ngettext(
        "only {rows} new row is held out, and fewer than {fewest} say too little",
        "only {rows} new rows are held out, and fewer than {fewest} say too little",
        rows,
    ).format(rows=rows, fewest=FEWEST)


def few_old(units: int, margin: float) -> str:
    """Why so many old rows cannot show that no more than the margin is lost; empty where they can, and without one."""
    needed = math.ceil(HIDDEN / margin - 1e-9) if margin else 0
    if units >= needed:
        return ""
    message = _(
        "{rows} old rows cannot show that less than {margin:g} is lost, even where no answer changes; at least "
        "{needed} could, or a wider margin"
    )
    return message.format(rows=f"{units:,}", margin=margin, needed=f"{needed:,}")


def unguarded() -> str:
    """What is to be said where no association was measured."""
    return _(
        "nothing would show it if the labels of the new rows were shuffled, for that takes single labels of two or "
        "more kinds among them; look at some of these rows before this run is served"
    )


def _measured(metric: Any, answered: Answered, spec: EvaluationSpec) -> Measured:
    records, resampling = answered.records, _resampling(answered.records, spec)
    return Measured(
        rows=len(records),
        units=len(set(resampling.units)) if resampling.units else len(records),
        served=value_of(metric, answered.served, records),
        learnt=value_of(metric, answered.learnt, records),
        difference=difference(metric, answered.learnt, answered.served, records, resampling),
    )


def _association(task: Task[Any, Any], labels: Sequence[str], new: Answered, spec: EvaluationSpec) -> Score | None:
    """Of the run that went on, on the new rows; None where there is nothing to associate."""
    metric = next((each for each in task.metrics(labels) if each.name == ASSOCIATION), None)
    if metric is None or len({task.answer(record) for record in new.records}) < 2:
        return None
    return interval(metric, new.learnt, new.records, _resampling(new.records, spec))


def _resampling(records: Sequence[Any], spec: EvaluationSpec) -> Resampling:
    groups = [record.group for record in records]
    units = [group or str(row) for row, group in enumerate(groups)] if any(groups) else None
    return Resampling(spec.resamples, spec.confidence, units=units)
