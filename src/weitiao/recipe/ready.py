"""Ready recipes: commented YAML files that ship inside the package, each called by the name of its file."""

from __future__ import annotations

from pathlib import Path

RECIPES = Path(__file__).parent.parent / "recipes"


def ready_recipes() -> list[str]:
    """Their names, sorted."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))
