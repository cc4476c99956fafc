"""promoted.json: which run is served in a run's place, and that a run that is gone is never served."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from weitiao.errors import Refused
from weitiao.serving import promotion
from weitiao.serving.promotion import PROMOTED, Promotions, Standing, current, promote, roll_back, standing


def run(folder: Path, name: str, task: str = "classify", *, finished: bool = True) -> Path:
    """What `promotion` looks at of a run."""
    path = folder / name
    (path / "model").mkdir(parents=True)
    (path / "recipe.yaml").write_text("task: classify\n")
    if finished:
        card: dict[str, Any] = {"task": task, "labels": ["a", "b"], "max_length": 32}
        (path / "model" / "task.json").write_text(json.dumps(card))
    return path


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    return [run(tmp_path, name) for name in ("first", "second", "third")]


def test_without_a_promotion_a_run_is_served_itself(runs: list[Path]) -> None:
    assert current(runs[0]) == runs[0]
    assert Promotions.of(runs[0]) == Promotions()


def test_promoted_and_back_again(runs: list[Path]) -> None:
    first, second, third = runs
    promote(first, second, why="better", gate={"new": 0.1})
    promote(first, third)
    assert current(first) == third
    assert roll_back(first, why="customers complain") == second
    assert current(first) == second
    assert roll_back(first) == first
    history = Promotions.of(first).history
    assert [(each.action, each.before, each.after) for each in history] == [
        ("promote", ".", "../second"),
        ("promote", "../second", "../third"),
        ("roll-back", "../third", "../second"),
        ("roll-back", "../second", "."),
    ]
    assert history[0].why == "better" and history[0].gate == {"new": 0.1} and history[0].date.endswith("+00:00")
    assert history[2].why == "customers complain"
    with pytest.raises(Refused, match="nothing to roll back"):
        roll_back(first)


def test_promoted_again_after_a_roll_back(runs: list[Path]) -> None:
    first, second, _third = runs
    promote(first, second)
    roll_back(first)
    promote(first, second)
    assert current(first) == second
    assert roll_back(first) == first


def test_promoted_twice_is_said_once(runs: list[Path]) -> None:
    promote(runs[0], runs[1])
    promote(runs[0], runs[1])
    assert len(Promotions.of(runs[0]).history) == 1


def test_a_run_that_vanished_is_not_served_and_the_earlier_one_is(runs: list[Path]) -> None:
    first, second, third = runs
    promote(first, second)
    promote(first, third)
    shutil.rmtree(third)
    with pytest.raises(Refused, match=r"promoted\.json: the promoted run cannot be served .*third: no such run folder"):
        current(first)
    found = standing(first)
    assert found.path == second and "third" in found.fault
    (second / "model" / "task.json").unlink()
    assert standing(first).path == first
    with pytest.raises(Refused, match="no finished model"):
        roll_back(first)


def test_what_is_no_finished_run_of_the_task_is_not_promoted(runs: list[Path], tmp_path: Path) -> None:
    first = runs[0]
    with pytest.raises(Refused, match="no finished model"):
        promote(first, run(tmp_path, "unfinished", finished=False))
    with pytest.raises(Refused, match="answers the task tag and"):
        promote(first, run(tmp_path, "tagger", "tag"))
    assert not (first / PROMOTED).exists()


def test_a_promotion_that_came_between_is_not_overruled(runs: list[Path]) -> None:
    first, second, third = runs
    promote(first, second, instead_of=first)
    with pytest.raises(Refused, match=r"second was promoted meanwhile, and .*third was not compared with it"):
        promote(first, third, instead_of=first)
    promote(first, second, instead_of=first)  # said again by a learn that was cut off behind its promotion
    assert len(Promotions.of(first).history) == 1
    assert current(first) == second


def test_of_two_promotions_at_once_none_is_lost(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    write = promotion.write_json

    def slowly(path: Path, value: Any) -> None:
        time.sleep(0.1)
        write(path, value)

    monkeypatch.setattr(promotion, "write_json", slowly)
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda to: promote(runs[0], to), runs[1:]))
    assert {each.after for each in Promotions.of(runs[0]).history} == {"../second", "../third"}


def test_folders_move_together(runs: list[Path], tmp_path: Path) -> None:
    promote(runs[0], runs[1])
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for each in runs[:2]:
        shutil.move(each, moved / each.name)
    assert standing(moved / "first") == Standing(moved / "second")


@pytest.mark.parametrize("text", ["[]", "{", '{"current": 3}', '{"history": [{"date": "today"}]}'])
def test_a_broken_file_is_refused_with_its_name(runs: list[Path], text: str) -> None:
    (runs[0] / PROMOTED).write_text(text)
    with pytest.raises(Refused, match=r"first.promoted\.json: "):
        current(runs[0])


def test_without_torch() -> None:
    code = "import sys, weitiao.serving.promotion; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
