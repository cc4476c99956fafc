"""Folders and zips as sources of a recipe: splits of their own, faults of several files, and what nobody takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.data.fields import Field, codes, counts, load, messages
from tests.data.reading.exports import tree, zipped
from weitiao.data import Dataset, load_data
from weitiao.recipe import DataSpec
from weitiao.records import ClassifyRecord

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


PAIRS = (
    Field("text", aliases=("text", "sentence1", "question1", "sentence", "question", "title", "content")),
    Field("text_pair", required=False, aliases=("sentence2", "question2")),
    Field("label", aliases=("label", "target"), only_labelled=True),
)


def read_pair(values: Mapping[str, object], *, file: str, line: int, group: str) -> ClassifyRecord:
    text, pair, label = (values.get(each) for each in ("text", "text_pair", "label"))
    assert isinstance(text, str) and isinstance(pair, str | None)
    return ClassifyRecord(file=file, line=line, group=group, text=text, text_pair=pair, labels=(str(label),))


def load_pairs(**spec: Any) -> Dataset:
    return load_data(
        DataSpec(**spec),
        fields=PAIRS,
        read=read_pair,
        answer=lambda record: record.label,
        surface=lambda record: record.text,
    )


def table(*rows: str) -> str:
    return "".join(row.replace("|", "\t") + "\n" for row in rows)


def dumped(*rows: Mapping[str, object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def inferences(*labels: str) -> str:
    return dumped(*({"gold_label": each, "sentence1": f"a {each}", "sentence2": "b"} for each in labels))


MRPC = "Quality|#1 ID|#2 ID|#1 String|#2 String"
QQP = "id|qid1|qid2|question1|question2|is_duplicate"
MNLI = "index|genre|sentence1|sentence2|label1|gold_label"
CSL = [{"id": number, "abst": f"摘要{number}", "keyword": ["甲", "乙"]} for number in range(2)]
BENCHMARKS = {
    "QNLI": (
        {
            "train.tsv": table("index|question|sentence|label", "0|Who?|Ann.|entailment", "1|When?|Now.|no"),
            "dev.tsv": table("index|question|sentence|label", "0|Why?|So.|no"),
            "test.tsv": table("index|question|sentence", "0|How?|Thus."),
        },
        ("Who?", "Ann.", "entailment"),
    ),
    "MRPC": (
        {
            "train.tsv": table(MRPC, "1|70|71|He said so .|So he said .", "0|72|73|A b .|C d ."),
            "dev.tsv": table(MRPC, "1|74|75|E f .|G h ."),
            "dev_ids.tsv": table("74|75"),
            "test.tsv": table("index|#1 ID|#2 ID|#1 String|#2 String", "0|76|77|X .|Y ."),
        },
        ("He said so .", "So he said .", "1"),
    ),
    "CoLA": (
        {
            "train.tsv": table("gj04|1||They drank.", "gj04|0|*|They drank the pub."),
            "dev.tsv": table("bc01|1||The sailors rode."),
            "test.tsv": table("index|sentence", "0|Bill fell."),
        },
        ("They drank.", None, "1"),
    ),
    "QQP": (
        {
            "train.tsv": table(QQP, "0|1|2|How is it?|How was it?|1", "1|3|4|Who?|Why?|0"),
            "dev.tsv": table(QQP, "2|5|6|What?|Which?|0"),
            "test.tsv": table("id|question1|question2", "0|A?|B?"),
        },
        ("How is it?", "How was it?", "1"),
    ),
    "MNLI": (
        {
            "train.tsv": table(MNLI, "0|x|He ran.|He moved.|neutral|entailment", "1|x|A.|B.|neutral|neutral"),
            "dev_matched.tsv": table(MNLI, "0|x|C.|D.|neutral|neutral"),
            "dev_mismatched.tsv": table(MNLI, "0|y|E.|F.|neutral|neutral"),
            "test_matched.tsv": table("index|genre|sentence1|sentence2", "0|x|G.|H."),
        },
        ("He ran.", "He moved.", "entailment"),
    ),
    "csl": (
        {
            "train.json": dumped({**CSL[0], "label": "0"}, {**CSL[1], "label": "1"}),
            "dev.json": dumped({**CSL[0], "label": "1"}, {**CSL[1], "label": "1"}),
            "test.json": dumped(*CSL),
        },
        ("摘要0", "甲 乙", "0"),
    ),
}


@pytest.mark.parametrize(("files", "first"), BENCHMARKS.values(), ids=BENCHMARKS)
def test_folders_of_benchmarks_need_no_option(
    tmp_path: Path, files: dict[str, str], first: tuple[str, str | None, str]
) -> None:
    data = load_pairs(file=tree(tmp_path, files))
    assert counts(data)["train"] == 2 and counts(data).keys() == {"train", "dev"}
    record = data.records["train"][0]
    assert isinstance(record, ClassifyRecord)
    assert (record.text, record.text_pair, record.label) == first
    assert set(codes(data)) <= {"unlabelled-test", "unused-files"}


def test_pairs_without_agreement_are_left_out(tmp_path: Path) -> None:
    files = {f"snli_1.0_{split}.jsonl": inferences("entailment", "neutral", "-") for split in ("train", "dev", "test")}
    data = load_pairs(file=tree(tmp_path, {**files, "README.txt": "hello"}))
    assert counts(data) == {"train": 2, "dev": 2, "test": 2}
    assert "3 rows are left out, for their label is '-': their annotators did not agree" in messages(data)
    assert [each.code for each in data.ledger.dropped] == ["no-agreement"] * 3 and data.ledger.faults == []
    files["other_train.jsonl"] = files["snli_1.0_train.jsonl"]
    assert "is a folder; name its files" in messages(load_pairs(file=tree(tmp_path / "two", files)))


def test_a_text_that_nobody_reads_is_named(tmp_path: Path) -> None:
    files = {"train.csv": "title,content,label\none,first,a\ntwo,second,b\n"}
    source = f"{tree(tmp_path, files)}/train.csv"
    data = load_pairs(train=source, dev=None)
    assert "the column 'content' is not read, though the task takes a second text; name it" in messages(data)
    assert "(data.fields.text_pair=content), or say which one is the text (data.fields.text=title)" in messages(data)
    for told in ({"text": "content"}, {"text_pair": "content"}):
        assert "unread-text" not in codes(load_pairs(train=source, dev=None, fields=told))
