"""`weitiao.train` with each method of our own: what a run keeps, and that it answers again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.model_folder import POSITIONS, make_model_folder
from tests.verbs.test_tasks import ROWS
from tests.verbs.test_tasks import recipe as task_recipe
from tests.verbs.trained import recipe

import weitiao
from weitiao.models.tiny import tiny
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.preparing.preflight import Preflight, inspect

METHODS = {
    "adapter": {"placement": "houlsby", "reduction": 2},
    "bitfit": {},
    "gradual": {},
    "p_tuning": {"count": 5, "width": 16},
    "p_tuning_v2": {"count": 5},
    "prefix": {"count": 5, "width": 16},
    "prompt": {"count": 5, "text": "good bad"},
}


@pytest.mark.parametrize("name", METHODS)
def test_a_run_is_kept_and_answers_again(name: str, tmp_path: Path) -> None:
    made = recipe(tmp_path, method={"name": name, **METHODS[name]})
    made["training"] = {**made["training"], "epochs": 1}
    run = weitiao.train(made)
    assert (run.path / "adapter/adapter.safetensors").is_file() is (name != "gradual")
    assert (run.path / "model/additions.safetensors").is_file() is (name not in ("bitfit", "gradual"))
    plain = "pipeline(" in (run.path / "README.md").read_text("utf-8")
    assert plain is (name in ("bitfit", "gradual"))  # the others have parts that transformers would leave out
    texts = ["good room", "bad food 房间", "nice film"]
    assert weitiao.load(run.path).predict(texts) == run.predict(texts)


@pytest.mark.parametrize(
    "method", [{"name": "prompt", "count": 3}, {"name": "lora", "rank": 2}], ids=["prompt", "lora"]
)
@pytest.mark.parametrize("task", sorted(ROWS))
def test_every_task_goes_with(task: str, method: dict[str, Any], tmp_path: Path) -> None:
    """Whatever its head reads of the tokens: the saved model's answers are those that were measured."""
    texts = [" ".join(map(str, row.values())) for row in ROWS[task]]
    model = tiny("bert", tmp_path / "m", texts=texts, speaks="entails" if task == "entail" else "masked")
    made = task_recipe(task, tmp_path, model=str(model), method=method)
    run = weitiao.train({**made, "output": str(tmp_path / "run")})
    again = run.evaluate().report
    assert again.metrics[again.headline].value == pytest.approx(run.report.metrics[again.headline].value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that reads 64 tokens, and rows."""
    monkeypatch.chdir(tmp_path)
    make_model_folder(tmp_path / "m")
    rows = "".join(f"film number {n} was {word},{word}\n" for n in range(20) for word in ("good", "bad"))
    (tmp_path / "rows.csv").write_text("text,label\n" + rows, "utf-8")
    return tmp_path


def inspected(count: int, **training: Any) -> Preflight:
    sections = {"method": {"name": "prompt", "count": count}, "training": training}
    made = load_recipe({"task": "classify", "model": "./m", "data": {"train": "rows.csv"}, **sections}, frame())
    return inspect(made, full=False)


def test_a_text_has_room_for_what_virtual_tokens_leave(here: Path) -> None:
    assert inspected(20).max_length == POSITIONS - 20
    assert inspected(20, max_length=40).max_length == 40
    assert not any(problem.severity == "error" for problem in inspected(20).problems)


@pytest.mark.parametrize(
    ("count", "longest", "expected"),
    [
        (20, 65, "`training.max_length` is 65, but the model reads at most 64 tokens"),
        (
            20,
            45,
            "`training.max_length` is 45, but of the 64 tokens that the model reads `method.count` takes 20; "
            "give at most 44",
        ),
        (60, 30, "`method.count` is 60, and of the model's 64 tokens that leaves none for the text"),
    ],
)
def test_more_than_the_model_reads_is_refused(count: int, longest: int, expected: str, here: Path) -> None:
    assert expected in [problem.message for problem in inspected(count, max_length=longest).problems]
