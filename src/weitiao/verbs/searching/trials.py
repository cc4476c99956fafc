"""One trial of a search: a sampled recipe in, its score on dev out. Test rows are never looked at.

A trial is one fit, or one a seed or fold of the recipe; its score is the dev metric of the kept checkpoint, or the mean
over the seeds, or over the folds of what the rows outside each fit say. Of a finished trial only figures are kept.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from weitiao.artifact import RunFolder, read_json, write_json, write_text
from weitiao.data.splitting import folds as split_folds
from weitiao.errors import Failed
from weitiao.events import OnEvent, silent
from weitiao.messages import _
from weitiao.models.inference import infer
from weitiao.models.network import load
from weitiao.recipe import dump_recipe
from weitiao.verbs.fitting.fit import Fitted, Part, fit_once, part_of
from weitiao.verbs.fitting.repeats import discard, headline, subset
from weitiao.verbs.preparing.preflight import Preflight

PARTS = "parts"  # folder of a trial's fits, where it has several
TIMED = 200  # dev rows that are answered to measure the time a text
PASSES = 3  # over them; the median counts


@dataclass(frozen=True, slots=True)
class Watch:
    """Who is told how a trial goes, and may end it by raising.

    Args:
        evaluation: number of the evaluation in the first fit, and its dev metric.
        part: number of the seed or fold, and its score.
        stop: whether to leave.
    """

    evaluation: Callable[[int, float], None] = lambda _number, _value: None
    part: Callable[[int, float], None] = lambda _number, _value: None
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Scored:
    """What a trial gave.

    Args:
        score: of the trial.
        parts: seed or fold -> its score.
        seconds: of all fits.
        costs: what may be weighed against the score, of the first fit.
    """

    score: float
    parts: dict[str, float]
    seconds: float
    costs: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartScore:
    """What one fit of a trial gave, as `part.json` beside it keeps it."""

    score: float
    seconds: float
    costs: dict[str, float]


@dataclass(frozen=True, slots=True)
class Fit:
    """One of a trial's fits: what it trains on, what chooses its checkpoint, and what scores it (None: that choice)."""

    name: str
    seed: int
    train: Part
    dev: Part | None
    outside: Part | None = None


def run_trial(found: Preflight, folder: RunFolder, watch: Watch, costs: Sequence[str] = ()) -> Scored:
    """Fit and score a sampled recipe; what is finished in the folder is not done again.

    Raises:
        Interrupted: the watch's `stop` asked for it.
        Failed: the training broke.
    """
    if found.recipe.training.threads:
        torch.set_num_threads(found.recipe.training.threads)
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.recipe, dump_recipe(found.recipe))
    parts: dict[str, PartScore] = {}
    fits = list(fits_of(found, found.recipe.seed, found.recipe.seeds))
    for number, fit in enumerate(fits):
        own = folder if len(fits) == 1 else RunFolder(folder.path / PARTS / fit.name)
        on_event = _listener(found, watch) if number == 0 else silent
        weighed = () if number else costs
        parts[fit.name] = part = _part(found, fit, own, folder.path / "cache", on_event, watch.stop, weighed)
        watch.part(number, part.score)
    tidy(folder)
    return Scored(
        statistics.fmean(part.score for part in parts.values()),
        {name: part.score for name, part in parts.items()},
        sum(part.seconds for part in parts.values()),
        next(iter(parts.values())).costs,
    )


def _part(
    found: Preflight,
    fit: Fit,
    own: RunFolder,
    cache: Path,
    on_event: OnEvent,
    stop: Callable[[], bool],
    costs: Sequence[str],
) -> PartScore:
    """Fit and measure one part; its figures are written before its weights go, so that neither is ever missing."""
    path = own.path / "part.json"
    if path.is_file():
        return PartScore(**read_json(path))
    fitted = fit_part(found, fit, own, cache, on_event, stop)
    part = PartScore(score_of(found, fit, fitted, own), fitted.seconds, _costs(found, own, fit, costs))
    write_json(path, asdict(part))
    return part


def fits_of(found: Preflight, first: int, seeds: int, split_seed: int | None = None) -> Iterator[Fit]:
    """The fits by which a recipe is scored: of its folds where it has some, else one a seed.

    Args:
        split_seed: of the folds; None: the recipe's.
    """
    train, dev = part_of(found, "train"), part_of(found, "dev")
    if train is None or found.dataset is None:
        raise Failed(_("there are no rows to train on"))
    if found.recipe.folds is None:
        yield from (Fit(str(seed), seed, train, dev) for seed in range(first, first + seeds))
        return
    split = found.recipe.data.split_seed if split_seed is None else split_seed
    for number, inside in enumerate(split_folds(found.dataset.items["train"], found.recipe.folds, split), start=1):
        rest = sorted(set(range(len(train.records))) - set(inside))
        yield Fit(str(number), first, subset(train, rest), dev, subset(train, inside))


def fit_part(
    found: Preflight, fit: Fit, own: RunFolder, cache: Path, on_event: OnEvent, stop: Callable[[], bool]
) -> Fitted:
    """One fit of a trial."""
    return fit_once(found, fit.train, fit.dev, own, seed=fit.seed, cache=cache, on_event=on_event, stop=stop)


def score_of(found: Preflight, fit: Fit, fitted: Fitted, own: RunFolder) -> float:
    """The dev metric of the kept checkpoint, or the headline metric of the rows outside the fit."""
    if fit.outside is not None:
        return headline(found, own, fit.outside)
    if fitted.best is None:
        raise Failed(_("the trial has no score: dev was never measured"))
    return fitted.best


def tidy(folder: RunFolder) -> None:
    """Leave the figures of a trial's fits, and not their weights."""
    for own in [folder, *(RunFolder(each) for each in folder.path.glob(f"{PARTS}/*"))]:
        discard(own.checkpoints)
        discard(own.model)
        discard(own.adapter)
        discard(own.path / "cache")


def _listener(found: Preflight, watch: Watch) -> OnEvent:
    """Tells the evaluations of a fit by their number, which is the same after the fit was resumed."""
    every = found.recipe.training.evaluate_every

    def listen(event: dict[str, Any]) -> None:
        if event["kind"] == "evaluation" and found.metric in event.get("dev", {}):
            number = math.ceil(event["step"] / every if every else event["epoch"])
            watch.evaluation(number, event["dev"][found.metric])

    return listen


def _costs(found: Preflight, own: RunFolder, fit: Fit, names: Sequence[str]) -> dict[str, float]:
    """What the fitted model costs, by name."""
    measures: dict[str, Callable[[], float]] = {
        "ms_per_text": lambda: _milliseconds(found, own, fit.outside or fit.dev or fit.train),
        "model_bytes": lambda: float(sum(path.stat().st_size for path in own.model.rglob("*") if path.is_file())),
        "trained_parameters": lambda: float(found.plan.trained if found.plan else 0),
    }
    return {name: measures[name]() for name in names}


def _milliseconds(found: Preflight, own: RunFolder, part: Part) -> float:
    """Time a row of answering: the median of several passes after one that warms up."""
    rows = subset(part, range(min(TIMED, len(part.records))))
    network = load(own.model, trust_remote_code=found.recipe.model.trust_remote_code)
    infer(network, rows.features)
    times = []
    for _pass in range(PASSES):
        began = time.perf_counter()
        infer(network, rows.features)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times) / len(rows.records)
