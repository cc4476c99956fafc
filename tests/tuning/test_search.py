"""What of a search cannot work, and the Optuna objects that it becomes."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from weitiao.errors import MissingExtra, Refused
from weitiao.tuning.reading import parse_space, read_space
from weitiao.tuning.search import (
    PRUNERS,
    SAMPLERS,
    Facts,
    Search,
    make_pruner,
    make_sampler,
    misfits,
    open_optuna,
    refuse_unknown,
)

FACTS = Facts(dev=True, folds=False, repeats=1, evaluations=3)
NUMBERS = {"training.learning_rate": {"low": 1e-5, "high": 1e-3}, "model.dropout": {"low": 0, "high": 0.5}}
LISTS = {"method": ["head", "full"]}


@pytest.mark.parametrize(
    ("search", "space", "facts", "sentence"),
    [
        ({"sampler": "cmaes"}, LISTS, FACTS, "cmaes searches numbers only, and `method` is a list of choices"),
        ({"sampler": "cmaes"}, {"model.dropout": {"low": 0, "high": 1}}, FACTS, "cmaes needs two numbers at least"),
        ({"sampler": "cmaes", "against": ("model_bytes",)}, NUMBERS, FACTS, "cmaes has one objective"),
        ({"sampler": "grid"}, NUMBERS, FACTS, "a grid has an end, and `training.learning_rate` has none"),
        (
            {"sampler": "grid"},
            {"seed": {"low": 1, "high": 5000, "int": True}},
            FACTS,
            "the grid has 5,000 combinations",
        ),
        (
            {"pruner": "median", "against": ("ms_per_text",)},
            LISTS,
            FACTS,
            "a trial with two objectives cannot be pruned",
        ),
        ({"pruner": "wilcoxon"}, LISTS, Facts(True, True, 4, 3), "of 4 it can give up no trial before the last"),
        ({"pruner": "median"}, LISTS, Facts(True, False, 1, 1), "median needs two evaluations of a trial"),
        ({"pruner": "hyperband"}, LISTS, Facts(False, True, 5, 3), "there is no dev split"),
        ({}, LISTS, Facts(False, False, 1, 3), "trials are compared on dev rows, and there are none"),
    ],
)
def test_what_cannot_work(search: dict[str, Any], space: dict[str, Any], facts: Facts, sentence: str) -> None:
    (said,) = misfits(Search(**search), parse_space(read_space(space)), facts)
    assert sentence in said


def test_what_can() -> None:
    numbers, lists = parse_space(read_space(NUMBERS)), parse_space(read_space(LISTS))
    assert not list(misfits(Search(sampler="cmaes", pruner="median"), numbers, FACTS))
    assert not list(misfits(Search(sampler="grid", pruner="hyperband"), lists, FACTS))
    assert not list(misfits(Search(pruner="wilcoxon"), lists, Facts(False, True, 5, None)))
    assert not list(misfits(Search(sampler="nsga2", against=("ms_per_text",)), lists, FACTS))


def test_unknown_names_and_budgets_all_at_once() -> None:
    with pytest.raises(Refused) as caught:
        refuse_unknown(Search(sampler="tep", pruner="medain", against=("bytes",), trials=0, minutes=0))
    assert str(caught.value).splitlines() == [
        "unknown sampler 'tep'; expected one of: tpe, random, grid, cmaes, nsga2; did you mean 'tpe'?",
        "unknown pruner 'medain'; expected one of: median, hyperband, wilcoxon; did you mean 'median'?",
        "unknown against 'bytes'; expected one of: ms_per_text, model_bytes, trained_parameters",
        "`trials` is 0; expected at least 1",
        "`minutes` is 0; expected a number above 0",
    ]


@pytest.mark.parametrize("minutes", [float("nan"), float("inf"), -1.0, 0.0])
def test_minutes_that_never_end_are_no_budget(minutes: float) -> None:
    with pytest.raises(Refused, match="`minutes` is"):
        refuse_unknown(Search(minutes=minutes))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        MissingExtra, match=r"^optuna is not installed; install it with: pip install 'weitiao\[tune\]'$"
    ):
        open_optuna()


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_are_made(name: str) -> None:
    assert make_sampler(Search(sampler=name), 3) is not None


def test_tpe_keeps_away_from_what_other_workers_are_trying() -> None:
    assert make_sampler(Search(sampler="tpe"), 3)._constant_liar  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", PRUNERS)
def test_pruners_are_made(name: str) -> None:
    assert name in type(make_pruner(Search(pruner=name), 4)).__name__.lower()
