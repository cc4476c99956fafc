"""Lazy tables: nothing is imported before it is asked for, other packages may add, and names are guessed."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from weitiao.errors import Refused
from weitiao.tables import Table, closest, did_you_mean


def test_entries_are_found_by_name_and_listed_in_order() -> None:
    table = Table("thing", {"b": "json:loads", "a": "json:dumps"})
    assert list(table) == ["a", "b"]
    assert len(table) == 2
    assert table["a"] is json.dumps
    assert "a" in table
    assert "c" not in table


def test_unknown_names_are_refused_with_a_guess() -> None:
    table = Table("task", {"classify": "json:dumps", "tag": "json:loads"})
    with pytest.raises(Refused) as caught:
        table["clasify"]
    assert str(caught.value) == "unknown task 'clasify'; expected one of: classify, tag; did you mean 'classify'?"


def test_other_packages_add_entries_and_cannot_replace_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("own", "json:loads", "weitiao.things"),
        EntryPoint("new", "json:loads", "weitiao.things"),
        EntryPoint("broken", "json:nothing", "weitiao.things"),
        EntryPoint("absent", "no_such_package:x", "weitiao.things"),
    ]

    def entry_points(*, group: str) -> list[Any]:
        return points if group == "weitiao.things" else []

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    table = Table("thing", {"own": "json:dumps"})
    assert list(table) == ["absent", "broken", "new", "own"]
    assert (table["own"], table["new"]) == (json.dumps, json.loads)
    with pytest.raises(Refused, match=r"^the thing 'broken' of another package cannot be loaded from json:nothing \("):
        table["broken"]
    with pytest.raises(Refused, match="'absent' of another package cannot be loaded from no_such_package:x"):
        table["absent"]


def test_our_own_broken_entries_fail_loudly() -> None:
    with pytest.raises(AttributeError):
        Table("thing", {"a": "json:nothing"})["a"]


@pytest.mark.parametrize(
    ("name", "known", "guess"),
    [
        ("epocs", ["epochs", "order"], "epochs"),
        ("Classify", ["classify"], "classify"),
        ("zh", ["en", "zh_CN"], "zh_CN"),
        ("ma", ["macro_f1", "macro_recall"], None),
        ("xyz", ["epochs"], None),
        ("a", ["apple"], None),
        ("", ["apple"], None),
    ],
)
def test_closest(name: str, known: list[str], guess: str | None) -> None:
    assert closest(name, known) == guess
    assert did_you_mean(name, known) == (f"; did you mean '{guess}'?" if guess else "")


def test_the_tables_of_tasks_and_methods_are_lazy() -> None:
    code = (
        "import sys; from weitiao.tasks import TASKS; from weitiao.methods import METHODS, METHOD_OPTIONS; "
        "assert sorted(METHODS) == sorted(METHOD_OPTIONS); list(TASKS); "
        "assert 'torch' not in sys.modules and 'weitiao.tasks.classify' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
