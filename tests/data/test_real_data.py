"""The real data sets that messy files come from, with the counts that their own README gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.data.fields import codes, counts, load
from weitiao.data import read_rows


def test_medqa_gb18030(shared_data: Path) -> None:
    (path,) = (shared_data / "medqa_gb18030").glob("*.csv")
    data = load(file=str(path.parent / "*.csv"), fields={"text": "ask", "label": "department"}, dev=None)
    (file,) = data.files
    assert (file.encoding, file.delimiter, file.header, file.rows) == ("gb18030", ",", True, 7644)
    assert len({record.label for record in data.records["train"]}) == 11
    text = path.read_bytes().decode("gb18030").split("\n")
    assert all(text[record.line - 1].startswith(record.label) for record in data.records["train"])
    assert data.records["train"][-1].line > 7645, "multi-line fields"


def test_banking77(shared_data: Path) -> None:
    folder = shared_data / "banking77"
    data = load(train=str(folder / "train.csv"), test=str(folder / "test.csv"), dev=None)
    assert counts(data) == {"train": 10003, "test": 3080}
    assert codes(data) == []
    assert len({record.label for record in data.records["train"]}) == 77
    for name, multi_line in (("train", 10), ("test", 3)):  # the README's 13 are of both files together
        rows = read_rows(str(folder / f"{name}.csv")).rows
        physical = (folder / f"{name}.csv").read_bytes().decode().splitlines(keepends=True)
        assert sum("\n" in str(row.fields["text"]) for row in rows) == multi_line
        for row in rows:
            text, there = str(row.fields["text"]), "".join(physical[row.line - 1 : row.line + 9])
            assert there.startswith((text + ",", '"' + text.replace('"', '""') + '",')), row.place


def test_csl_ctg(shared_data: Path) -> None:
    names = {split: str(shared_data / "csl_ctg" / f"{split}.tsv") for split in ("train", "dev", "test")}
    data = load(**names, fields={"text": 2, "label": 3})
    assert counts(data) == {"train": 8000, "dev": 1000, "test": 1000}
    assert len({record.label for record in data.records["train"]}) == 13
    assert not any(file.header for file in data.files)


def test_clinc150(shared_data: Path) -> None:
    splits = {"train": ["train", "oos_train"], "dev": ["val", "oos_val"], "test": ["test", "oos_test"]}
    data = load(
        file=str(shared_data / "clinc150" / "data_small.json"), fields={"text": "1", "label": "2"}, splits=splits
    )
    assert counts(data) == {"train": 7600, "dev": 3100, "test": 5500}
    assert codes(data) == []
    assert Counter(record.label for record in data.records["test"])["oos"] == 1000


def test_cic_intent(shared_data: Path) -> None:
    names = {"train": "train.json", "dev": "dev.json", "test": "test_public.json"}
    sources = {split: str(shared_data / "cic_intent" / name) for split, name in names.items()}
    data = load(**sources, fields={"text": "sentence", "label": "label_des"})
    assert counts(data) == {"train": 10000, "dev": 2000, "test": 2000}
    assert {file.format for file in data.files} == {"jsonl"}
    assert [len({record.label for record in data.records[split]}) for split in ("train", "test")] == [118, 112]


def test_waimai_10k(shared_data: Path) -> None:
    data = load(file=str(shared_data / "waimai_10k" / "waimai_10k.csv"), dev="10%", test="20%")
    assert sum(counts(data).values()) == 11987
    assert counts(data)["test"] == 2397
    shares = [Counter(record.label for record in records)["1"] / len(records) for records in data.records.values()]
    assert all(abs(share - 4000 / 11987) < 0.01 for share in shares)
