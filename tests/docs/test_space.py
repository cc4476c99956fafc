"""The space that the documentation gives to start from is one."""

from __future__ import annotations

from pathlib import Path

from weitiao.recipe import load_recipe
from weitiao.tuning.reading import parse_space, read_space
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.searching.sampled import mistakes


def test_the_space_of_the_docs(repository: Path) -> None:
    written = read_space(repository / "docs/space.yaml")
    space = parse_space(written)
    recipe = load_recipe({"task": "classify", "model": "starter:en", "data": "reviews.csv"}, frame())
    assert mistakes(recipe, written, space) == []
    assert {each.name for each in space.all()} >= {"method", "method=freeze.layers", "training.learning_rate"}
