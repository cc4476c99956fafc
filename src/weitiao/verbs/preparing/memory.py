"""Rows in Python in place of a recipe's sources: what `train` and `check` do with their `data`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.errors import ProblemsFound
from weitiao.recipe import Draft, Recipe
from weitiao.recipe.source import read_source
from weitiao.recipe.specs import DataSpec, share_of
from weitiao.verbs.preparing.frame import read_draft

SOURCES = ("file", "train", "dev", "test")
MEMORY = "memory"  # what the recipe says where rows in Python were read


def named(data: Any) -> dict[str, Any] | None:
    """Rows by the data key they stand in for: as they are given, else all as `file`."""
    if data is None:
        return None
    by_split = isinstance(data, Mapping) and set(data) <= set(SOURCES)
    return dict(data) if by_split else {"file": data}


def draft_with(
    recipe: Path | str | Mapping[str, Any] | Recipe, overrides: Sequence[str], data: Any
) -> tuple[Draft, dict[str, Any] | None]:
    """The recipe with every source of its own replaced by `data`, and the rows by key; shares stay."""
    rows = named(data)
    if rows is None:
        return read_draft(recipe, overrides), None
    return read_draft(recipe, [*overrides, *_replacements(recipe, overrides, rows)]), rows


def _replacements(recipe: Any, overrides: Sequence[str], rows: Mapping[str, Any]) -> list[str]:
    """Overrides that name the rows, and take away every source that they do not stand in for."""
    own = _own_sources(recipe, overrides)
    changes = [f"data.{key}={MEMORY}" for key in rows]
    changes += [f"data.{key}=null" for key in ("file", "train") if key in own and key not in rows]
    for key in ("dev", "test"):
        if key not in rows and own.get(key) is not None and share_of(own[key]) is None:
            default = DataSpec.model_fields[key].default
            changes.append(f"data.{key}={default or 'null'}")
    return changes


def _own_sources(recipe: Any, overrides: Sequence[str]) -> Mapping[str, Any]:
    """The `data` block as it is written; empty where it cannot be read, which loading reports."""
    if isinstance(recipe, Recipe):
        return {key: getattr(recipe.data, key) for key in recipe.data.model_fields_set}
    try:
        raw, _places = read_source(recipe, overrides)
    except ProblemsFound:
        return {}
    data = raw.get("data")
    return data if isinstance(data, dict) else {} if data is None else {"file": data}
