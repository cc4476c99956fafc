"""`method: auto` in a recipe: the situation told from rows, model and plan, and the recipe with what fits it.

`methods.auto` has the rules; here a method that does not go with the rest of the recipe is passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from weitiao.data import Dataset
from weitiao.messages import _
from weitiao.methods.auto import AUTO, RULES, Proposal, Situation, propose
from weitiao.methods.options import METHOD_OPTIONS
from weitiao.models.reference import ModelFolder
from weitiao.recipe import Choice, Finding, Recipe
from weitiao.tasks import Task
from weitiao.verbs.planning.plan import Measured, make_plan, shape_for
from weitiao.verbs.preparing.frame import method_of, misfits
from weitiao.verbs.preparing.model_checks import is_embedding_model, objective_misfits

LAST = "full"  # goes with every recipe


@dataclass(frozen=True, slots=True)
class Settled:
    """The recipe with a method of its own, and what to tell of it."""

    recipe: Recipe
    note: str


def is_open(recipe: Recipe) -> bool:
    """Whether the recipe leaves the method open."""
    return recipe.method.name == AUTO


def settle(
    recipe: Recipe,
    task: Task[Any, Any],
    dataset: Dataset,
    labels: Sequence[str],
    folder: ModelFolder,
    measured: Measured,
) -> Settled:
    """The first method that the rules propose and that goes with the rest of the recipe."""
    allowed = recipe.training.max_minutes
    unhurried = recipe.model_copy(update={"training": recipe.training.model_copy(update={"max_minutes": None})})

    def seconds(method: str) -> float:
        planned = with_method(unhurried, method)
        return make_plan(planned, shape_for(planned, task, folder), folder.family, measured, len(labels)).seconds

    timed = [rule.method for rule in RULES if rule.within and (not rule.tasks or recipe.task.name in rule.tasks)]
    situation = Situation(
        task=recipe.task.name,
        rows=measured.rows["train"],
        labels_a_class=labels_a_class(task, dataset, labels),
        embedding=is_embedding_model(folder),
        seconds=seconds(LAST),
        allowed=None if allowed is None else 60 * allowed,
        times={method: seconds(method) for method in timed},
    )
    chosen = next(_possible(recipe, task, dataset, folder, situation))
    note = _("`method: auto` takes {method}: {reason}").format(method=chosen.method, reason=chosen.reason)
    return Settled(with_method(recipe, chosen.method), note)


def _possible(
    recipe: Recipe, task: Task[Any, Any], dataset: Dataset, folder: ModelFolder, situation: Situation
) -> Iterator[Proposal]:
    """What is proposed, without what brings a finding that the recipe does not have anyhow; the last needs nothing."""
    anyhow = set(misfits(recipe))
    for each in propose(situation, METHOD_OPTIONS):
        changed = with_method(recipe, each.method)
        if each.method == LAST or not set(_findings(changed, task, dataset, folder)) - anyhow:
            yield each


def _findings(recipe: Recipe, task: Task[Any, Any], dataset: Dataset, folder: ModelFolder) -> Iterator[Finding]:
    yield from misfits(recipe)
    yield from method_of(recipe).misfits(recipe, folder)
    yield from method_of(recipe).unfit(dataset.records)
    yield from objective_misfits(recipe, task, folder)


def with_method(recipe: Recipe, name: str) -> Recipe:
    """The recipe with another method and its default options."""
    choice = Choice(name=name, options=METHOD_OPTIONS[name]())
    return recipe.model_copy(update={"method": choice})


def labels_a_class(task: Task[Any, Any], dataset: Dataset, labels: Sequence[str]) -> float:
    """Training rows of the median class; of answers that are several labels the mean, of numbers all rows."""
    items = dataset.items["train"]
    if task.labels_are != "classes":
        return float(len(items))
    counts = Counter(item.answer for item in items)
    if set(counts) <= set(labels):
        return float(median(counts.values()))
    return len(items) / max(len(labels), 1)
