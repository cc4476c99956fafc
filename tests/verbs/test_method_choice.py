"""`method: auto` in a recipe: settled before anything is opened, said, and written down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.verbs.trained import recipe

import weitiao
from weitiao.methods import METHOD_OPTIONS
from weitiao.verbs.check import check
from weitiao.verbs.preparing.preflight import Preflight

HURRIED = {"max_minutes": 0.01}  # in which not every parameter can be trained


def told(found: Preflight) -> list[str]:
    return [problem.message for problem in found.problems if problem.code == "auto-method"]


def test_check_says_what_it_takes_and_why(tmp_path: Path) -> None:
    (note,) = told(check(recipe(tmp_path, method="auto")))
    assert note.startswith("`method: auto` takes full: to train every parameter takes about ")
    assert note.endswith(", and there are 1 h 00 min")
    found = check(recipe(tmp_path, method="auto", training=HURRIED))
    assert found.recipe.method.name == "freeze"
    (note,) = told(found)
    assert note.startswith("`method: auto` takes freeze: to train every parameter would take about ")
    assert found.plan is not None
    assert found.plan.trained < found.plan.parameters


def test_the_plan_of_pairs_decides_whether_there_is_time_for_them(tmp_path: Path) -> None:
    """Sixteen rows: the starter's stage on pairs takes seconds, and more than a hundredth of a minute."""
    rows = [{"text": f"a {'good' if n % 2 else 'bad'} film {n}", "label": "yn"[n % 2]} for n in range(16)]
    made = {
        "task": "classify",
        "method": "auto",
        "model": {"name": "starter:en", "head": "mean"},
        "data": {"dev": None},
    }
    made["output"] = str(tmp_path / "run")
    assert check(made, data=rows).recipe.method.name == "contrastive"
    hurried = check({**made, "training": HURRIED}, data=rows)
    assert hurried.recipe.method.name == "freeze"


def test_the_run_keeps_what_took_effect(tmp_path: Path) -> None:
    made = recipe(tmp_path, method="auto", training={"epochs": 1, **HURRIED})
    run = weitiao.train(made)
    kept = YAML(typ="safe").load(run.path / "recipe.yaml")
    assert kept["method"]["name"] == "freeze"
    assert kept["training"]["learning_rate"] == METHOD_OPTIONS["freeze"].learning_rate
    assert json.loads((run.path / "report.json").read_text("utf-8"))["method"] == "freeze"
    assert any(problem.code == "auto-method" for problem in run.warnings)


def test_a_method_that_does_not_go_with_the_recipe_is_passed_over(tmp_path: Path) -> None:
    made = recipe(tmp_path, method="auto", training=HURRIED)
    made["model"]["reinit_layers"] = 2  # both layers of the model, of which freeze would keep one
    found = check(made)
    assert [problem for problem in found.problems if problem.severity == "error"] == []
    assert found.recipe.method.name == "full"


def test_nor_is_one_that_the_objective_or_the_rows_do_not_go_with(tmp_path: Path) -> None:
    moved = check(recipe(tmp_path, method="auto", training={"objective": "fgm", **HURRIED}))
    assert moved.recipe.method.name == "full"  # freeze keeps what its layers give, which word embeddings do not reach
    pairs = [{"text": f"good {n}", "text_pair": "bad", "label": "yn"[n % 2]} for n in range(40)]
    few = check(recipe(tmp_path, method="auto", data={}, model={"name": "starter:en", "head": "mean"}), data=pairs)
    assert few.recipe.method.name == "full"  # contrastive would pair texts, and these are pairs


@pytest.mark.parametrize("changes", [{"model": {"name": "nowhere"}}, {"data": {"train": "nowhere.csv"}}])
def test_what_is_wrong_elsewhere_is_still_told(tmp_path: Path, changes: dict[str, Any]) -> None:
    found = check(recipe(tmp_path, method="auto", **changes))
    assert any(problem.severity == "error" for problem in found.problems)
    assert told(found) == []


def test_auto_takes_no_options(tmp_path: Path) -> None:
    found = check(recipe(tmp_path, method={"name": "auto", "layers": 1}))
    assert any("layers" in problem.message for problem in found.problems if problem.severity == "error")
