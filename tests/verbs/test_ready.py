"""Ready recipes as the user's own: every comment stays, values are replaced where they stand, and they load."""

from __future__ import annotations

from pathlib import Path

import pytest

from weitiao.cli import main
from weitiao.errors import ProblemsFound, Refused
from weitiao.recipe import Recipe, load_recipe
from weitiao.recipe.ready import RECIPES, ready_recipes
from weitiao.verbs.check import check
from weitiao.verbs.new import new
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.train import train


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "我的 #评论.csv").write_text("text,label\n好,a\n坏,b\n", "utf-8")
    return tmp_path


def loaded(path: Path | str) -> Recipe:
    return load_recipe(path, frame())


def comments(text: str) -> list[str]:
    return [line.partition("# ")[2] for line in text.splitlines() if "# " in line]


@pytest.mark.parametrize("name", ready_recipes())
def test_it_is_copied_whole(name: str, here: Path) -> None:
    path = new(name, "mine.yaml")
    own = (RECIPES / f"{name}.yaml").read_text("utf-8").replace(f"{name}.yaml", "mine.yaml")
    assert path.read_text("utf-8") == own.replace(f"output: runs/{name}", "output: runs/mine")
    assert loaded(path) == loaded(RECIPES / f"{name}.yaml").model_copy(update={"output": "runs/mine"})


@pytest.mark.parametrize("name", ready_recipes())
def test_data_and_model_are_put_in_place(name: str, here: Path) -> None:
    data, model = "我的 #评论.csv", "./a, b"
    path = new(name, "mine.yaml", data=data, model=model)
    before, after = loaded(RECIPES / f"{name}.yaml"), loaded(path)
    assert (after.data.train, after.model.name, after.output) == (data, model, "runs/mine")
    assert all(str(getattr(after.data, split)).endswith("%") for split in ("dev", "test"))
    assert after.model.head == before.model.head
    assert after.data.fields == before.data.fields
    for section in ("task", "method", "training", "evaluation", "report", "seed"):
        assert getattr(after, section) == getattr(before, section)
    own = (RECIPES / f"{name}.yaml").read_text("utf-8").replace(f"{name}.yaml", "mine.yaml")
    assert comments(path.read_text("utf-8")) == comments(own)


def test_comments_stay_in_their_column_while_there_is_room(here: Path) -> None:
    (here / "x.csv").write_text("text,label\n好,a\n", "utf-8")
    lines = new("classify-zh", "mine.yaml", data="x.csv").read_text("utf-8").splitlines()
    train = next(line for line in lines if line.startswith("  train:"))
    assert train.startswith("  train: x.csv            # csv, tsv")
    assert train.index("#") == next(line for line in lines if line.startswith("  dev:")).index("#")


def test_without_a_name_of_its_own_it_keeps_its_output(here: Path) -> None:
    assert loaded(new("classify-en")).output == "runs/classify-en"


def test_data_must_be_there(here: Path) -> None:
    with pytest.raises(Refused, match=r"^none\.csv: no such file"):
        new("classify-en", data="none.csv")
    assert not (here / "recipe.yaml").exists()


@pytest.mark.parametrize("given", ["classify-zh", "classify-zh.yaml"])
def test_its_name_is_no_file(given: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = (
        f"{given}: no such file, but 'classify-zh' is a ready recipe; "
        "write it to a file with: weitiao new classify-zh FILE"
    )
    for verb in (check, train):
        with pytest.raises(ProblemsFound) as refused:
            verb(given)
        assert str(refused.value) == said
    assert main(["check", given]) == 2
    assert capsys.readouterr().err.splitlines()[0] == f"error: {said}"


def test_a_file_of_that_name_is_read(here: Path) -> None:
    new("classify-zh", "classify-zh")
    assert loaded("classify-zh").output == "runs/classify-zh"


def test_the_list_says_how_to_take_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "recipes"]) == 0
    assert capsys.readouterr().out.endswith(
        "\nWrite one to a file of your own with: weitiao new NAME FILE --data ROWS\n"
    )
