"""Over-fitted, under-fitted or fine: rules over the curves of training, each with its figures and what to change.

The metric is the one that chose the checkpoint, or the headline where the dev loss (or another of which less is better)
did. Noise is one standard error of it, sqrt(m (1 - m) / rows): a smaller change is no change. With label smoothing, the
least loss there is counts as 0.

    over-fitted    dev-fell         the dev metric ended more than the noise below its best while the training loss fell
                   dev-loss-rose    the dev loss ended 20 % above its lowest and at twice the training loss
                   rows-learnt      no-gain or below-baseline, though the training loss ended below 20 % of guessing's
    under-fitted   no-gain          the score is not above the majority baseline's, by the paired interval
                   below-baseline   the score is below the best cheap baseline's, by the paired interval
                   learnt-little    the training loss ended above 80 % of that of guessing, ln(classes)
                   still-improving  the last evaluation is the best, by more than the noise
    fine           settled          none of these; settled-at-best: and the last evaluation is as good as the best
                   in-one-go        none of these, and no steps were taken that could have a course
    unknown        too-few          no two evaluations on dev to compare

Over-fitting is looked for first; the best checkpoint on dev is what a run keeps, so it costs time more than score. A
poor score of a model that knows its training rows is no under-fitting either: longer training would not mend it. Of
no-gain and below-baseline the head may be the cause: a stock head begins with layers that pretraining never saw (a
pooler that many checkpoints lack, RoBERTa's dense layer), and then the changes begin with `model.head=mean`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from weitiao.evaluation.intervals import Score
from weitiao.evaluation.schema import Change, Curves, DevPoint, Finding, Verdict
from weitiao.evaluation.titles import baseline_title, metric_title
from weitiao.messages import _

ROSE = 1.2  # dev loss against its lowest
GAP = 2.0  # dev loss against training loss
LITTLE = 0.8  # training loss against that of guessing
LEARNT = 0.2  # and from which the training rows are known
POOR = frozenset({"no-gain", "below-baseline"})  # findings about the score itself


@dataclass(frozen=True, slots=True)
class Course:
    """What a verdict is made from.

    Args:
        curves: of training.
        metric: the dev metric to read, higher is better: the one that chose the checkpoint, unless the loss did.
        dev_rows: rows of dev.
        classes: labels of which one is right; 0 where guessing has no such loss (multi-label).
        method: name of the method.
        over_majority: the score minus the majority baseline's; None where it was not measured.
        over_baseline: the same of the best of the other baselines.
        baseline: its name.
        head: kind of the model's head; empty where it is not known.
        chosen_by_loss: whether the lowest dev loss chose the checkpoint.
        chosen_by: the metric whose lowest value chose the checkpoint, where that is neither `metric` nor the loss.
        label_smoothing: share of each target that was spread over all classes.
        own_loss: whether the training loss is the head's own, as the dev loss is, and not that of another objective.
    """

    curves: Curves
    metric: str
    dev_rows: int
    classes: int
    method: str
    over_majority: Score | None = None
    over_baseline: Score | None = None
    baseline: str = ""
    head: str = ""
    chosen_by_loss: bool = False
    chosen_by: str = ""
    label_smoothing: float = 0.0
    own_loss: bool = True


def judge(course: Course) -> Verdict:
    """The verdict on a run's training."""
    points = [point for point in course.curves.dev if course.metric in point.metrics]
    over = _found(OVER, course, points)
    if over:
        return Verdict(kind="over-fitted", findings=over, changes=_less(points, course.metric))
    under = _found(UNDER, course, points)
    learnt = _rows_learnt(course, points)
    if under and learnt is not None and all(finding.code in POOR for finding in under):
        changes = [*_other_head(course, under), Change(key="model.dropout", value="0.2")]
        return Verdict(kind="over-fitted", findings=[*under, learnt], changes=changes)
    if under:
        return Verdict(kind="under-fitted", findings=under, changes=_more(points, course, under))
    if _without_steps(course.curves):
        return Verdict(kind="fine", findings=[Finding(code="in-one-go", figures={})], changes=[])
    if len(points) < 2:
        return Verdict(
            kind="unknown", findings=[Finding(code="too-few", figures={"evaluations": len(points)})], changes=[]
        )
    return Verdict(kind="fine", findings=[_settled(course, points)], changes=[])


def _without_steps(curves: Curves) -> bool:
    """Whether there was no step that could have a loss, a rate or an epoch."""
    return not curves.train and curves.learning_rate is None and not any(point.epoch for point in curves.dev)


Rule = Callable[[Course, Sequence[DevPoint]], Finding | None]


def _found(rules: Sequence[Rule], course: Course, points: Sequence[DevPoint]) -> list[Finding]:
    return [finding for rule in rules if (finding := rule(course, points)) is not None]


