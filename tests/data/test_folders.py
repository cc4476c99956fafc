"""Folders and zips as sources of a recipe: splits of their own, faults of several files, and what nobody takes."""

from __future__ import annotations

from pathlib import Path

from tests.data.fields import codes, counts, load, messages
from tests.data.reading.exports import tree, zipped

SPLITS = {"train.csv": "text,label\na,x\nb,y\nc,x\n", "dev.csv": "text,label\nd,x\n", "test.csv": "text,label\ne,y\n"}


def test_a_folder_is_a_source(tmp_path: Path) -> None:
    for source in (tree(tmp_path / "data", SPLITS), zipped(tmp_path, SPLITS)):
        data = load(file=source)
        assert counts(data) == {"train": 3, "dev": 1, "test": 1}
        assert codes(data) == []
        assert data.records["dev"][0].place.endswith("dev.csv:2")
    data = load(train=tree(tmp_path / "data", SPLITS), dev=None)
    assert "holds several splits (dev, test, train); give it as `data.file`" in messages(data)


def test_faults_of_every_file_count(tmp_path: Path) -> None:
    bad = {**SPLITS, "dev.csv": "text,label\nd,\n,x\n"}
    data = load(file=tree(tmp_path / "data", bad))
    assert "2 of 6 rows cannot be used, more than data.max_dropped" in messages(data)
    assert "dev.csv:2: no label; " in messages(data)


def test_a_folder_that_nobody_takes_keeps_its_message(tmp_path: Path) -> None:
    folder = tree(tmp_path / "data", {"rows.csv": SPLITS["train.csv"]})
    assert messages(load(train=folder, dev=None)).endswith(
        f"is a folder; name its files with a pattern, such as {folder}/*.csv"
    )
    assert "no file seq.in in it" in messages(load(train=folder, dev=None, format="parallel"))
