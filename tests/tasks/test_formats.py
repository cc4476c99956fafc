"""What the readers of tools give, as the tasks take it without a mapping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.data.reading.exports import lines, tree
from weitiao.data import load_data, map_columns, read_rows
from weitiao.recipe import DataSpec
from weitiao.records import Record
from weitiao.tasks.classify import Classify
from weitiao.tasks.tag import Tag, TagOptions


def records(task: Any, source: str) -> list[Record]:
    reading = read_rows(source)
    columns, problems = map_columns(reading, {}, task.fields)
    assert problems == []
    return [task.read(columns.apply(row.fields), file=row.file, line=row.line) for row in reading.rows]


def spans(task: Tag, source: str) -> list[list[tuple[int, int, str]]]:
    found: Any = records(task, source)
    return [[(span.start, span.end, span.label) for span in record.spans] for record in found]


def people(folder: Path) -> str:
    path = folder / "people.txt"
    path.write_text("[中国/ns  政府/n]nt  好/a\n新/a  世纪/n  好/a\n", "utf-8")
    return str(path)


def test_compounds_are_spans_and_words_are_tokens(tmp_path: Path) -> None:
    source = people(tmp_path)
    assert spans(Tag(), source) == [[(0, 4, "nt")], []]
    assert spans(Tag(TagOptions(learn="tokens")), source)[0] == [(0, 2, "ns"), (2, 4, "n"), (4, 5, "a")]
    assert spans(Tag(TagOptions(learn="borders")), source)[1] == [(0, 1, "word"), (1, 3, "word"), (3, 4, "word")]


def test_intents_and_slots(tmp_path: Path) -> None:
    source = tree(tmp_path, {"seq.in": "fly to boston\n", "seq.out": "O O B-city\n", "label": "flight\n"})
    assert spans(Tag(), source) == [[(7, 13, "city")]]
    (record,) = records(Classify(), source)
    assert record.model_dump()["labels"] == ("flight",)


def test_spans_of_a_tool_with_labels_beside_them(tmp_path: Path) -> None:
    row = {"text": "Find a flight to Tacoma", "entities": [[17, 23, "City"]], "cats": ["flight"]}
    source = lines(tmp_path, [row])
    assert spans(Tag(), source) == [[(17, 23, "City")]]
    assert [record.model_dump()["labels"] for record in records(Classify(), source)] == [("flight",)]


def test_null_spans_are_no_annotation_and_an_empty_list_is_one(tmp_path: Path) -> None:
    """As in doccano's exports; the rows are left out, listed in the ledger, and no faults."""
    rows = [{"text": "Anna sings", "spans": [[0, 4, "PER"]]}, {"text": "rain", "spans": []}]
    source = lines(tmp_path, [*rows, {"text": "Bob sings", "spans": None}, {"text": "Eve sings"}])
    task = Tag()
    found = load_data(
        DataSpec(train=source, dev=None), fields=task.fields, read=task.read, answer=task.answer, surface=task.surface
    )
    assert [record.model_dump()["text"] for record in found.records["train"]] == ["Anna sings", "rain"]
    (note,) = found.problems
    assert (note.code, note.severity, [row.line for row in note.rows]) == ("unannotated-rows", "note", [3, 4])
    assert note.message == "2 rows without annotation are left out; where a text holds nothing to mark, write []"
    assert (found.ledger.read.total(), found.ledger.kept.total(), found.ledger.faults) == (4, 2, [])


def test_where_no_row_lists_its_spans_null_is_a_fault(tmp_path: Path) -> None:
    source = lines(tmp_path, [{"text": "Bob sings", "spans": None}, {"text": "Eve sings", "spans": None}])
    task = Tag()
    found = load_data(
        DataSpec(train=source, dev=None), fields=task.fields, read=task.read, answer=task.answer, surface=task.surface
    )
    assert [drop.reason for drop in found.ledger.faults] == ["no spans and no tags"] * 2
