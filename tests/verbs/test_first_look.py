"""What a new recipe takes from its rows: language, splits, and how many epochs."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from subprocess import run

import pytest

from weitiao.data import load_data
from weitiao.recipe import DataSpec, TrainingSpec
from weitiao.tasks.classify import Classify
from weitiao.verbs.starting import first_look
from weitiao.verbs.starting.first_look import (
    FEWEST,
    LOOKED_AT,
    MOST,
    SHARES,
    STEPS,
    Look,
    enough_epochs,
    look_at,
    starting_point,
)

FIELDS = Classify.fields
CHINESE, ENGLISH = "房间很干净，下次还会来", "clean rooms, we will be back"


def csv(path: Path, texts: list[str], header: str = "text,label", extra: str = "") -> str:
    lines = [
        header,
        *(f"{text.replace(',', ' ')} {n},{'good' if n % 2 else 'bad'}{extra}" for n, text in enumerate(texts)),
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def seen(source: str) -> Look:
    look = look_at(source, FIELDS)
    assert look is not None
    return look


@pytest.mark.parametrize(
    ("texts", "starter"),
    [
        ([ENGLISH] * 50, "starter:en"),
        ([CHINESE] * 50, "starter:zh-en"),
        ([ENGLISH] * 90 + [CHINESE] * 10, "starter:zh-en"),
        ([ENGLISH] * 299 + ["a small café in 北京"], "starter:en"),
        (["12345"] * 20, "starter:en"),
    ],
)
def test_the_starter_reads_the_language_of_the_texts(texts: list[str], starter: str, tmp_path: Path) -> None:
    assert starting_point(FIELDS, csv(tmp_path / "a.csv", texts)).given["model"]["name"] == starter


def test_the_language_is_that_of_the_texts_even_where_columns_are_unknown(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f"{n},{ENGLISH.replace(',', ' ')},{'好' if n % 2 else '坏'}\n" for n in range(30))
    path.write_text("编号,客户说的话,好坏\n" + rows, "utf-8")
    look = seen(str(path))
    assert look.chinese == 0
    assert look.columns == ["编号", "客户说的话", "好坏"]


def test_where_only_the_labels_are_chinese_the_texts_decide(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("review,stars\n" + "".join(f"fine {n},{'好' if n % 2 else '坏'}\n" for n in range(30)), "utf-8")
    assert seen(str(path)).chinese == 0


@pytest.mark.parametrize("count", [40, 354, 1000, 3000])
def test_the_training_rows_are_those_that_loading_leaves(count: int, tmp_path: Path) -> None:
    source = csv(tmp_path / "a.csv", [f"{CHINESE} {n * n}" for n in range(count)])
    task = Classify()
    loaded = load_data(
        DataSpec(file=source, **SHARES), fields=FIELDS, read=task.read, answer=task.answer, surface=task.surface
    )
    assert seen(source).train == pytest.approx(len(loaded.records["train"]), abs=2)


@pytest.mark.parametrize("train", [1, 100, 320, 400, 1000, 2133, 2134, 100_000, None])
def test_epochs_make_enough_steps_within_bounds(train: int | None) -> None:
    epochs, batch = enough_epochs(train), TrainingSpec().batch_size
    assert FEWEST <= epochs <= MOST
    if train is not None:
        assert epochs in (FEWEST, MOST) or epochs * train / batch >= STEPS > (epochs - 1) * train / batch
        assert epochs < MOST or (MOST - 1) * train / batch < STEPS
    assert enough_epochs(math.floor(LOOKED_AT * 0.7)) == FEWEST


def test_the_defaults_agree() -> None:
    assert TrainingSpec().epochs == FEWEST


def test_of_many_rows_the_first_are_looked_at(tmp_path: Path) -> None:
    look = seen(csv(tmp_path / "a.csv", [ENGLISH] * (LOOKED_AT + 1)))
    assert look.train is None
    start = starting_point(FIELDS, str(tmp_path / "a.csv"))
    assert start.given["training"]["epochs"] == FEWEST
    assert "training.epochs" not in start.remarks


def test_files_of_a_pattern_are_counted_together(tmp_path: Path) -> None:
    for name in ("a", "b"):
        csv(tmp_path / f"{name}.csv", [f"{ENGLISH} {name}"] * 50)
    assert seen(str(tmp_path / "*.csv")).train == 72


def test_a_split_column_leaves_the_shares_away(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    splits = ["train"] * 60 + ["Validation"] * 20 + ["test"] * 20
    path.write_text("text,label,Split\n" + "".join(f"t {n},{n % 2},{each}\n" for n, each in enumerate(splits)), "utf-8")
    look, start = seen(str(path)), starting_point(FIELDS, str(path))
    assert (look.train, look.split_column) == (60, "Split")
    assert start.given["data"] == {"file": str(path)}


def test_splits_of_a_json_file_count_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    rows = [{"text": f"t {n}", "label": n % 2} for n in range(30)]
    path.write_text(json.dumps({"train": rows, "test": rows[:10]}), "utf-8")
    assert seen(str(path)).train == 30
    assert "test" not in starting_point(FIELDS, str(path)).given["data"]


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\xff", b"PK\x03\x04broken"])
def test_a_file_that_cannot_be_read_is_for_check_to_explain(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    assert look_at(str(path), FIELDS) is None
    assert starting_point(FIELDS, str(path)).given["data"]["test"] == SHARES["test"]


def test_a_header_alone_gives_no_figures(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n", "utf-8")
    start = starting_point(FIELDS, str(path))
    assert start.given["data"]["file"] == str(path)
    assert "training.epochs" not in start.remarks


def test_no_hub_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_look, "stream_rows", lambda *_args, **_named: pytest.fail("a hub was asked"))
    assert starting_point(FIELDS, "hf:owner/name").given["data"]["file"] == "hf:owner/name"


@pytest.mark.parametrize("model", ["starter:en", "starter:zh-en", "starter:zh-en-full"])
def test_mean_pooling_is_for_starters_that_were_trained_with_it(model: str) -> None:
    start = starting_point(FIELDS, model=model)
    of_tokens = starting_point(FIELDS, model=model, pools=False, tokens=True).given
    assert of_tokens["training"] == {"head_learning_rate": 3e-3}
    assert "head" not in of_tokens["model"]
    assert (start.given["model"]["head"], start.given["training"]) == ("mean", {})


@pytest.mark.parametrize("model", ["starter:en-chat", "./folder", "hf:owner/name"])
def test_other_models_keep_the_defaults(model: str) -> None:
    start = starting_point(FIELDS, model=model)
    assert (start.given["model"], start.given["training"]) == ({"name": model}, {})


def test_no_torch_is_imported(tmp_path: Path) -> None:
    source = csv(tmp_path / "a.csv", [CHINESE] * 5)
    program = (
        f"import sys; from weitiao.verbs.new import recipe_text; recipe_text('classify', data={source!r});"
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert run([sys.executable, "-c", program], check=False).returncode == 0
