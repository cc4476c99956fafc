"""The plan: what `train` would do with a recipe, how long that takes and how much memory it needs.

Token lengths, the model's shape and the recipe go in; a `Plan` comes out. The arithmetic is in `cost`, the
machine's speed in `speed`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from weitiao.methods.options import Learning
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import Shape, shape_of
from weitiao.recipe import Recipe
from weitiao.tasks import Task
from weitiao.verbs.planning import cost
from weitiao.verbs.planning.cost import Lengths
from weitiao.verbs.planning.speed import machine_speed, remember_speed, speed_key
from weitiao.verbs.preparing.frame import method_of, objective_of, takes_steps

EVERYTHING = Learning(frozen=0, embeddings=True, cached=False)
__all__ = ["Plan", "make_plan", "remember_speed"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run comes to.

    Args:
        rows: rows of each split.
        classes: number of labels.
        lengths: split -> p50, p95 and max of the tokens of its rows (of their windows or texts, where a row has
            several), before they are cut.
        max_length: tokens a text is cut to.
        truncated: split -> rows that are cut.
        cut: share of all tokens that cutting removes.
        sampled: whether lengths and cuts are estimates from a sample of the rows.
        tokens: tokens of one epoch.
        steps: optimiser steps of one run; of a method that settles in one go, those of the stage before it.
        epochs: passes that these steps make, of such a stage over its pairs.
        evaluations: evaluations on dev among them.
        parameters: of the whole model.
        trained: of those, how many learn.
        runs: models that are fitted: one a seed, and one a fold.
        memory_bytes: estimated peak.
        seconds: estimated, of the whole verb.
        speed_measured: whether the estimate rests on an earlier run on this machine.
        work: operations of the loop of one run; `remember_speed` takes it, in proportion to the steps that were done.
        speed_key: what the speed of this run is remembered under.
    """

    rows: Mapping[str, int]
    classes: int
    lengths: Mapping[str, Mapping[str, int]]
    max_length: int
    truncated: Mapping[str, int]
    cut: float
    sampled: bool
    tokens: int
    steps: int
    epochs: float
    evaluations: int
    parameters: int
    trained: int
    runs: int
    memory_bytes: int
    seconds: float
    speed_measured: bool
    work: float
    speed_key: str

    def to_json(self) -> dict[str, Any]:
        """The plan as `--json` prints it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Measured:
    """What tokenising showed.

    Args:
        rows: split -> records.
        lengths: split -> tokens of each Feature: of a row, or of each window or text of it; drawn from a sample where
            not all rows were tokenised.
        cuts: the same, tokens that are cut off.
        truncated: split -> records that lose tokens.
        max_length: tokens a text is cut to.
        sampled: whether a sample stands for all rows.
    """

    rows: Mapping[str, int]
    lengths: Mapping[str, Lengths]
    cuts: Mapping[str, Lengths]
    truncated: Mapping[str, int]
    max_length: int
    sampled: bool


def make_plan(recipe: Recipe, shape: Shape, family: str, measured: Measured, classes: int) -> Plan:
    """The plan of a recipe whose data and model are known."""
    training = recipe.training
    packable = is_packable(recipe, family)
    method = method_of(recipe)
    learning, objective = method.learning(shape, packable=packable), objective_of(recipe)
    train, rows = measured.lengths.get("train", cost.NO_ROWS), measured.rows.get("train", 0)
    learnt = EVERYTHING if method.body_first else learning
    steps, per_epoch = steps_of(recipe, rows)
    together = max(1, round(training.batch_size * len(train) / max(rows, 1)))  # windows of a row stay together
    trained = cost.trained_parameters(shape, learnt, classes) if method.learns else 0
    evaluations = steps_of_evaluation(recipe, steps, per_epoch) if method.stepwise else 0
    if method.stepwise:
        work = (
            objective.work
            * cost.epoch_work(shape, train, learning, training, _waste(recipe, train, together, packable), per_epoch)
            * steps
            / per_epoch
            + steps * cost.step_work(trained, training)
            + checkpoints_of(recipe, steps, per_epoch) * cost.checkpoint_work(trained, training)
            + evaluations * _answering(shape, measured, "dev", shape.depth - learning.frozen * learning.cached)
        )
    else:
        work = _stage_before(recipe, shape, train, packable, steps / per_epoch)
    key = speed_key(shape.hidden, training.threads)
    speed, known = machine_speed(key)
    fitting = work / speed
    if training.max_minutes is not None:
        fitting = min(fitting, 60 * training.max_minutes)
    fits = recipe.seeds + (recipe.folds - 1 if recipe.folds else 0)  # k folds of k - 1 parts are k - 1 whole fits
    beside = _beside_fitting(recipe, shape, learning, measured)
    return Plan(
        rows=dict(measured.rows),
        classes=classes,
        lengths={split: cost.length_quantiles(each + measured.cuts[split]) for split, each in measured.lengths.items()},
        max_length=measured.max_length,
        truncated=dict(measured.truncated),
        cut=_share_cut(measured),
        sampled=measured.sampled,
        tokens=int(train.sum()),
        steps=steps,
        epochs=steps / per_epoch,
        evaluations=evaluations,
        parameters=shape.total + shape.hidden * classes + classes,
        trained=trained,
        runs=recipe.seeds + (recipe.folds or 0),
        memory_bytes=int(
            cost.peak_bytes(shape, learnt, training, train, classes, together, objective.copies)
            + (0.0 if method.stepwise else cost.solved_bytes(shape, len(train), classes))
        ),
        seconds=cost.START_SECONDS + cost.REPORT_SECONDS + fits * fitting + beside / speed,
        speed_measured=known,
        work=work,
        speed_key=key,
    )


def _waste(recipe: Recipe, train: Lengths, together: int, packable: bool) -> float:
    """Padded tokens per real token of the loop's batches."""
    waste = cost.padding(train, together, recipe.training.order)
    return min(waste, cost.PACKING_WASTE) if packable else waste


