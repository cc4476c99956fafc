"""After a search: the winner and the recipe as it is, trained with the same new seeds, and a paired test of the two.

The rows are those that trials were compared on, dev or folds cut anew; the seeds are none that the search used; the
test split is not looked at. Rows that several seeds answer are drawn together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder
from weitiao.evaluation.compare import Comparison, MetricComparison, verdict
from weitiao.evaluation.intervals import Resampling, difference, interval
from weitiao.events import OnEvent, silent
from weitiao.messages import _
from weitiao.metrics import value_of
from weitiao.records import Record
from weitiao.tuning.result import Compared
from weitiao.verbs.fitting.fit import Part, answers
from weitiao.verbs.preparing.preflight import Preflight
from weitiao.verbs.searching.trials import Fit, fit_part, fits_of

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
    """What one side answered, seed by seed.

    Args:
        units: of each row, so that one row is drawn with all its seeds.
        scores: seed -> headline metric.
        seconds: that fits and answers took; of a fit that was done before, what it took then.
    """

    predictions: list[Any]
    records: list[Record]
    units: list[Hashable]
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
    answered = Answered([], [], [], {})
    for seed in range(first, first + seeds):
        tell(seed)
        start = len(answered.records)
        for fit in fits_of(found, seed, 1, split_seed=found.recipe.data.split_seed + seed):
            own = RunFolder(folder / str(seed) / fit.name)
            began = time.monotonic()
            fitted = fit_part(found, fit, own, folder / "cache", silent, stop)
            _add(answered, found, fit, own)
            answered.seconds += max(time.monotonic() - began, fitted.seconds)
        answered.scores[str(seed)] = value_of(metric, answered.predictions[start:], answered.records[start:])
    return answered


def _add(answered: Answered, found: Preflight, fit: Fit, own: RunFolder) -> None:
    part: Part = fit.outside or fit.dev or fit.train
    predictions, _settings = answers(found, own, part)
    answered.predictions += predictions
    answered.records += part.records
    answered.units += [record.group or record.place for record in part.records]


def _comparison(recipe: Preflight, best: Answered, plain: Answered) -> Comparison:
    metrics = recipe.task.metrics(recipe.labels)
    spec = recipe.recipe.evaluation
    resampling = Resampling(spec.resamples, spec.confidence, units=best.units)
    records = plain.records
    shown = {metric.name: metric for metric in metrics if metric is metrics[0] or metric.name == "accuracy"}
    compared = {
        name: MetricComparison(
            a=interval(metric, best.predictions, records, resampling),
            b=interval(metric, plain.predictions, records, resampling),
            difference=difference(metric, best.predictions, plain.predictions, records, resampling),
        )
        for name, metric in shown.items()
    }
    headline: str = metrics[0].name
    return Comparison(
        a=_("the best recipe"), b=_("the recipe as it is"), task=recipe.recipe.task.name,
        split="train" if recipe.recipe.folds else "dev", rows=len(set(best.units)), headline=headline,
        verdict=verdict(compared[headline].difference), metrics=compared, mcnemar=None,
        confidence=spec.confidence, resamples=spec.resamples,
    )  # fmt: skip
