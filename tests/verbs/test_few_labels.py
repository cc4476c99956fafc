"""Runs with few labels and with none: two stages that resume to the same bytes, and rows to be measured alone."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.artifact import read_json
from weitiao.errors import Interrupted, Refused
from weitiao.models.tiny import tiny
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.frame import frame, method_of, set_aside

WORDS = {"neg": "bad poor awful", "pos": "good nice great"}


class KilledError(Exception):
    """Stands for a process that ends between two moments."""


def few(folder: Path, **changes: Any) -> dict[str, Any]:
    """A recipe of 24 training rows under `contrastive`."""
    made = recipe(folder, method={"name": "contrastive", "pairs_per_text": 3, "body_learning_rate": 1e-3})
    made["model"]["head"] = "mean"
    made["data"] |= {"limit": {"train": 24}}
    made["training"] = {"batch_size": 16}
    return {**made, **changes}


def problems(made: dict[str, Any]) -> list[str]:
    return [each.message for each in weitiao.check(made).problems if each.severity == "error"]


def same_bytes(one: Path, other: Path) -> bool:
    names = ("model/model.safetensors", "model/head.safetensors", "embed/log.jsonl", "log.jsonl")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    weitiao.train(few(folder) | {"training": {"batch_size": 16, "epochs": 9, "learning_rate": 5.0}})
    return folder / "run"


def test_the_first_stage_learns_from_pairs_and_leaves_no_weights_behind(straight: Path) -> None:
    stage = read_json(straight / "embed/fit.json")
    lines = [json.loads(line) for line in (straight / "embed/log.jsonl").read_text("utf-8").splitlines()]
    steps = [line["loss"] for line in lines if "loss" in line]
    assert len(steps) == stage["steps"] > 4
    assert steps[-1] < steps[0]
    assert sorted(path.name for path in (straight / "embed").iterdir()) == ["fit.json", "log.jsonl"]
    report = read_json(straight / "report.json")
    assert report["learnt"]["settled"]["first_stage"]["steps"] == stage["steps"]
    assert report["timing"]["train_seconds"] > stage["seconds"]
    kept = load_recipe(straight / "recipe.yaml", frame())
    assert (kept.training.epochs, kept.training.learning_rate) == (3, None)  # of other methods, and so as they were
    assert not list(set_aside(kept))
    assert report["learnt"]["trained"] == report["learnt"]["parameters"]


def test_killed_in_the_first_stage_it_goes_on_to_the_same_bytes(straight: Path, tmp_path: Path) -> None:
    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 3:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Interrupted):
        weitiao.train(few(tmp_path), on_event=interrupt)
    assert (tmp_path / "run/embed/checkpoints/step-00000003").is_dir()
    resumed = weitiao.train(resume=tmp_path / "run")
    assert same_bytes(resumed.path, straight)


def test_killed_behind_the_first_stage_it_is_not_run_again(straight: Path, tmp_path: Path) -> None:
    def kill(event: dict[str, Any]) -> None:
        if event.get("text") == "saving the model":
            raise KilledError

    with pytest.raises(KilledError):
        weitiao.train(few(tmp_path), on_event=kill)
    assert (tmp_path / "run/embed/body.safetensors").is_file()
    kinds: list[str] = []
    resumed = weitiao.train(resume=tmp_path / "run", on_event=lambda event: kinds.append(event["kind"]))
    assert "step" not in kinds
    assert same_bytes(resumed.path, straight)


def test_every_seed_and_fold_has_its_own_body(tmp_path: Path) -> None:
    run = weitiao.train(few(tmp_path, seeds=2, folds=2))
    logs = [run.path / each / "embed/log.jsonl" for each in ("seeds/17", "seeds/18", "folds/1", "folds/2")]
    assert len({path.read_text("utf-8") for path in logs}) == 4
    assert run.report.seeds is not None and run.report.folds is not None
    assert not list(run.path.rglob("body.safetensors"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": {"name": "classify", "multi_label": True}}, "and `multi_label` gives them several"),
        ({"training": {"patience": 2}}, "`training.patience` has no effect with `method: contrastive`, which is not"),
        ({"training": {"token_budget": 99}}, "`training.token_budget` splits a step, and `method: contrastive`"),
        (
            {"method": {"name": "head", "solver": "sgd", "cost": 3.0}},
            "`method.cost` has no effect without `solver: lbfgs`; remove it",
        ),
        (
            {"method": {"name": "head", "solver": "lbfgs"}, "training": {"patience": 9}},
            "`training.patience` has no effect with `method: head`, which takes no steps; remove it",
        ),
    ],
)
def test_check_refuses_what_has_no_meaning(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    assert any(message in each for each in problems(few(tmp_path, **changes)))


def test_the_length_and_rate_of_another_method_are_set_aside(tmp_path: Path) -> None:
    """`weitiao new` writes both, and whoever changes the method of that recipe means the new one's."""
    written = {"epochs": 9, "learning_rate": 3e-4}
    found = weitiao.check(few(tmp_path, training=written))
    assert [(each.message, each.severity) for each in found.problems if each.code == "set-aside"] == [
        ("`training.epochs` is set aside: the first stage of `method: contrastive` goes by `method.body_epochs`, 2",
         "note"),
        ("`training.learning_rate` is set aside: the first stage of `method: contrastive` goes by "
         "`method.body_learning_rate`, 0.001", "note"),
    ]  # fmt: skip
    for method in ("zero_shot", {"name": "head", "solver": "lbfgs"}):
        found = weitiao.check(few(tmp_path, method=method, training={**written, "batch_size": 9}))
        assert [each.severity for each in found.problems if "`training." in each.message] == ["note"] * 3


