"""`weitiao.check`: everything that is wrong with a recipe, its data and its model, and what training would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder
from weitiao.errors import Refused
from weitiao.recipe import Recipe
from weitiao.verbs.preparing.memory import draft_with
from weitiao.verbs.preparing.preflight import Preflight, inspect


def check(
    recipe: Path | str | Mapping[str, Any] | Recipe, *, overrides: Sequence[str] = (), data: Any = None
) -> Preflight:
    """Look at everything without training; the problems are in the answer, errors included.

    Args:
        recipe: a YAML file, the same as a mapping, or a `Recipe`.
        overrides: dotted `key=value` changes.
        data: rows in Python (DataFrame, list of mappings) in place of the recipe's files: one object, or split ->
        object.

    Raises:
        ProblemsFound: the recipe is no YAML mapping at all.
    """
    draft, memory = draft_with(recipe, overrides, data)
    found = inspect(draft, memory=memory, full=False)
    try:
        RunFolder(Path(found.recipe.output)).refuse_if_taken()
    except Refused as error:
        found.problems.append(draft.places.problem("output-taken", ("output",), str(error)))
    return found
