"""The commented recipe: it parses as it is, and with any or all of its defaults uncommented."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from weitiao.errors import Refused
from weitiao.messages import language
from weitiao.recipe import Recipe, load_recipe
from weitiao.recipe.ready import ready_recipes
from weitiao.tasks import TASKS
from weitiao.verbs.new import new, recipe_text
from weitiao.verbs.preparing.frame import frame

SETTING = re.compile(r"^( *)#(\w+:.*)$")


def parsed(text: str, folder: Path) -> Recipe:
    path = folder / "written.yaml"
    path.write_text(text, "utf-8")
    return load_recipe(path, frame())


def rows(path: Path, count: int = 40) -> Path:
    """Chinese reviews with columns that are recognised."""
    path.write_text("评论,标签\n" + "".join(f"第 {n} 次来 味道不错,{n % 2}\n" for n in range(count)), "utf-8")
    return path


def test_it_parses_and_means_what_the_ready_recipes_do_and_the_defaults(tmp_path: Path) -> None:
    plain = {
        "task": "classify",
        "model": {"name": "starter:zh-en", "head": "mean"},
        "data": {"file": "reviews.csv", "dev": "10%", "test": "20%"},
        "output": "runs/run",
    }
    assert parsed(recipe_text("classify"), tmp_path) == load_recipe(plain, frame())


def test_with_data_it_is_set_for_the_rows(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.csv", 354)
    text = recipe_text("classify", data=str(path))
    recipe = parsed(text, tmp_path)
    assert (recipe.model.name, recipe.model.head) == ("starter:zh-en", "mean")
    assert (recipe.data.file, recipe.data.dev, recipe.data.test) == (str(path), "10%", "20%")
    assert (recipe.training.epochs, recipe.training.learning_rate) == (20, None)
    assert "  # few rows need many passes: 20 of about 255 training rows make 160 steps\n  epochs: 20\n" in text
    assert "  # mean, for the pooler that this starter's stock head would read is untrained\n  head: mean\n" in text
    assert "the columns are" not in text


def test_another_model_keeps_its_own_head(tmp_path: Path) -> None:
    recipe = parsed(recipe_text("classify", model="./folder"), tmp_path)
    assert (recipe.model.name, recipe.model.head) == ("./folder", "stock")


def test_columns_that_say_nothing_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text('编号,"评论\n内容",情感标签\n' + "".join(f"{n},味道不错 {n},{n % 2}\n" for n in range(9)), "utf-8")
    text = recipe_text("classify", data=str(path))
    assert "  # the columns are: 编号, 评论 内容, 情感标签\n  #fields: {}\n" in text
    assert parsed(text, tmp_path).data.fields == {}


def test_data_that_is_not_there_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows(tmp_path / "reviews.csv")
    with pytest.raises(Refused) as refused:
        new("classify", "r.yaml", data="review.csv")
    assert str(refused.value) == (
        f"review.csv: no such file; did you mean 'reviews.csv'?; paths start at the folder {tmp_path}"
    )
    with pytest.raises(Refused, match=r"^\*\.tsv: no file matches the pattern"):
        new("classify", "r.yaml", data="*.tsv")
    assert not (tmp_path / "r.yaml").exists()
    assert new("classify", "r.yaml", data="*.csv").is_file()


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


@pytest.mark.parametrize(
    "data", ["a b: c.csv", "#x.csv", "评论.csv", "it's.csv", "a,b}.csv", "- x", "null", "1.5", "a\tb"]
)
def test_odd_file_names_read_back(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows(Path(data))
    assert parsed(recipe_text("classify", data=data), tmp_path).data.file == data


def test_the_run_is_named_after_the_recipe(tmp_path: Path) -> None:
    path = new("classify", tmp_path / "hotels.yaml")
    assert load_recipe(path, frame()).output == "runs/hotels"


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("mine", "utf-8")
    with pytest.raises(Refused) as refused:
        new("classify", path)
    assert str(refused.value) == f"{path}: already there and never overwritten; name another file"
    assert path.read_text("utf-8") == "mine"


def test_an_unknown_name_is_refused_with_a_guess(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        new("clasify", tmp_path / "r.yaml")
    known = ", ".join([*TASKS, *ready_recipes()])
    assert str(refused.value) == (
        f"'clasify' is neither a task nor a ready recipe; expected one of: {known}; did you mean 'classify'?"
    )
    assert not (tmp_path / "r.yaml").exists()


def test_a_chinese_recipe_parses_to_the_same(tmp_path: Path) -> None:
    english = parsed(recipe_text("classify"), tmp_path)
    with language("zh_CN"):
        assert parsed(recipe_text("classify"), tmp_path) == english


def test_it_stays_one_when_chinese_rows_were_seen(tmp_path: Path) -> None:
    path = rows(tmp_path / "a.csv")
    english = parsed(recipe_text("classify", data=str(path)), tmp_path)
    with language("zh_CN"):
        assert parsed(recipe_text("classify", data=str(path)), tmp_path) == english
