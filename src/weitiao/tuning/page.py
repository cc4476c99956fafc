"""`tune.html`: a search as one self-contained page, made as the report of a run is."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from weitiao.evaluation import charts
from weitiao.evaluation.page import NO_SHARES, environment
from weitiao.evaluation.titles import metric_title
from weitiao.messages import _, current_language
from weitiao.tuning.result import TrialResult, TuneResult
from weitiao.tuning.space import Choices, Dimension, Number, Space


@dataclass(frozen=True, slots=True)
class Slice:
    """The scores of all trials along one parameter."""

    name: str
    chart: Markup


def render_page(result: TuneResult, space: Space) -> str:
    """The whole page as HTML."""
    scored = [trial for trial in result.trials if trial.score is not None]
    template = environment("weitiao.tuning").get_template("tune.html.j2")
    return template.render(
        result=result,
        lang=current_language().replace("_", "-"),
        best=result.trial(result.best),
        front=[result.trial(number) for number in result.front],
        title=metric_title(result.metric),
        states=state_titles(),
        costs=cost_titles(),
        history=_history(scored, result),
        slices=[made for each in space.all() if (made := _slice(each, scored, result.metric)) is not None],
        importance=charts.share_bars(list(result.importance.items()), _("Importance")) if result.importance else None,
        sentence=result.standing(),
        shown=shown,
    )


def state_titles() -> dict[str, str]:
    """What became of a trial."""
    return {
        "complete": _("measured"),
        "pruned": _("pruned"),
        "impossible": _("impossible"),
        "failed": _("failed"),
        "lost": _("lost, and done again"),
    }


def cost_titles() -> dict[str, str]:
    """What may be weighed against the score."""
    return {
        "ms_per_text": _("ms a text"),
        "model_bytes": _("model, bytes"),
        "trained_parameters": _("trained parameters"),
    }


def shown(value: object) -> str:
    """A value of the recipe."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _history(scored: Sequence[TrialResult], result: TuneResult) -> Markup:
    points = [(float(trial.number), trial.score or 0.0, _hover(trial)) for trial in scored]
    best = itertools.accumulate((y for _x, y, _name in points), max if result.higher else min)
    last = int(points[-1][0])
    step = max(1, math.ceil(last / 8))
    axis = charts.Axis([(float(number), str(number)) for number in range(0, last + 1, step)])
    line = [(x, y) for (x, _y, _name), y in zip(points, best, strict=True)]
    return charts.scatter(points, axis, _("Score by trial"), line=line, percent=result.metric not in NO_SHARES)


def _slice(dimension: Dimension, scored: Sequence[TrialResult], metric: str) -> Slice | None:
    """Scores along a parameter; None where fewer than two trials have it."""
    having = [trial for trial in scored if dimension.name in trial.parameters]
    if len(having) < 2:
        return None
    axis, places = _along(dimension, having)
    points = [(places[trial.number], trial.score or 0.0, _hover(trial)) for trial in having]
    chart = charts.scatter(points, axis, dimension.name, percent=metric not in NO_SHARES)
    return Slice(dimension.name, chart)


def _along(dimension: Dimension, having: Sequence[TrialResult]) -> tuple[charts.Axis, dict[int, float]]:
    """The axis of a parameter, and the place of each trial on it."""
    domain = dimension.domain
    if isinstance(domain, Choices):
        labels = [option.label for option in domain.options]
        ticks = [(float(place), str(label)) for place, label in enumerate(labels)]
        return charts.Axis(ticks), {
            each.number: float(labels.index(each.parameters[dimension.name])) for each in having
        }
    values = {each.number: float(domain.value(each.parameters[dimension.name])) for each in having}
    log = domain.log and min(values.values()) > 0
    ends = [domain.low, domain.high] if isinstance(domain, Number) else [min(values.values()), max(values.values())]
    middle = math.sqrt(ends[0] * ends[1]) if log else sum(ends) / 2
    return charts.Axis([(value, f"{value:.3g}") for value in (ends[0], middle, ends[1])], log), values


def _hover(trial: TrialResult) -> str:
    changes = ", ".join(f"{key}={shown(value)}" for key, value in trial.changes.items())
    return f"{trial.number}: {trial.score:.4f}; {changes}"