@pytest.mark.parametrize(
    ("changes", "solver"),
    [
        ({}, "lbfgs"),
        ({"training": {"epochs": 9, "batch_size": 8, "learning_rate": 2e-4}}, "lbfgs"),
        ({"training": {"patience": 2, "weight_decay": 0.1}}, "sgd"),
        ({"training": {"label_smoothing": 0.1}}, "sgd"),
        ({"method": {"name": "head", "solver": "sgd"}}, "sgd"),
        ({"model": {"head": "stock"}}, "sgd"),
        ({"model": {"head": "mean", "hidden_layers": [4]}}, "sgd"),
        ({"model": {"head": "mean", "continues": True}}, "sgd"),
    ],
)
def test_a_new_layer_on_the_mean_is_solved_where_nothing_speaks_of_steps(
    changes: dict[str, Any], solver: str, tmp_path: Path
) -> None:
    """Whatever makes it go by steps under `training` is said."""
    made = few(tmp_path, method="head", training={})
    made |= {**changes, "model": made["model"] | changes.get("model", {})}
    found = weitiao.check(made)
    said = [each.message for each in found.problems if each.code == "by-steps"]
    spoken = sorted(changes.get("training", {}).keys() - {"epochs", "batch_size", "learning_rate"})
    assert len(said) == bool(spoken)
    assert all(f"`training.{key}`" in said[0] for key in spoken)
    assert method_of(found.recipe).solver == solver  # type: ignore[attr-defined]


def test_a_recipe_of_a_run_from_before_names_the_old_cost(tmp_path: Path) -> None:
    assert not problems(few(tmp_path, method={"name": "head", "solver": "sgd", "cost": 1.0}))


def test_seeds_of_a_solved_head_are_alike_and_it_is_said(tmp_path: Path) -> None:
    codes = [
        [each.code for each in weitiao.check(few(tmp_path, method=method, seeds=2, training={})).problems]
        for method in ("head", {"name": "head", "solver": "sgd"}, "contrastive")
    ]
    assert ["seeds-alike" in each for each in codes] == [True, False, False]


