"""`weitiao.check`: everything that is wrong with a recipe, its data and its model, and what training would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder
from weitiao.errors import Refused
from weitiao.verbs.frame import read_draft
from weitiao.verbs.preflight import Preflight, inspect


def check(
    recipe: Path | str | Mapping[str, Any], *, overrides: Sequence[str] = (), data: Mapping[str, Any] | None = None
) -> Preflight:
    """Look at everything without training; the problems are in the answer, errors included.

    Args:
        recipe: a YAML file, or the same as a mapping.
        overrides: dotted `key=value` changes.
        data: split -> rows in Python that stand in for the recipe's files.

    Raises:
        ProblemsFound: the recipe is no YAML mapping at all.
    """
    draft = read_draft(recipe, overrides)
    found = inspect(draft, memory=data, full=False)
    try:
        RunFolder(Path(found.recipe.output)).refuse_if_taken()
    except Refused as error:
        found.problems.append(draft.places.problem("output-taken", ("output",), str(error)))
    return found
