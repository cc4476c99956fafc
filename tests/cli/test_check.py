"""`weitiao check` on rows that say odd things of each other: the closing line, `--rows`, and `--json`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.mistakes.cases import csv, rows

from weitiao.cli import main

HINT = "some of these are about several rows; list them all with --rows"
TWICE = rows()[3:5]


@pytest.fixture
def recipe(made_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A recipe beside good.csv, whose last two rows repeat rows 3 and 4."""
    monkeypatch.chdir(tmp_path)
    Path("good.csv").write_text(csv([*rows(), *TWICE]), "utf-8")
    model = f"{{name: {made_run / 'model'}, head: mean}}"
    Path("r.yaml").write_text(f"task: classify\nmodel: {model}\ndata: {{train: good.csv, dev: null}}\n", "utf-8")
    return "r.yaml"


def test_every_row_is_listed_on_demand(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = "warning: good.csv:42: 2 rows of train repeat an earlier row; the first repeats good.csv:5"
    assert main(["check", recipe]) == 0
    assert capsys.readouterr().err.splitlines() == [found, "1 warning", HINT]
    assert main(["check", recipe, "--rows"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        found,
        "  good.csv:42: see good.csv:5",
        "  good.csv:43: see good.csv:6",
        "1 warning",
    ]


def test_json_has_every_row(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", recipe, "--json"]) == 0
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["rows"] == [
        {"file": "good.csv", "line": 42, "twin": "good.csv:5", "note": ""},
        {"file": "good.csv", "line": 43, "twin": "good.csv:6", "note": ""},
    ]


def test_a_problem_with_one_row_needs_no_list(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("good.csv").write_text(csv([*rows(), *TWICE[:1]]), "utf-8")
    assert main(["check", recipe]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning: good.csv:42: 1 row of train repeats an earlier row: good.csv:5",
        "1 warning",
    ]
