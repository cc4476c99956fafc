"""`weitiao learn` of every task: it goes on from what it was, with new labels where there are any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.test_tasks import ROWS, model, model_for, recipe  # noqa: F401 - `model` is a fixture

import weitiao
from weitiao.recipe import load_recipe
from weitiao.training.options import ONE_ANSWER
from weitiao.verbs.learn import learn
from weitiao.verbs.preparing.frame import frame, objective_choice, task_of

OTHERS = {"Anna": "Emma", "Bob": "Tim", "Lee": "Kim", "Ida": "Eva", "Rome": "Bern", "Paris": "Milan"}  # as long as they
STILL = ("training.max_steps=1", "training.learning_rate=1e-9")
GROWS = {"classify": ("south", "west"), "relate": ("warm", "mild"), "tag": ("LOC", "CITY"), "span": ("LOC", "CITY"),
         "intent_slot": ("south", "west")}  # fmt: skip


def fresh(name: str) -> list[Mapping[str, Any]]:
    """The rows about other people and places, and where the label space may grow one label by another name."""
    text = json.dumps(ROWS[name])
    for old, new in OTHERS.items():
        text = text.replace(old, new)
    text = text.replace('"label": "Bern"', '"label": "Rome"')  # a word of the label that the model knows
    if name in GROWS:
        text = text.replace(*GROWS[name])
    rows: list[Mapping[str, Any]] = json.loads(text)
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_task_goes_on(name: str, model: Path, tmp_path: Path) -> None:  # noqa: F811
    asked = recipe(name, tmp_path, model=model_for(name, model), output=str(tmp_path / "run"))
    run = weitiao.train({**asked, "training": {**asked["training"], "max_steps": 2}})
    made = learn(run, fresh(name), output=tmp_path / "on", overrides=STILL)
    assert made.gate.old.learnt == pytest.approx(made.gate.old.served, abs=1e-6)
    before, after = (weitiao.load(path) for path in (run.path, made.output))
    assert list(after.labels[: len(before.labels)]) == list(before.labels)
    assert bool(made.new_labels) == (name in GROWS)
    went_on = load_recipe(made.output / "recipe.yaml", frame())
    objective = objective_choice(went_on).name
    assert objective == ("lwf" if task_of(went_on).head in ONE_ANSWER else "plain")
    assert any("old rows are replayed" in each for each in made.notes) == (objective == "plain")
