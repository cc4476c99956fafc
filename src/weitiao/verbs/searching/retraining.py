"""After a search: the winner and the recipe as it is, trained with the same new seeds, and a paired test of the two.

The rows are those that trials were compared on, dev or folds cut anew; the seeds are none that the search used; the
test split is not looked at. The interval is over rows and seeds together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from weitiao.artifact import RunFolder
from weitiao.evaluation.compare import Comparison, MetricComparison, verdict
from weitiao.evaluation.intervals import Resampling, Score, between, draws, over_seeds
from weitiao.events import OnEvent, silent
from weitiao.messages import _
from weitiao.metrics import AnyMetric, value_of
from weitiao.records import FloatArray, Record
from weitiao.tuning.result import Compared
from weitiao.verbs.fitting.fit import Part, answers
from weitiao.verbs.preparing.preflight import Preflight
from weitiao.verbs.searching.trials import fit_part, fits_of

BEST, RECIPE = "best", "recipe"


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared, and where each is trained.

    Args:
        best, recipe: what is known of the winner and of the recipe as it is.
        best_folder, recipe_folder: a fit that is finished there is not run again.
    """

    best: Preflight
    recipe: Preflight
    best_folder: Path
    recipe_folder: Path


@dataclass(slots=True)
class Answered:
    """What one side answered.

    Args:
        predictions: one list a seed, of the same rows in the same order.
        records: those rows.
        scores: seed -> headline metric.
        seconds: that fits and answers took; of a fit that was done before, what it took then.
    """

    predictions: list[list[Any]]
    records: list[Record]
    scores: dict[str, float]
    seconds: float = 0.0


def compare_with_recipe(sides: Sides, seeds: int, on_event: OnEvent, stop: Callable[[], bool]) -> Compared:
    """Both sides trained, and their answers to the same rows compared.

    Raises:
        Interrupted: `stop` asked for it; what is trained is not trained again.
    """
    phase = _("training the best recipe, seed {seed}")
    best = _answers(sides.best, sides.best_folder, seeds, lambda seed: _phase(on_event, phase, seed), stop)
    phase_as_is = _("training the recipe as it is, seed {seed}")
    plain = _answers(sides.recipe, sides.recipe_folder, seeds, lambda seed: _phase(on_event, phase_as_is, seed), stop)
    scores = {BEST: best.scores, RECIPE: plain.scores}
    return Compared(_comparison(sides.recipe, best, plain), scores, best.seconds + plain.seconds)


def _phase(on_event: OnEvent, text: str, seed: int) -> None:
    on_event({"kind": "phase", "text": text.format(seed=seed)})


def _answers(
    found: Preflight, folder: Path, seeds: int, tell: Callable[[int], None], stop: Callable[[], bool]
) -> Answered:
    metric = found.task.metrics(found.labels)[0]
    first = found.recipe.seed + found.recipe.seeds  # none that the search used
    answered = Answered([], [], {})
    for seed in range(first, first + seeds):
        tell(seed)
        pairs: list[tuple[Record, Any]] = []
        for fit in fits_of(found, seed, 1, split_seed=found.recipe.data.split_seed + seed):
            own = RunFolder(folder / str(seed) / fit.name)
            began = time.monotonic()
            fitted = fit_part(found, fit, own, folder / "cache", silent, stop)
            part: Part = fit.outside or fit.dev or fit.train
            pairs += zip(part.records, answers(found, own, part)[0], strict=True)
            answered.seconds += max(time.monotonic() - began, fitted.seconds)
        answered.records, predictions = _in_one_order(found, pairs)
        answered.predictions.append(predictions)
        answered.scores[str(seed)] = value_of(metric, predictions, answered.records)
    return answered


def _in_one_order(found: Preflight, pairs: Sequence[tuple[Record, Any]]) -> tuple[list[Record], list[Any]]:
    """Records and their predictions in the order of the data, which folds cut anew for each seed do not keep."""
    assert found.dataset is not None
    places = {id(record): place for place, record in enumerate(chain(*found.dataset.records.values()))}
    ordered = sorted(pairs, key=lambda pair: places[id(pair[0])])
    return [record for record, _prediction in ordered], [prediction for _record, prediction in ordered]


def _comparison(recipe: Preflight, best: Answered, plain: Answered) -> Comparison:
    metrics = recipe.task.metrics(recipe.labels)
    spec, records = recipe.recipe.evaluation, plain.records
    units = [record.group or record.place for record in records]
    resampling = Resampling(spec.resamples, spec.confidence, units=units)
    shown = {metric.name: metric for metric in metrics if metric is metrics[0] or metric.name == "accuracy"}
    compared = {name: _compared(metric, best, plain, resampling) for name, metric in shown.items()}
    headline: str = metrics[0].name
    return Comparison(
        a=_("the best recipe"), b=_("the recipe as it is"), task=recipe.recipe.task.name,
        split="train" if recipe.recipe.folds else "dev", rows=len(set(units)), headline=headline,
        verdict=verdict(compared[headline].difference), metrics=compared, mcnemar=None,
        confidence=spec.confidence, resamples=spec.resamples,
    )  # fmt: skip


def _compared(metric: AnyMetric, best: Answered, plain: Answered, resampling: Resampling) -> MetricComparison:
    """The metric of both, means over the seeds; each resample is one of the rows and of the seeds."""
    values = []  # of each side, [S]
    drawn = []  # of each side, [S, R]
    for side in (best, plain):
        values.append(np.array([value_of(metric, each, side.records) for each in side.predictions]))
        drawn.append(np.stack([draws(metric, each, side.records, resampling) for each in side.predictions]))

    def score(of_seeds: FloatArray, of_draws: FloatArray) -> Score:
        return between(float(of_seeds.mean()), over_seeds(of_draws, resampling.seed), resampling.confidence)

    return MetricComparison(
        a=score(values[0], drawn[0]),
        b=score(values[1], drawn[1]),
        difference=score(values[0] - values[1], drawn[0] - drawn[1]),
    )
