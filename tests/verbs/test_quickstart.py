"""The first run on another model and in awkward folders, and what the pages say of its rows."""

from __future__ import annotations

import csv
import os
import random
import re
from pathlib import Path
from typing import Any

import pytest

from weitiao.errors import Refused
from weitiao.models.starters import corpus
from weitiao.models.tiny import tiny
from weitiao.verbs import quickstart as verb
from weitiao.verbs.quickstart import SIZES, quickstart


def reviews(folder: Path) -> Path:
    folder.mkdir()
    rng = random.Random(0)
    for number, (split, size) in enumerate({"train": 64, "dev": 16, "test": 32}.items()):
        rows = [
            f"{'好' if row % 2 else '坏'} {rng.choice(['房间', '服务', '味道'])} {number}{row:03},"
            f"{'positive' if row % 2 else 'negative'}"
            for row in range(size)
        ]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *rows]) + "\n", "utf-8")
    return folder


def test_another_model_and_paths_with_an_apostrophe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "o'neil: #1"
    base.mkdir()
    folder = reviews(base / "reviews")
    monkeypatch.setattr(verb, "reviews", lambda: folder)
    model = tiny("bert", base / "tiny")
    result = quickstart(model=model, output=base / "run")
    assert result.run.path == base / "run"
    assert result.run.report.model == str(model)
    assert result.figures["train_rows"] == 64
    assert len(result.answers) == 3


@pytest.fixture(scope="module")
def training_rows() -> int:
    """Rows that the first run trains on."""
    try:
        corpus()
    except Refused as missing:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(missing))
    with (verb.reviews() / "train.csv").open(encoding="utf-8", newline="") as stream:
        return sum(1 for _row in csv.DictReader(stream))


def test_what_is_odd_about_the_rows_is_told_before_the_model_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = reviews(tmp_path / "reviews")
    rows = (folder / "train.csv").read_text("utf-8")
    text = rows.splitlines()[1].removesuffix(",negative")
    (folder / "train.csv").write_text(f"{rows}{text},positive\n", "utf-8")
    monkeypatch.setattr(verb, "reviews", lambda: folder)
    events: list[dict[str, Any]] = []
    result = quickstart(model=tiny("bert", tmp_path / "tiny"), output=tmp_path / "run", on_event=events.append)
    (told,) = [place for place, event in enumerate(events) if event["kind"] == "problems"]
    assert events[told]["problems"] == result.run.warnings
    assert told < next(place for place, event in enumerate(events) if event.get("text") == "opening the model")


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/quickstart.md", "docs/quickstart.zh-CN.md"])
def test_the_pages_give_the_number_of_training_rows(page: str, repository: Path, training_rows: int) -> None:
    said = re.findall(r"`?make quickstart`?\D*?(\d,\d{3})\b", (repository / page).read_text("utf-8"))
    assert said[0] == f"{training_rows:,}"
    assert training_rows <= SIZES["train"]
