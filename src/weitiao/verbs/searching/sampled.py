"""The recipe of a trial: the study's recipe with a trial's changes, read as every recipe is; and what that refuses.

Mistakes in a space are found before any trial, with the line of the space; a combination that cannot work is found by
the same `inspect` that `weitiao check` runs, trial by trial.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from weitiao.errors import Problem, ProblemsFound
from weitiao.messages import _
from weitiao.recipe import Draft, Recipe, load_draft, recipe_tree
from weitiao.tuning.reading import Written
from weitiao.tuning.space import Change, Choices, Dimension, Given, Keys, Normal, Number, Space, laid_over
from weitiao.verbs.preparing.frame import frame, task_of
from weitiao.verbs.preparing.preflight import Preflight, inspect

FIXED = {  # else trials cannot be compared
    "data.split_seed", "folds", "output", "seed", "seeds", "task", "task.name", "training.metric",
}  # fmt: skip
TOGETHER = ("misfit", "unknown-metric", "unknown-baseline")  # codes of what is wrong only in company
TRIED = 200  # combinations of which one has to work


def sampled(recipe: Recipe, written: Written, changes: Sequence[Change]) -> Draft:
    """The recipe with these changes, as far as it can be understood; problems name the lines of the space."""
    return load_draft(laid_over(recipe_tree(recipe), changes), frame(), places=written.places(changes))


def mistakes(recipe: Recipe, written: Written, space: Space) -> list[Problem]:
    """Keys and values of the space that are no recipe's, each with file and line."""
    problems = [*_fixed(written, space)]
    for constant in space.constants:
        problems += _mistakes(recipe, written, _sections(space, constant.keys), [[constant]])
    for dimension in space.dimensions:
        problems += _mistakes(recipe, written, _sections(space, dimension.keys), _variants(dimension))
    return list(dict.fromkeys(problems))


def _fixed(written: Written, space: Space) -> Iterator[Problem]:
    for change in space.touched():
        if (name := ".".join(change.keys)) in FIXED:
            message = _("`{key}` is the same for all trials, or they could not be compared; set it in the recipe")
            yield written.places([change]).problem("not-searched", change.keys, message.format(key=name))


def _mistakes(
    recipe: Recipe, written: Written, around: Sequence[Sequence[Change]], variants: Iterable[Sequence[Change]]
) -> list[Problem]:
    """What is wrong with these changes under every choice of the section that they belong to."""
    found: list[Problem] = []
    for changes in variants:
        under: list[Problem] = []
        for section in around:
            under = _wrong(recipe, written, [*section, *changes])
            if not under:
                break
        found += under
    return found


def _wrong(recipe: Recipe, written: Written, changes: Sequence[Change]) -> list[Problem]:
    """Problems of these changes that no other change can mend."""
    return [each for each in sampled(recipe, written, changes).problems if each.code not in TOGETHER]


def _variants(dimension: Dimension) -> Iterator[list[Change]]:
    """The changes that a dimension can make, numbers at their ends; under a choice, a key at a time is varied."""
    if not isinstance(dimension.domain, Choices):
        yield from ([Change(dimension.keys, dimension.domain.value(end), dimension.place)] for end in _ends(dimension))
        return
    for option in dimension.domain.options:
        yield list(option.changes)
        for inner in option.inner:
            yield from ([*option.changes, *variant] for variant in _variants(inner))


def _ends(dimension: Dimension) -> list[float]:
    """The ends of a range, as the sampler would give them."""
    domain = dimension.domain
    if isinstance(domain, Choices):
        return []
    return [domain.drawn(Given({dimension.name: end}), dimension.name) for end in domain.ends()]


def _sections(space: Space, keys: Keys) -> list[Sequence[Change]]:
    """The choices of a section above a key, such as those of `method` for `method.rank`; else none."""
    above = [
        option.changes
        for each in space.dimensions
        if isinstance(each.domain, Choices) and each.keys == keys[: len(each.keys)] != keys
        for option in each.domain.options
    ]
    constants = [each for each in space.constants if each.keys == keys[: len(each.keys)] != keys]
    return [[*constants, *changes] for changes in above] or [constants]


def refuse_hopeless(recipe: Recipe, written: Written, space: Space) -> None:
    """See that at least one combination can be trained.

    Raises:
        ProblemsFound: none of those that were tried can; one problem, with the reasons of the first.
    """
    first: Sequence[Problem] = ()
    tried = 0
    for combination in itertools.islice(space.combinations(_corners), TRIED):
        found = looked_at(recipe, written, space.draw(Given(combination)), full=False)
        errors = [problem for problem in found.problems if problem.severity == "error"]
        if not errors:
            return
        tried, first = tried + 1, first or errors
    message = _("none of the {count} combinations that were looked at can be trained; the first, because: {reason}")
    reason = _("; ").join(str(problem) for problem in first)
    raise ProblemsFound([Problem("hopeless-space", message.format(count=tried, reason=reason), file=written.file)])


def _corners(domain: Number | Normal) -> Sequence[float]:
    return domain.ends()


def looked_at(recipe: Recipe, written: Written, changes: Sequence[Change], *, full: bool) -> Preflight:
    """Everything that can be known of a trial before it is trained; a recipe with mistakes is not looked at further."""
    draft = sampled(recipe, written, changes)
    if draft.problems:
        return Preflight(draft.recipe, task_of(draft.recipe), list(draft.problems))
    return inspect(draft, full=full)