def _best(points: Sequence[DevPoint], metric: str) -> DevPoint:
    """The first of the best evaluations."""
    return max(points, key=lambda point: point.metrics[metric])


def noise(value: float, rows: int) -> float:
    """One standard error of a share measured on so many rows."""
    return math.sqrt(max(value * (1 - value), 0) / rows) if rows else 0.0


def _dev_fell(course: Course, points: Sequence[DevPoint]) -> Finding | None:
    if len(points) < 2:
        return None
    best, last = _best(points, course.metric), points[-1]
    top, end = best.metrics[course.metric], last.metrics[course.metric]
    if top - end <= noise(top, course.dev_rows) or not _falling(best.train_loss, last.train_loss):
        return None
    figures: dict[str, float | str] = {
        "metric": course.metric,
        "best": top,
        "best_epoch": best.epoch,
        "last": end,
        "last_epoch": last.epoch,
    }
    if course.chosen_by:
        return Finding(code="dev-fell-other-chose", figures={**figures, "chosen_by": course.chosen_by})
    return Finding(code="dev-fell-loss-chose" if course.chosen_by_loss else "dev-fell", figures=figures)


def _falling(before: float | None, after: float | None) -> bool:
    """Whether a loss went down; an unknown loss does not speak against it."""
    return before is None or after is None or after < before


def _dev_loss_rose(course: Course, points: Sequence[DevPoint]) -> Finding | None:
    losses = [(point.metrics["loss"], point.epoch) for point in points if "loss" in point.metrics]
    if len(losses) < 2 or points[-1].train_loss is None or not course.own_loss:
        return None
    (lowest, epoch), (end, _last_epoch), train = min(losses), losses[-1], points[-1].train_loss
    if end < ROSE * lowest or end < GAP * train:
        return None
    return Finding(
        code="dev-loss-rose", figures={"lowest": lowest, "lowest_epoch": epoch, "last": end, "train_loss": train}
    )


def _no_gain(course: Course, points: Sequence[DevPoint]) -> Finding | None:  # noqa: ARG001 - one signature for all rules
    gain = course.over_majority
    if gain is None or gain.low > 0:
        return None
    return Finding(code="no-gain", figures={"gain": gain.value, "low": gain.low, "high": gain.high})


def _below_baseline(course: Course, points: Sequence[DevPoint]) -> Finding | None:  # noqa: ARG001 - one signature for all rules
    gap = course.over_baseline
    if gap is None or gap.high >= 0:
        return None
    figures: dict[str, float | str] = {"gap": gap.value, "low": gap.low, "high": gap.high}
    return Finding(code="below-baseline", figures={"baseline": course.baseline, **figures})


def _learnt_little(course: Course, points: Sequence[DevPoint]) -> Finding | None:
    share = _share_of_guessing(course, points)
    if share is None or share <= LITTLE:
        return None
    return Finding(code="learnt-little", figures=_losses(course, points))


def _rows_learnt(course: Course, points: Sequence[DevPoint]) -> Finding | None:
    share = _share_of_guessing(course, points)
    if share is None or share > LEARNT:
        return None
    return Finding(code="rows-learnt", figures=_losses(course, points))


def _share_of_guessing(course: Course, points: Sequence[DevPoint]) -> float | None:
    """The last training loss where guessing is 1 and a perfect answer 0; None where it cannot be told."""
    loss = points[-1].train_loss if points else None
    if loss is None or course.classes < 2 or not course.own_loss:
        return None
    least = least_loss(course.label_smoothing, course.classes)
    return (loss - least) / (math.log(course.classes) - least)


def _losses(course: Course, points: Sequence[DevPoint]) -> dict[str, float | str]:
    return {"train_loss": points[-1].train_loss or 0.0, "guessing": math.log(course.classes)}


def least_loss(smoothing: float, classes: int) -> float:
    """Cross-entropy of a perfect answer to smoothed targets: their entropy (Szegedy et al. 2016, section 7)."""
    if not smoothing:
        return 0.0
    other = smoothing / classes
    right = 1 - smoothing + other
    return -right * math.log(right) - (classes - 1) * other * math.log(other)


def _still_improving(course: Course, points: Sequence[DevPoint]) -> Finding | None:
    if len(points) < 2:
        return None
    last, before = points[-1].metrics[course.metric], max(point.metrics[course.metric] for point in points[:-1])
    if last - before <= noise(last, course.dev_rows):
        return None
    return Finding(
        code="still-improving",
        figures={"metric": course.metric, "before": before, "last": last, "last_epoch": points[-1].epoch},
    )


OVER: Sequence[Rule] = (_dev_fell, _dev_loss_rose)
UNDER: Sequence[Rule] = (_no_gain, _below_baseline, _learnt_little, _still_improving)