def test_the_plan_counts_what_solving_a_head_holds(tmp_path: Path) -> None:
    solved = weitiao.check(few(tmp_path, method="head", training={})).plan
    by_steps = weitiao.check(few(tmp_path, method={"name": "head", "solver": "sgd"}, training={})).plan
    assert solved is not None and by_steps is not None
    assert solved.memory_bytes > by_steps.memory_bytes
    assert (solved.steps, solved.evaluations) == (0, 0)


def test_numbers_are_learnt_by_steps(tmp_path: Path) -> None:
    made = load_recipe({**few(tmp_path, method="head", training={}), "task": "regress"}, frame())
    assert method_of(made).stepwise


def test_a_solved_head_is_gone_on_with_by_steps(tmp_path: Path) -> None:
    run = weitiao.train(few(tmp_path, method="head", training={"epochs": 9}))
    assert load_recipe(run.path / "recipe.yaml", frame()).method.options.solver == "lbfgs"  # type: ignore[attr-defined]
    rows = [{"review": "good film", "stars": "1"}, {"review": "bad film", "stars": "0"}] * 8
    learnt = weitiao.learn(run.path, rows, output=tmp_path / "next")
    assert load_recipe(learnt.output / "recipe.yaml", frame()).method.options.solver == "sgd"  # type: ignore[attr-defined]


def test_the_plan_counts_what_learns_in_the_first_stage(tmp_path: Path) -> None:
    plan = weitiao.check(few(tmp_path)).plan
    whole = weitiao.check(few(tmp_path, method="full")).plan
    nothing = weitiao.check(few(tmp_path, method="zero_shot", training={})).plan
    assert plan is not None and whole is not None and nothing is not None
    assert (plan.trained, nothing.trained) == (whole.trained, 0)
    assert (plan.steps, plan.epochs, plan.evaluations, nothing.steps) == (18, 2.0, 0, 0)  # 144 pairs at most, twice
    one_pass = {"name": "contrastive", "pairs_per_text": 3, "body_epochs": 1}
    shorter = weitiao.check(few(tmp_path, method=one_pass)).plan
    capped = weitiao.check(few(tmp_path, training={"batch_size": 16, "max_steps": 9})).plan
    assert shorter is not None and capped is not None
    assert (shorter.steps, capped.steps) == (9, 9)
    assert shorter.work == capped.work == pytest.approx(plan.work / 2)


@pytest.mark.parametrize("method", ["contrastive", "zero_shot", {"name": "head", "solver": "lbfgs"}])
def test_a_stock_head_is_refused(method: Any, tmp_path: Path) -> None:
    made = few(tmp_path, method=method, training={})
    made["model"]["head"] = "stock"
    (message,) = problems(made)
    assert message.endswith("makes the one layer of a mean head; set `model.head: mean`, no hidden_layers")


def test_pairs_of_texts_are_refused(tmp_path: Path) -> None:
    made = few(tmp_path)
    rows = [{"text": f"a {n}", "text_pair": "b", "label": "ab"[n % 2]} for n in range(30)]
    found = weitiao.check({**made, "data": {"train": "memory"}}, data=rows)
    messages = [each.message for each in found.problems]
    assert "`method: contrastive` compares texts with each other, and these rows are pairs; take full" in messages


def test_without_training_rows_descriptions_are_enough(tmp_path: Path) -> None:
    made = few(tmp_path, method={"name": "zero_shot", "descriptions": WORDS}, training={})
    made["data"] = {"test": made["data"]["test"]}
    run = weitiao.train(made)
    assert (run.report.rows, run.report.split, run.report.baselines) == (40, "test", {})
    assert run.report.labels == ["neg", "pos"]
    assert run.predict(["good film"])[0].labels
    assert weitiao.evaluate(run.path).report.rows == 40
    assert read_json(run.path / "fit.json")["steps"] == 0