def _stage_before(recipe: Recipe, shape: Shape, train: Lengths, packable: bool, epochs: float) -> float:
    """Operations of a stage that fits the whole body on pairs of the training rows; none of methods without one."""
    pairs, _passes = method_of(recipe).first_stage(len(train))
    if not pairs:
        return 0.0
    together, texts = 2 * recipe.training.batch_size, 2 * pairs * epochs
    waste = _waste(recipe, train, together, packable)
    once = cost.epoch_work(shape, train, EVERYTHING, recipe.training, waste, 0)
    return once * texts / len(train) + math.ceil(texts / together) * cost.step_work(shape.total, recipe.training)


def shape_for(recipe: Recipe, task: Task[Any, Any], folder: ModelFolder) -> Shape:
    """The size of the model in so far as it takes part: under a head of ours an encoder-decoder's decoder does not."""
    whole = recipe.model.head == "stock" and bool(task.stock)
    return shape_of(folder.config, folder.parameters, decoder=whole)


def is_packable(recipe: Recipe, family: str) -> bool:
    """Whether rows are laid end to end, on which the cache of frozen layers rests too (`Network.packable`)."""
    return family in cost.PACKED and not recipe.training.gradient_checkpointing


def steps_of(recipe: Recipe, rows: int) -> tuple[int, int]:
    """(optimiser steps of a run, steps an epoch); of a first stage on pairs, its own."""
    method = method_of(recipe)
    if not takes_steps(recipe):
        return 0, 1
    examples, epochs = method.first_stage(rows) if method.body_first else (rows, recipe.training.epochs)
    per_epoch = max(1, -(-examples // recipe.training.batch_size))
    steps = max(1, math.ceil(epochs * per_epoch))
    return min(steps, recipe.training.max_steps or steps), per_epoch


def steps_of_evaluation(recipe: Recipe, steps: int, per_epoch: int) -> int:
    """Evaluations of a run: one at each interval, and one at the end."""
    return -(-steps // (recipe.training.evaluate_every or per_epoch))


def checkpoints_of(recipe: Recipe, steps: int, per_epoch: int) -> int:
    """Checkpoints of a run: one with each evaluation, and those of `checkpoint_every` in between."""
    evaluate, save = recipe.training.evaluate_every or per_epoch, recipe.training.checkpoint_every
    between = (steps // save - steps // math.lcm(evaluate, save)) if save else 0
    also_at_the_end = 1 if save and steps % save == 0 and steps % evaluate else 0  # the last step is evaluated anyway
    return steps_of_evaluation(recipe, steps, per_epoch) + between - also_at_the_end


def _beside_fitting(recipe: Recipe, shape: Shape, learning: Learning, measured: Measured) -> float:
    """Operations of a whole run outside its loops: frozen layers, calibration on dev, measuring at the end."""
    folds = recipe.folds or 0
    split = next(each for each in ("test", "dev", "train") if each in measured.lengths)
    work = (recipe.seeds + folds) * _answering(shape, measured, "dev", shape.depth)
    work += (1 + (recipe.seeds if recipe.seeds > 1 else 0)) * _answering(shape, measured, split, shape.depth)
    work += _answering(shape, measured, "train", shape.depth) if folds else 0.0  # each row once, by the fold without it
    method = method_of(recipe)
    if not method.stepwise and method.needs_rows:
        work += (recipe.seeds + max(folds - 1, 0)) * _answering(shape, measured, "train", shape.depth)
    elif learning.cached:
        filled = sum(_answering(shape, measured, each, learning.frozen) for each in ("train", "dev"))
        work += filled  # all seeds and folds share one cache
    return work


def _answering(shape: Shape, measured: Measured, split: str, layers: float) -> float:
    """Operations of running so many layers over a split once; none where there is no such split."""
    return cost.inference_work(shape, measured.lengths[split], layers) if split in measured.lengths else 0.0


def _share_cut(measured: Measured) -> float:
    cut = sum(int(each.sum()) for each in measured.cuts.values())
    kept = sum(int(each.sum()) for each in measured.lengths.values())
    return cut / max(cut + kept, 1)
