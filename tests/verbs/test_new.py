"""The commented recipe: it parses as it is, and with any or all of its defaults uncommented."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from weitiao.errors import Refused
from weitiao.messages import language
from weitiao.recipe import Recipe, load_recipe
from weitiao.verbs.frame import frame
from weitiao.verbs.new import new, recipe_text

SETTING = re.compile(r"^( *)#(\w+:.*)$")


def parsed(text: str, folder: Path) -> Recipe:
    path = folder / "written.yaml"
    path.write_text(text, "utf-8")
    return load_recipe(path, frame())


def test_it_parses_and_means_the_defaults(tmp_path: Path) -> None:
    recipe = parsed(recipe_text("classify", data="a.csv"), tmp_path)
    plain = load_recipe({"task": "classify", "model": "starter:zh-en", "data": "a.csv", "output": "runs/run"}, frame())
    assert recipe == plain


def test_every_default_uncommented_changes_nothing(tmp_path: Path) -> None:
    text = recipe_text("classify")
    all_set = "\n".join(SETTING.sub(r"\1\2", line) for line in text.splitlines())
    assert all_set != text
    assert parsed(all_set, tmp_path) == parsed(text, tmp_path)


def test_each_default_can_be_uncommented_alone(tmp_path: Path) -> None:
    lines = recipe_text("classify").splitlines()
    expected = parsed("\n".join(lines), tmp_path)
    settings = [index for index, line in enumerate(lines) if SETTING.match(line)]
    assert len(settings) > 40
    for index in settings:
        alone = [*lines[:index], SETTING.sub(r"\1\2", lines[index]), *lines[index + 1 :]]
        assert parsed("\n".join(alone), tmp_path) == expected, lines[index]


def test_every_key_of_the_recipe_is_there() -> None:
    text = recipe_text("classify")
    for name, field in Recipe.model_fields.items():
        assert re.search(rf"^#?{name}:", text, re.MULTILINE), name
        for key in getattr(field.annotation, "model_fields", {}):
            if name not in ("task", "method"):
                assert re.search(rf"^  #?{key}:", text, re.MULTILINE), f"{name}.{key}"


def test_every_key_is_described() -> None:
    lines = recipe_text("classify").splitlines()
    undescribed = [
        line for before, line in pairwise(lines)
        if SETTING.match(line) and not before.lstrip().startswith("# ")
    ]  # fmt: skip
    assert undescribed == []


@pytest.mark.parametrize("data", ["a b: c.csv", "#x.csv", "评论.csv", "it's.csv", "- x", "null", "1.5", "a\tb"])
def test_odd_file_names_read_back(data: str, tmp_path: Path) -> None:
    assert parsed(recipe_text("classify", data=data), tmp_path).data.file == data


def test_the_run_is_named_after_the_recipe(tmp_path: Path) -> None:
    path = new("classify", tmp_path / "hotels.yaml", data="a.csv")
    assert load_recipe(path, frame()).output == "runs/hotels"


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("mine", "utf-8")
    with pytest.raises(Refused) as refused:
        new("classify", path)
    assert str(refused.value) == f"{path}: already there and never overwritten; name another file"
    assert path.read_text("utf-8") == "mine"


def test_an_unknown_task_is_refused_with_a_guess(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        new("clasify", tmp_path / "r.yaml")
    assert str(refused.value) == "unknown task 'clasify'; expected one of: classify; did you mean 'classify'?"
    assert not (tmp_path / "r.yaml").exists()


def test_a_chinese_recipe_parses_to_the_same(tmp_path: Path) -> None:
    english = parsed(recipe_text("classify"), tmp_path)
    with language("zh_CN"):
        assert parsed(recipe_text("classify"), tmp_path) == english