def _settled(course: Course, points: Sequence[DevPoint]) -> Finding:
    best, last = _best(points, course.metric), points[-1].metrics[course.metric]
    value = best.metrics[course.metric]
    figures: dict[str, float | str] = {
        "metric": course.metric,
        "best": value,
        "best_epoch": best.epoch,
        "last": last,
        "noise": noise(value, course.dev_rows),
    }
    at_best = _number_of("last", last) == _number_of("best", value)
    return Finding(code="settled-at-best" if at_best else "settled", figures=figures)


def _less(points: Sequence[DevPoint], metric: str) -> list[Change]:
    epochs = _number(_best(points, metric).epoch)
    return [
        Change(key="training.epochs", value=epochs),
        Change(key="training.patience", value="2"),
        Change(key="model.dropout", value="0.2"),
    ]


def _more(points: Sequence[DevPoint], course: Course, found: Sequence[Finding]) -> list[Change]:
    changes = _other_head(course, found)
    if points and points[-1].epoch:  # of a method without steps there is no more of them
        changes.append(Change(key="training.epochs", value=_number(2 * points[-1].epoch)))
    if course.curves.learning_rate:
        changes.append(Change(key="training.learning_rate", value=f"{2 * course.curves.learning_rate:.2g}"))
    if course.method != "full":
        changes.append(Change(key="method", value="full"))
    return changes


def _other_head(course: Course, found: Sequence[Finding]) -> list[Change]:
    """Of a poor score a stock head may be the cause."""
    poor = course.head == "stock" and any(finding.code in POOR for finding in found)
    return [Change(key="model.head", value="mean")] if poor else []


def _number(value: float) -> str:
    return f"{value:.3g}"


def headline(verdict: Verdict) -> str:
    """The verdict in a word or two, in the language in force."""
    words = {
        "over-fitted": _("Over-fitted"),
        "under-fitted": _("Under-fitted"),
        "fine": _("Fine"),
        "unknown": _("Cannot be told"),
    }
    return words[verdict.kind]


def explain(finding: Finding) -> str:
    """A finding as one sentence with its figures, in the language in force."""
    sentences = {
        "dev-fell": _(
            "On dev, {metric} fell from {best} (epoch {best_epoch}) to {last} (epoch {last_epoch}) while the training "
            "loss went on falling; the best checkpoint was kept."
        ),
        "dev-fell-loss-chose": _(
            "On dev, {metric} fell from {best} (epoch {best_epoch}) to {last} (epoch {last_epoch}) while the training "
            "loss went on falling; the checkpoint with the lowest dev loss was kept."
        ),
        "dev-fell-other-chose": _(
            "On dev, {metric} fell from {best} (epoch {best_epoch}) to {last} (epoch {last_epoch}) while the training "
            "loss went on falling; the checkpoint with the best {chosen_by} was kept."
        ),
        "dev-loss-rose": _(
            "The dev loss rose from {lowest} (epoch {lowest_epoch}) to {last}, while the training loss ended at "
            "{train_loss}: the model grows surer than it is right."
        ),
        "no-gain": _(
            "The score is not above that of always giving the commonest answer: difference {gain}, "
            "interval {low} to {high}."
        ),
        "below-baseline": _(
            "The score is below that of {baseline}, a cheap baseline: difference {gap}, interval {low} to {high}."
        ),
        "rows-learnt": _(
            "The training loss ended at {train_loss}, and guessing gives {guessing}: the training rows were learnt, so "
            "longer training is no help; more rows are, or a model that suits them better."
        ),
        "learnt-little": _("The training loss ended at {train_loss}; guessing gives {guessing}."),
        "still-improving": _(
            "On dev, {metric} was still rising when training stopped: {before} before, {last} at epoch {last_epoch}."
        ),
        "settled": _(
            "On dev, {metric} reached {best} at epoch {best_epoch} and ended at {last}; "
            "changes within {noise} are noise."
        ),
        "settled-at-best": _("On dev, {metric} ended at its best, {best}; changes within {noise} are noise."),
        "in-one-go": _("It was settled in one go, so there is no course of training to judge."),
        "too-few": _("Evaluations on dev while training: {evaluations}; at least two are needed to see a course."),
    }
    return sentences[finding.code].format(**_rounded(finding.figures))


def _rounded(figures: Mapping[str, float | str]) -> dict[str, str]:
    return {key: _title(key, each) if isinstance(each, str) else _number_of(key, each) for key, each in figures.items()}


def _title(key: str, name: str) -> str:
    return baseline_title(name) if key == "baseline" else metric_title(name)


def _number_of(key: str, value: float) -> str:
    """Epochs and counts without trailing zeros; metrics and losses with three decimals."""
    return f"{value:.3g}" if key.endswith(("epoch", "evaluations")) else f"{value:.3f}"
