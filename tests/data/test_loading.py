"""load_data: mapping, splits, ledger; everything that is wrong at once; nothing lost on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.fields import codes, counts, load, messages
from weitiao.data import Ledger
from weitiao.errors import Failed


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def table(name: str, rows: int = 100, columns: str = "text,label", start: int = 0) -> str:
    body = "".join(f"text number {start + row},c{row % 3}\n" for row in range(rows))
    Path(name).write_text(f"{columns}\n{body}", "utf-8")
    return name


def test_shares_and_ledger_balance() -> None:
    data = load(train=table("a.csv", 1000), test="20%")
    assert counts(data) == {"train": 720, "dev": 80, "test": 200}
    assert data.problems == []
    assert data.ledger.read == {"a.csv": 1000}
    places = sorted(record.line for records in data.records.values() for record in records)
    assert places == list(range(2, 1002))
    for split, records in data.records.items():
        assert [record.line for record in records] == sorted(record.line for record in records)
        assert [(item.file, item.line) for item in data.items[split]] == [
            (record.file, record.line) for record in records
        ]


def test_the_same_recipe_gives_the_same_fingerprints() -> None:
    table("a.csv")
    first, again, other = load(train="a.csv"), load(train="a.csv"), load(train="a.csv", split_seed=18)
    assert first.fingerprints == again.fingerprints
    assert first.fingerprints["dev"] != other.fingerprints["dev"]
    assert set(first.to_json()["splits"]["train"]) == {"rows", "fingerprint"}
    json.dumps(first.to_json())


def test_own_files_lists_globs_and_no_dev() -> None:
    for number in (2, 1):
        table(f"part{number}.csv", 10, start=number * 100)
    data = load(train="part*.csv", test=[table("t.csv", 5)], dev=None)
    assert counts(data) == {"train": 20, "test": 5}
    assert [file.path for file in data.files] == ["part1.csv", "part2.csv", "t.csv"]
    assert load(train=["part2.csv", "part1.csv"], dev=None).records["train"][0].file == "part2.csv"


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({"train": "revews.csv"}, "missing-file", "revews.csv: no such file; did you mean 'reviews.csv'?"),
        ({"train": "no/such.csv"}, "missing-file", "no/such.csv: no such file: the folder no does not exist"),
        (
            {"train": "*.tsv"},
            "missing-file",
            "*.tsv: no file matches the pattern; it was looked for in the folder {here}",
        ),
        (
            {"train": "folder/*/x.csv"},
            "missing-file",
            "folder/*/x.csv: no file matches the pattern; it was looked for in the folder {here}/folder",
        ),
        (
            {"train": "no/*.csv"},
            "missing-file",
            "no/*.csv: no file matches the pattern: the folder {here}/no does not exist",
        ),
        ({"train": "folder"}, "folder", "folder: is a folder; name its files with a pattern, such as folder/*.csv"),
        ({"train": ["reviews.csv", "reviews.csv"]}, "repeated-source", "reviews.csv: the file is listed twice"),
        (
            {"train": "reviews.csv", "test": "reviews.csv"},
            "shared-file",
            "the file is given for `data.train` and `data.test`",
        ),
        ({"train": "reviews.csv", "dev": "0.1"}, "bad-share", "`data.dev` is '0.1'; a share is written as '10%'"),
        (
            {"train": "reviews.csv", "fields": {"text": "txt"}},
            "unknown-column",
            "reviews.csv: no column 'txt' for the field `text`; did you mean 'text'?; the columns are: text, label",
        ),
        (
            {"train": "reviews.csv", "fields": {"text": 3}},
            "unknown-column",
            "`data.fields.text` is column 3, but there are 2: text, label",
        ),
        (
            {"train": "reviews.csv", "fields": {"txt": "text"}},
            "unknown-field",
            "`data.fields` names 'txt', which the task does not read; expected: text, label, "
            "group, split; did you mean 'text'?",
        ),
        (
            {"train": "odd.csv"},
            "no-column",
            "odd.csv: no column for the field `text`; name it in the recipe, such as "
            "data.fields.text=words; the columns are: words, label",
        ),
        (
            {"train": "reviews.csv", "fields": {"split": "label"}},
            "split-twice",
            "`data.fields.split` goes with `data.file`",
        ),
        (
            {"file": "reviews.csv", "splits": {"train": ["a"]}},
            "no-split-column",
            "no column says which split a row belongs to",
        ),
        (
            {"train": "reviews.csv", "limit": {"test": 5}},
            "no-split",
            "`data.limit.test` is set, but there is no test split",
        ),
    ],
)
def test_mistakes(spec: dict[str, Any], code: str, message: str) -> None:
    table("reviews.csv")
    table("odd.csv", columns="words,label")
    Path("folder").mkdir()
    table("folder/x.csv")
    data = load(**spec)
    assert codes(data) == [code]
    assert message.replace("{here}", str(Path.cwd())) in messages(data)


def test_everything_wrong_is_reported_at_once() -> None:
    table("a.csv", columns="words,label")
    Path("b.csv").write_bytes(b"")
    data = load(train=["a.csv", "b.csv"], dev="0.2", test="c.csv")
    assert sorted(codes(data)) == ["bad-share", "empty-file", "missing-file", "no-column"]


def test_headerless_columns_are_shown_with_what_they_hold() -> None:
    Path("a.csv").write_text("很好吃。,1\n难吃,0\n", "utf-8")
    assert "the columns are: 1 ('很好吃。'), 2 ('1')" in messages(load(train="a.csv"))
    data = load(train="a.csv", fields={"text": 1, "label": "2"}, dev=None)
    assert [(record.text, record.line) for record in data.records["train"]] == [("很好吃。", 1), ("难吃", 2)]


def test_columns_by_alias_case_and_dotted_path() -> None:
    Path("a.json").write_text(
        json.dumps([{" Review ": f"t{n}", "meta": {"source": {"kind": "xy"[n % 2]}}} for n in range(9)])
    )
    data = load(train="a.json", fields={"label": "meta.source.kind"}, dev=None)
    assert [record.labels[0] for record in data.records["train"][:2]] == ["x", "y"]
    assert data.files[0].fields == {"label": "meta.source.kind", "text": " Review "}


def test_faulty_rows_are_ledgered_and_too_many_refused() -> None:
    rows = "".join(f"text {row},a\n" for row in range(200))
    Path("a.csv").write_text(f"text,label\n{rows},a\nlast,\n1,2,3\n", "utf-8")
    data = load(train="a.csv", max_dropped=0.02)
    assert [str(drop) for drop in data.ledger.dropped] == [
        "a.csv:202: empty text",
        "a.csv:203: no label",
        "a.csv:204: got 3 columns, expected 2",
    ]
    assert [(problem.code, problem.severity) for problem in data.problems] == [("dropped-rows", "note")]
    assert [str(row) for row in data.problems[0].rows] == [str(drop) for drop in data.ledger.dropped]
    assert sum(counts(data).values()) == 200
    refused = load(train="a.csv")
    assert (
        "a.csv:202: 3 of 203 rows cannot be used, more than data.max_dropped = 1.00% allows (line 202: empty text; "
        in messages(refused)
    )
    assert "; repair them, or let them go with data.max_dropped=0.015" in messages(refused)
    assert load(train="a.csv", max_dropped=0.015).problems[0].severity == "note"
    assert refused.problems[0].severity == "error"
    assert refused.problems[0].rows == data.problems[0].rows


def test_limit_keeps_a_sample_and_the_ledger_says_so() -> None:
    data = load(train=table("a.csv", 300), limit={"train": 30}, dev=None)
    assert counts(data) == {"train": 30}
    assert {drop.code for drop in data.ledger.dropped} == {"over-limit"}
    assert data.ledger.faults == []
    assert data.ledger.to_json()["files"]["a.csv"] == {
        "read": 300, "kept": {"train": 30}, "truncated": {}, "unused": {"over-limit": 270},
    }  # fmt: skip


def test_split_column_by_alias_and_by_mapping() -> None:
    values = ["train"] * 6 + ["Valid"] * 2 + ["test"] * 2
    Path("a.csv").write_text(
        "text,label,split\n" + "".join(f"t{n},c,{value}\n" for n, value in enumerate(values)), "utf-8"
    )
    assert counts(load(file="a.csv")) == {"train": 6, "dev": 2, "test": 2}
    data = load(file="a.csv", splits={"train": ["train", "valid"]}, dev=None)
    assert counts(data) == {"train": 8}
    assert codes(data) == ["unused-splits"]
    assert [drop.reason for drop in data.ledger.dropped] == ["its split 'test' is not used"] * 2
    assert codes(load(file="a.csv", test="10%")) == ["split-twice"]
    typo = load(file="a.csv", splits={"train": ["train"], "dev": ["vaild"]})
    assert (
        "`data.splits.dev` names 'vaild', which no row has; did you mean 'Valid'?; the rows have: Valid, test, train"
        in messages(typo)
    )


def test_unknown_split_values_are_listed() -> None:
    Path("a.csv").write_text("text,label,part\na,x,train\nb,y,held-out\nc,x,\n", "utf-8")
    data = load(file="a.csv", fields={"split": "part"}, max_dropped=0.5)
    assert "the split column says 'held-out'; expected train, dev, test" in messages(data)
    assert [drop.reason for drop in data.ledger.faults] == ["no split"]


def test_group_never_sits_in_two_splits() -> None:
    Path("a.csv").write_text("text,label,who\n" + "".join(f"t{n},c{n % 2},u{n % 25}\n" for n in range(500)), "utf-8")
    data = load(train="a.csv", test="20%", fields={"group": "who"})
    groups = [{record.group for record in records} for records in data.records.values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 25
    assert 80 <= counts(data)["test"] <= 100


def test_json_splits_cannot_be_one_split() -> None:
    rows = [{"text": f"t{n}", "label": "a"} for n in range(4)]
    Path("a.json").write_text(json.dumps({"train": rows, "test": [{"text": "new", "label": "a"}]}))
    assert counts(load(file="a.json", dev=None)) == {"train": 4, "test": 1}
    assert "holds several splits (test, train); give it as `data.file`, not as `data.train`" in messages(
        load(train="a.json")
    )


def test_memory_replaces_a_source() -> None:
    rows = [{"text": f"t{n}", "label": f"c{n % 2}"} for n in range(40)]
    data = load({"train": rows, "test": [{"text": "new", "label": "c0"}]}, train="unused")
    assert counts(data) == {"train": 36, "dev": 4, "test": 1}
    assert data.records["test"][0].place == "memory:test:1"
    assert counts(load({"file": rows}, train="unused", dev=None)) == {"train": 40}
    assert codes(load({"train": 7}, train="unused")) == ["bad-memory"]


def test_tiny_data_do_not_crash() -> None:
    one = load({"train": [{"text": "only", "label": "a"}]}, train="unused")
    assert counts(one) == {"train": 1}
    assert "a share of 10% for dev gets no row" in messages(one)
    two = load({"train": [{"text": "one", "label": "a"}, {"text": "two", "label": "b"}]}, train="unused")
    assert counts(two) == {"train": 1, "dev": 1}


def test_ledger_that_does_not_balance_is_a_failure() -> None:
    data = load(train=table("a.csv", 10), dev=None)
    data.ledger.truncate("train", ["a.csv"] * 4)
    assert data.ledger.to_json()["truncated"] == 4
    assert data.ledger.kept["a.csv", "train"] == 6
    with pytest.raises(Failed, match=r"a\.csv: the row ledger does not balance"):
        data.ledger.truncate("train", ["a.csv"] * 7)
    lost = Ledger()
    lost.read["b.csv"] = 2
    lost.drop("b.csv", 2, "faulty-row", "empty text")
    with pytest.raises(Failed, match="2 rows read, 1 accounted for"):
        lost.check()


def test_columns_of_listed_rows_are_counted_without_the_split(tmp_path: Path) -> None:
    """As in clinc150: an object of splits whose rows are lists; the split is the reader's column and has no number."""
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"train": [["one", "a"], ["two", "b"]], "test": [["three", "a"]]}), "utf-8")
    found = load(file=str(path), dev=None, fields={"text": 1, "label": 2})
    assert [(record.text, record.labels) for record in found.records["train"]] == [("one", ("a",)), ("two", ("b",))]
