"""JSON shapes, parquet, workbooks, hub and memory; how a format is chosen."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.data.reading.exports import zipped
from weitiao.data.reading import FORMATS, read_rows
from weitiao.data.reading.memory import read_memory
from weitiao.errors import ProblemsFound

ROWS = [{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]


def write(folder: Path, value: Any, name: str = "f.json") -> str:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1), "utf-8")
    return str(path)


def fields(source: str, **options: Any) -> list[dict[str, object]]:
    return [dict(row.fields) for row in read_rows(source, **options).rows]


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        {"text": ["a", "b"], "label": ["x", "y"]},
        {"data": ROWS, "version": 2},
        {"text": {"0": "a", "1": "b"}, "label": {"0": "x", "1": "y"}},
    ],
)
def test_json_shapes(tmp_path: Path, value: Any) -> None:
    assert fields(write(tmp_path, value)) == ROWS


def test_json_by_id_and_lists_and_splits(tmp_path: Path) -> None:
    assert fields(write(tmp_path, {"q1": ROWS[0], "q2": ROWS[1]})) == [{"id": "q1", **ROWS[0]}, {"id": "q2", **ROWS[1]}]
    assert fields(write(tmp_path, [["a", "x"], ["b", "y"]])) == [{"1": "a", "2": "x"}, {"1": "b", "2": "y"}]
    reading = read_rows(write(tmp_path, {"train": [["a", "x"]], "oos_val": [["b", "y"]]}))
    assert [dict(row.fields) for row in reading.rows] == [
        {"split": "train", "1": "a", "2": "x"},
        {"split": "oos_val", "1": "b", "2": "y"},
    ]
    assert reading.split_column == "split"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"text": "a",}]', r"f\.json:1: not valid JSON at column"),
        ('[\n{"text": "a"},\n{"text" "b"}]', r"f\.json:3: not valid JSON at column 9"),
        ('{"a": [1, 2], "b": [1]}', "none of the shapes"),
        ("[]", "holds no rows"),
    ],
)
def test_json_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ProblemsFound, match=message):
        read_rows(write(tmp_path, text))


def test_json_lines(tmp_path: Path) -> None:
    text = '{"text": "a\\nb\u2028c", "label": "x"}\r\n\r\n{"text": broken}\r\n"word"\r\n{"text": "b", "meta": {"n": 1}}'
    reading = read_rows(write(tmp_path, text, "f.json"))
    assert reading.file.format == "jsonl"
    assert [(row.line, row.problem[:14]) for row in reading.rows] == [
        (1, ""),
        (3, "not valid JSON"),
        (4, "expected an ob"),
        (5, ""),
    ]
    assert reading.columns == ["text", "label", "meta"]
    with pytest.raises(ProblemsFound, match="no line is a JSON object"):
        read_rows(write(tmp_path, "a\nb\n", "f.jsonl"))


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = str(tmp_path / "f.parquet")
    day = datetime.date(2024, 2, 29)
    pq.write_table(
        pa.table({"text": ["a", None], "day": [day, day], "tags": [["x"], []], "stars": [1.0, float("nan")]}), path
    )
    assert fields(path) == [
        {"text": "a", "day": "2024-02-29", "tags": ["x"], "stars": 1.0},
        {"text": None, "day": "2024-02-29", "tags": [], "stars": None},
    ]
    Path(path).write_bytes(b"PAR1 and then nothing")
    with pytest.raises(ProblemsFound, match="not a parquet file that can be read"):
        read_rows(path)


def test_xlsx(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "评论"
    for row in (
        ["text", "stars", "day"],
        ["好吃", 5.0, datetime.date(2024, 2, 29)],
        [None, None, None],
        ["bad", 1.5, None],
    ):
        sheet.append(row)
    book.create_sheet("other").append(["x", "y"])
    path = str(tmp_path / "f.xlsx")
    book.save(path)
    reading = read_rows(path, names=frozenset({"text"}))
    assert [(row.line, dict(row.fields)) for row in reading.rows] == [
        (2, {"text": "好吃", "stars": "5", "day": "2024-02-29"}),
        (4, {"text": "bad", "stars": "1.5", "day": ""}),
    ]
    assert fields(path, sheet="other", header=False) == [{"1": "x", "2": "y"}]
    with pytest.raises(ProblemsFound, match="no sheet 'othr'; the workbook has: 评论, other; did you mean 'other'"):
        read_rows(path, sheet="othr")
    Path(path).write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ProblemsFound, match="begins as a zip or an xlsx file does, but ends too early"):
        read_rows(path)
    Path(path).write_bytes(b"\xd0\xcf\x11\xe0 broken")
    with pytest.raises(ProblemsFound, match="not a workbook that can be read"):
        read_rows(path)


def test_hub_names_classes_and_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Labels:
        def int2str(self, number: int) -> str:
            return ["neg", "pos"][number]

    class Part:
        column_names = ("text", "label")
        features = {"text": object(), "label": Labels()}  # noqa: RUF012

        def __init__(self, *rows: tuple[str, int]) -> None:
            self.rows = rows

        def __getitem__(self, name: str) -> list[object]:
            return [row[self.column_names.index(name)] for row in self.rows]

    asked: list[tuple[str, str | None]] = []

    class Module:
        @staticmethod
        def load_dataset(name: str, config: str | None) -> dict[str, Part]:
            asked.append((name, config))
            return {"train": Part(("a", 0), ("b", 1)), "test": Part(("c", -1))}

    monkeypatch.setitem(sys.modules, "datasets", Module)
    reading = read_rows("hf:owner/reviews:zh")
    assert asked == [("owner/reviews", "zh")]
    assert [tuple(row.fields.values()) for row in reading.rows] == [
        ("a", "neg", "train"),
        ("b", "pos", "train"),
        ("c", None, "test"),
    ]
    assert reading.split_column == "split"
    with pytest.raises(ProblemsFound, match="expected hf:owner/name"):
        read_rows("hf:owner name")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(Exception, match=r"pip install 'weitiao\[hub\]'"):
        read_rows("hf:owner/reviews")


def test_memory() -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"text": ["a", "b"], "stars": [1.0, float("nan")], "when": pd.to_datetime(["2024-01-02", None])}
    )
    rows = read_memory(frame, "memory:train").rows
    assert [dict(row.fields) for row in rows] == [
        {"text": "a", "stars": 1.0, "when": "2024-01-02T00:00:00"},
        {"text": "b", "stars": None, "when": None},
    ]
    assert [row.fields for row in read_memory({"text": ["a", "b"], "label": ["x", "y"]}, "m").rows] == ROWS
    assert [row.fields for row in read_memory(iter(ROWS), "m").rows] == ROWS
    assert read_memory(ROWS, "m").file.sha256 != read_memory(ROWS[:1], "m").file.sha256
    for wrong in (7, "text", {"text": "a"}):
        with pytest.raises(ProblemsFound, match="expected a DataFrame"):
            read_memory(wrong, "m")


def test_format_by_content_or_as_told(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(row) for row in ROWS)
    assert read_rows(write(tmp_path, lines, "data.txt")).file.format == "jsonl"
    assert read_rows(write(tmp_path, ROWS, "data")).file.format == "json"
    assert read_rows(write(tmp_path, "text\tlabel\na\tx\n", "data.txt")).file.format == "tsv"
    with pytest.raises(ProblemsFound, match="could be csv or jsonl; say which under `format:`"):
        read_rows(write(tmp_path, lines, "data.csv"))
    assert fields(str(tmp_path / "data.csv"), format="jsonl") == ROWS
    with pytest.raises(ProblemsFound, match=r"unknown format 'jsnl'.*did you mean 'json"):
        read_rows(str(tmp_path / "data.csv"), format="jsnl")
    with pytest.raises(ProblemsFound, match="the format cannot be told"):
        read_rows(write(tmp_path, "only words here\n", "data.bin"))
    (tmp_path / "f.csv.gz").write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(ProblemsFound, match="gzip-compressed; unpack it first"):
        read_rows(str(tmp_path / "f.csv.gz"))


def test_every_entry_of_the_table_is_a_reader() -> None:
    assert {"csv", "hub", "json", "jsonl", "parquet", "tsv", "xlsx"} < set(FORMATS)
    assert list(FORMATS) == sorted(FORMATS)
    for name in FORMATS:
        assert callable(FORMATS[name]().sniff)
        assert callable(FORMATS[name]().read)


@pytest.mark.parametrize(
    ("value", "kind"), [("null", "null"), ("true", "true or false"), ("4.5", "a number"), ('"a secret"', "a string")]
)
def test_a_bare_value_is_named_by_its_kind_and_not_quoted(value: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n' + value + "\n", "utf-8")
    assert read_rows(str(path)).rows[1].problem == f"expected an object or a list; got {kind}"


def test_a_zip_that_was_cut_is_no_workbook(tmp_path: Path) -> None:
    whole = Path(zipped(tmp_path, {"train.csv": "text,label\na,b\n" * 50}))
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-40])
    with pytest.raises(ProblemsFound, match="begins as a zip or an xlsx file does, but ends too early; copy"):
        read_rows(str(tmp_path / "cut.zip"))
