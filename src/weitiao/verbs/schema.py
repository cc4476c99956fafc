"""`weitiao schema`: the JSON schema of recipes, with the options of every task and method."""

from __future__ import annotations

from typing import Any

from weitiao.recipe import recipe_schema
from weitiao.verbs.preparing.frame import frame


def schema() -> dict[str, Any]:
    """The schema (draft 2020-12)."""
    return recipe_schema(frame())
