"""Spaces as they are written, what is drawn from them, and the mistakes in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from weitiao.errors import ProblemsFound
from weitiao.tuning.reading import parse_space, read_space
from weitiao.tuning.search import steps
from weitiao.tuning.space import Choices, Given, Normal, Number, Space, laid_over, shown_changes

BASE = {"method": {"name": "full"}, "training": {"epochs": 3, "batch_size": 32}}


def parsed(space: Any) -> Space:
    return parse_space(read_space(space))


def drawn(space: Space, **values: Any) -> dict[str, Any]:
    named = {name.replace("__", "."): value for name, value in values.items()}
    return laid_over(BASE, space.draw(Given(named)))


def said(space: Any) -> str:
    with pytest.raises(ProblemsFound) as caught:
        parsed(space)
    return str(caught.value)


def test_a_range_a_list_and_a_constant() -> None:
    space = parsed({"training.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}, "training.batch_size": [16, 32],
                    "training": {"epochs": 1}})  # fmt: skip
    assert [each.name for each in space.dimensions] == ["training.learning_rate", "training.batch_size"]
    assert space.dimensions[0].domain == Number(1e-5, 1e-3, log=True)
    recipe = drawn(space, training__learning_rate=1e-4, training__batch_size=16)
    assert recipe == {**BASE, "training": {"epochs": 1, "batch_size": 16, "learning_rate": 1e-4}}


def test_a_choice_with_a_name_takes_the_place_of_the_section_and_has_a_search_of_its_own() -> None:
    space = parsed({"method": [{"name": "lora", "rank": [4, 8], "alpha": 16}, "head", {"name": "freeze", "layers": 2}]})
    recipe = laid_over(
        {"method": {"name": "full", "cache": True}}, space.draw(Given({"method": "lora", "method=lora.rank": 8}))
    )
    assert recipe == {"method": {"name": "lora", "rank": 8, "alpha": 16}}
    assert drawn(space, method="head")["method"] == "head"
    assert shown_changes(space.draw(Given({"method": "freeze"}))) == {"method": "freeze", "method.layers": 2}
    assert [each.name for each in space.all()] == ["method", "method=lora.rank"]


def test_a_choice_without_a_name_is_laid_over_the_section() -> None:
    space = parsed({"training": [{"epochs": 1, "batch_size": [8, 16]}, {"epochs": 5}]})
    first, second = (option.label for option in space.dimensions[0].domain.options)  # type: ignore[union-attr]
    values = {"training": first, f"training={first}.batch_size": 8}
    assert laid_over(BASE, space.draw(Given(values)))["training"] == {"epochs": 1, "batch_size": 8}
    assert laid_over(BASE, space.draw(Given({"training": second})))["training"] == {"epochs": 5, "batch_size": 32}


def test_an_option_of_a_section_that_is_chosen_by_its_name() -> None:
    space = parsed({"method": ["head", "freeze"], "method.cache": False})
    assert drawn(space, method="freeze")["method"] == {"name": "freeze", "cache": False}


def test_two_choices_of_one_name_are_two_parameters() -> None:
    space = parsed({"method": [{"name": "lora", "rank": [4, 8]}, {"name": "lora", "rank": [2, 16], "dora": True}]})
    assert [each.name for each in space.all()] == ["method", "method=lora#1.rank", "method=lora#2.rank"]


def test_a_grid_goes_through_every_combination_and_counts_them() -> None:
    space = parsed({"method": [{"name": "freeze", "layers": {"low": 1, "high": 3, "int": True}}, "head"],
                    "model.dropout": {"low": 0.0, "high": 0.2, "step": 0.1}})  # fmt: skip
    combinations = list(space.combinations(steps))
    assert len(combinations) == space.count(steps) == (3 + 1) * 3
    assert {json.dumps(each, sort_keys=True) for each in combinations} >= {
        '{"method": "head", "model.dropout": 0.2}',
        '{"method": "freeze", "method=freeze.layers": 2, "model.dropout": 0.1}',
    }
    assert parsed({"a": {"low": 0.1, "high": 0.2}}).endless()


@pytest.mark.parametrize(
    ("kind", "numbers", "domain"),
    [
        ("uniform", [0, 1], Number(0, 1)),
        ("loguniform", [1e-5, 1e-2], Number(1e-5, 1e-2, log=True)),
        ("randint", [1, 5], Number(1, 4, whole=True)),
        ("quniform", [0, 1, 0.25], Number(0, 1, quantum=0.25)),
        ("qloguniform", [1, 64, 8], Number(1, 64, log=True, quantum=8)),
        ("normal", [0, 2], Normal(0, 2)),
        ("qnormal", [8, 2, 2], Normal(8, 2, quantum=2)),
        ("lognormal", [0, 1], Normal(0, 1, log=True)),
        ("qlognormal", [3, 1, 4], Normal(3, 1, log=True, quantum=4)),
    ],
)
def test_nni_types(kind: str, numbers: list[float], domain: Number | Normal) -> None:
    assert parsed({"training.x": {"_type": kind, "_value": numbers}}).dimensions[0].domain == domain


def test_nni_rounds_as_it_says() -> None:
    assert [Number(5, 64, quantum=16).value(drawn) for drawn in (5, 9, 30, 64)] == [5, 16, 32, 64]
    assert Number(5, 64, quantum=16).steps() == [5, 16, 32, 48, 64]
    assert Normal(8, 2, quantum=2).value(0.5) == 8
    assert Normal(0, 1, log=True).value(0.5) == pytest.approx(1.0)
    assert Normal(3, 2).value(0.8413447) == pytest.approx(5.0)


def test_nested_choices_of_nni() -> None:
    space = parsed({"method": {"_type": "choice", "_value": [
        {"_name": "head"}, {"_name": "lora", "rank": {"_type": "choice", "_value": [4, 8]}},
    ]}})  # fmt: skip
    assert laid_over(BASE, space.draw(Given({"method": "head"})))["method"] == {"name": "head"}
    chosen = space.draw(Given({"method": "lora", "method=lora.rank": 4}))
    assert laid_over(BASE, chosen)["method"] == {"name": "lora", "rank": 4}


def test_a_json_file_indented_with_tabs(tmp_path: Path) -> None:
    path = tmp_path / "search_space.json"
    path.write_text('{\n\t"training.batch_size": {"_type": "choice", "_value": [16, 32]}\n}', "utf-8")
    assert isinstance(parsed(path).dimensions[0].domain, Choices)


def test_a_key_on_the_command_line_takes_the_place_of_the_file_s(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text("training.epochs: [1, 2]\nmethod: [head, full]\n", "utf-8")
    space = parsed([str(path), "training.epochs=[3, 4]", "training.batch_size=8"])
    assert drawn(space, training__epochs=3, method="head")["training"] == {"epochs": 3, "batch_size": 8}


@pytest.mark.parametrize(
    "text",
    [
        "training: {learning_rate: [1e-3, 1e-2], epochs: 2}",
        "training.learning_rate: [1e-3, 1e-2]\ntraining: {epochs: 2}",
    ],
)
def test_however_the_file_nests_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(text, "utf-8")
    space = parsed([str(path), "training.learning_rate=[1e-1, 1]"])
    assert drawn(space, training__learning_rate=0.1)["training"] == {
        **BASE["training"],
        "epochs": 2,
        "learning_rate": 0.1,
    }
    (dimension,) = space.dimensions
    assert [each.label for each in dimension.domain.options] == [0.1, 1]  # type: ignore[union-attr]
    assert dimension.place == "command line"
    whole = parsed([str(path), "training=[{epochs: 1}, {epochs: 3}]"])
    assert [each.name for each in whole.all()] == ["training"]


@pytest.mark.parametrize(
    ("space", "size"),
    [
        ({"a": [1, 2], "b": {"low": 1, "high": 9, "step": 2, "int": True}}, 10),
        ({"a": {"low": 0.0, "high": 0.3, "step": 0.1}}, 4),
        ({"a": {"_type": "quniform", "_value": [5, 64, 16]}}, 5),
        ({"a": {"_type": "quniform", "_value": [0, 1e12, 1]}}, 10**12 + 1),
        ({"method": [{"name": "lora", "rank": [4, 8]}, "head"], "a": [1, 2]}, 6),
        ({"method": [{"name": "lora", "alpha": {"low": 1, "high": 2}}, "head"]}, None),
        ({"a": {"_type": "normal", "_value": [0, 1]}, "b": [1, 2]}, None),
    ],
)
def test_a_space_knows_how_many_combinations_it_has(space: Any, size: int | None) -> None:
    assert parsed(space).size() == size


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("s.json", '{"a.b": [1, 2],\n "c": [1 2]}', "s.json:2: not valid JSON at column 10; see to the quotes, commas"),
        ("s.jsonl", '{"a": [1, 2]}\n{"a": [3]}', "s.jsonl: looks like data, where a space is expected: a YAML or JSON"),
    ],
)
def test_files_that_are_no_space(name: str, text: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert said(tmp_path / name).removeprefix(f"{tmp_path}/").startswith(sentence)


def test_every_mistake_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(
        "training.epochs: []\n"
        "training.learning_rate: {low: 1e-3, high: 1e-5}\n"
        "training.warmup: {low: 0, high: 0.1, setp: 1}\n"
        "model.dropout: {low: 0, high: 0.5, log: true}\n"
        "training.batch_size: {_type: unifrom, _value: [1, 2]}\n"
        "training.patience: {_type: uniform, _value: [1]}\n",
        "utf-8",
    )
    assert said(path).replace(str(path), "F").splitlines() == [
        "F:1: `training.epochs` has no choices; expected a list with at least one",
        "F:2: `training.learning_rate`: low 0.001 is above high 1e-05",
        "F:3: `training.warmup`: unknown key 'setp' in a range; expected one of: low, high, log, step, int"
        "; did you mean 'step'?",
        "F:4: `model.dropout`: a logarithmic range begins above 0; got 0",
        "F:5: `training.batch_size`: unknown _type 'unifrom'; expected one of: choice, randint, uniform, quniform, "
        "loguniform, qloguniform, normal, qnormal, lognormal, qlognormal; did you mean 'uniform'?",
        "F:6: `training.patience`: `_value` of uniform is a list of 2 numbers; got [1]",
    ]


@pytest.mark.parametrize(
    ("space", "sentence"),
    [
        ({"a.b": [1, 2], "a": {"b": [3, 4]}}, "`a.b` is given twice"),
        ({"a.b": [1, 1]}, "`a.b` has a choice twice"),
        ({"a": {"low": 1, "high": 2, "log": 1}}, "`log` is true or false; got 1"),
        ({"a": {"low": 1}}, "a range is made of numbers, with `low` and `high`"),
        ({"a": {"low": 1, "high": 9, "step": 2, "log": True}}, "`step` or `log`, not both"),
        ({"a": {"low": 1, "high": 9, "step": 0}}, "the step of a range is above 0"),
        ({"a": {"low": 0.5, "high": 9, "int": True}}, "has whole numbers"),
        ({"a": {"_type": "normal", "_value": [0, 0]}}, "the deviation and the step of normal are above 0"),
        (
            {"a": {"_type": "randint", "_value": [4, 1]}},
            "`a`: randint [4, 1] holds no number, for its end is not in it",
        ),
        ({"a": {"_type": "randint", "_value": [1, 4.5]}}, "`a`: randint is made of whole numbers; got [1, 4.5]"),
        ({"method": {"name": "lora", "rank": [4, 8]}}, "as a list: `method: [{name: lora, rank: [4, 8]}]`"),
        (["method.name=[head, full]"], "the alternatives of `method` are written as a list: `method=[head, full]`"),
        ({"a": {"_type": "choice", "_value": 3}}, "`_value` of a choice is a list; got 3"),
        (["x.yaml", "y.yaml"], "a space has one file, and there are 2: x.yaml, y.yaml"),
        ("no-such.yaml", "no-such.yaml: the space cannot be read (No such file or directory)"),
    ],
)
def test_mistakes(space: Any, sentence: str) -> None:
    assert sentence in said(space)