def test_with_training_rows_the_baselines_stand_beside_it(tmp_path: Path) -> None:
    run = weitiao.train(few(tmp_path, method={"name": "zero_shot", "template": "it is {description}"}, training={}))
    assert set(run.report.baselines) == {"majority", "tfidf"}
    assert run.report.curves.dev


def test_without_rows_and_without_names_there_are_no_labels(tmp_path: Path) -> None:
    made = few(tmp_path, method="zero_shot", training={})
    made["data"] = {"test": made["data"]["test"]}
    assert problems(made) == [
        "without training rows the labels must be named: give `task.labels`, or `method.descriptions`"
    ]
    made["task"] = {"name": "classify", "labels": ["neg", "pos"]}
    assert problems(made) == []
    assert problems({**made, "folds": 3}) == ["`folds` parts the training rows, and there are none; remove it"]


def test_other_methods_need_training_rows(tmp_path: Path) -> None:
    made = few(tmp_path, method="full")
    made["data"] = {"test": made["data"]["test"]}
    assert "no training rows; give `train`, or `file` with every split in it" in problems(made)


def test_a_description_of_a_label_that_no_row_has(tmp_path: Path) -> None:
    made = few(tmp_path, method={"name": "zero_shot", "descriptions": {"poss": "good"}}, training={})
    assert problems(made) == ["`method.descriptions` names the label 'poss', which no row has; did you mean 'pos'?"]


def test_labels_without_a_description_are_told(tmp_path: Path) -> None:
    found = weitiao.check(few(tmp_path, method={"name": "zero_shot", "descriptions": {"pos": "good"}}, training={}))
    assert [(each.message, each.severity) for each in found.problems if each.code == "no-description"] == [
        ("`method.descriptions` says nothing of the label 'neg', for which its own name stands", "warning")
    ]
    for descriptions in (WORDS, {}):
        method = {"name": "zero_shot", "descriptions": descriptions}
        found = weitiao.check(few(tmp_path, method=method, training={}))
        assert "no-description" not in [each.code for each in found.problems]


def test_a_language_model_answers_without_training(tmp_path: Path) -> None:
    made = few(tmp_path, method="zero_shot", training={})
    tiny("bert", tmp_path / "speaking", texts=["good bad film"] * 3, speaks="masked")
    made |= {
        "task": {"name": "cloze", "pattern": "{text} {mask}", "verbaliser": {"neg": "bad", "pos": "good"}},
        "model": str(tmp_path / "speaking"), "data": {"test": made["data"]["test"]},
    }  # fmt: skip
    run = weitiao.train(made)
    assert run.report.rows == 40
    assert problems({**made, "method": {"name": "zero_shot", "scale": 3.0}, "output": str(tmp_path / "other")}) == [
        "`method.scale` has no effect on the task 'cloze', which asks its own words; remove it"
    ]


@pytest.mark.parametrize("method", ["contrastive", "zero_shot"])
def test_on_rows_of_other_tasks_it_is_refused_in_a_sentence(method: str, tmp_path: Path) -> None:
    rows = [{"text": "Anna lives in Rome", "spans": [{"start": 0, "end": 4, "label": "person"}]}] * 8
    made = {"task": "tag", "model": "starter:en", "method": method, "output": str(tmp_path / "run")}
    found = weitiao.check(made, data=rows)
    assert any("classify" in problem.message for problem in found.problems if problem.severity == "error")


@pytest.mark.parametrize("verb", [weitiao.choose, weitiao.curve])
def test_without_training_rows_there_is_nothing_to_choose_by(verb: Any, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\ngood,a\nbad,b\n", "utf-8")
    method = {"name": "zero_shot", "descriptions": {"a": "good", "b": "bad"}}
    made = {
        "task": "classify", "model": {"name": "starter:en", "head": "mean"}, "method": method,
        "data": {"test": str(tmp_path / "t.csv")}, "output": str(tmp_path / "run"),
    }  # fmt: skip
    with pytest.raises(Refused, match="there are no rows to train on"):
        verb(made)
