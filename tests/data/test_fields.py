"""The column that a message suggests for a field that has none: free, long texts for text, few values for a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from tests.data.fields import FIELDS
from weitiao.data.fields import map_columns
from weitiao.data.reading import FileReading, Reading
from weitiao.records import Row


def reading(*columns: str, rows: Sequence[Sequence[str]] = ()) -> Reading:
    made = [Row(dict(zip(columns, cells, strict=True)), "f.csv", line) for line, cells in enumerate(rows, start=2)]
    return Reading(FileReading("f.csv", "", "csv", len(made)), columns, made)


def told(source: Reading, mapping: Mapping[str, str | int] | None = None, **options: bool) -> list[str]:
    return [problem.message for problem in map_columns(source, mapping or {}, FIELDS, **options)[1]]


EXPORT = [(f"shop {n}", f"a long text that somebody wrote, number {n}", "ab"[n % 2], "2024") for n in range(9)]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_longest_texts_and_the_fewest_labels_are_suggested(order: Sequence[int]) -> None:
    names = ("shop", "words", "mood", "year")
    source = reading(*(names[each] for each in order), rows=[[row[each] for each in order] for row in EXPORT])
    text, label = told(source)
    assert "such as data.fields.text=words; " in text
    assert "such as data.fields.label=mood; " in label


def test_a_column_of_labels_is_filled_and_called_so() -> None:
    """A remark that is seldom there has few values, and so has who dealt with it."""
    rows = [(f"words of row {n}", "seen" if n == 3 else "", "ab"[n % 2], f"kind {n % 5}") for n in range(20)]
    (label,) = told(reading("text", "备注", "处理人", "投诉 label", rows=rows))
    assert "such as data.fields.label=投诉 label; " in label
    (label,) = told(reading("text", "备注", "处理人", "x", rows=rows))
    assert "such as data.fields.label=处理人; " in label


def test_without_a_recipe_a_column_is_to_be_called_otherwise() -> None:
    (text,) = told(reading("shop", "words", rows=[row[:2] for row in EXPORT]), labelled=False)
    assert text == (
        "no column for the field `text`; name a column as in the training data, or call it 'text', such as 'words'; "
        "the columns are: shop, words"
    )


def test_paths_reach_into_objects_and_lists() -> None:
    fields = {"sentence": "x", "info": [{"score": "0.5"}, {"score": "-1"}]}
    source = Reading(FileReading("f", "", "json", 1), list(fields), [Row(fields, "f", 1), Row({"info": []}, "f", 2)])
    columns, problems = map_columns(source, {"text": "sentence", "label": "info.2.score"}, FIELDS)
    assert problems == []
    assert [columns.apply(row.fields) for row in source.rows] == [
        {"text": "x", "label": "-1"},
        {"text": None, "label": None},
    ]
    assert "no column 'info.3.score'" in told(source, {"text": "sentence", "label": "info.3.score"})[0]


def test_a_column_of_another_field_is_not_suggested() -> None:
    source = reading("text", "shop", "mood", rows=[(row[1], row[0], row[2]) for row in EXPORT])
    assert "data.fields.label=mood;" in told(source)[0]
    assert "data.fields.label=shop;" in told(source, {"group": "mood"})[0]
    (text,) = told(reading("label", "words", rows=[("a very long label " * 9, "short")]))
    assert "data.fields.text=words;" in text


def test_where_no_column_is_left_none_is_suggested() -> None:
    assert told(reading("text", rows=[("a",)])) == [
        "no column for the field `label`, and each is taken by another field; the columns are: text"
    ]
    assert told(reading("text", rows=[("a",)]), labelled=False) == []


def test_a_source_without_usable_rows_gets_a_suggestion_too() -> None:
    text, label = told(reading("one", "two"))
    assert "data.fields.text=one;" in text
    assert "data.fields.label=two;" in label
