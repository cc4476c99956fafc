"""A tiny run that has data: rows in a file, a test split, and what a run keeps of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from weitiao.data import load_data
from weitiao.recipe import dump_recipe, load_recipe
from weitiao.verbs.preparing.frame import frame, task_of


@pytest.fixture
def run_with_data(made_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`made_run` with reviews.csv beside it, its recipe and data.json; the working folder is the one they are in."""
    base = made_run.parent
    monkeypatch.chdir(base)
    rows = "".join(f"row number {n} is fine,{'neg' if n % 3 else 'pos'}\n" for n in range(40))
    (base / "reviews.csv").write_text("text,label\n" + rows, "utf-8")
    recipe = load_recipe(
        {
            "task": "classify", "model": "./tiny", "output": "reviews", "evaluation": {"resamples": 100},
            "data": {"file": "reviews.csv", "dev": "20%", "test": "20%"},
        },
        frame(),
    )  # fmt: skip
    task = task_of(recipe)
    data = load_data(recipe.data, fields=task.fields, read=task.read, answer=task.answer, surface=task.surface)
    (made_run / "recipe.yaml").write_text(dump_recipe(recipe), "utf-8")
    (made_run / "data.json").write_text(json.dumps({**data.to_json(), "labels": ["neg", "pos"]}), "utf-8")
    return made_run
