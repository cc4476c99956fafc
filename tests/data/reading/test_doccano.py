"""Exports of doccano: every project type, several annotators, and the two ways in which it counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.data.reading.exports import array, bare, codes, faults, fields, lines, read, zipped
from weitiao.data.reading import read_rows

NER = [
    {"id": 1, "text": "EU rejects German call", "label": [[0, 2, "ORG"], [11, 17, "MISC"]], "Comments": []},
    {"id": 2, "text": "Nothing here", "label": [], "Comments": []},
]


def test_sequence_labelling(tmp_path: Path) -> None:
    rows = fields(read(lines(tmp_path, NER), "doccano"))
    assert [bare(row["spans"]) for row in rows] == [[(0, 2, "ORG"), (11, 17, "MISC")], []]
    assert rows[0]["spans"][1]["text"] == "German"
    assert rows[0].keys() == {"text", "spans", "id"}, "comments that nobody made are no column"


def test_data_labels_and_metadata(tmp_path: Path) -> None:
    given = [{"id": 7, "data": "Peter met Ann", "labels": [[0, 5, "PER"]], "source": "news", "meta": {"page": 3}}]
    (row,) = fields(read(array(tmp_path, given), "doccano"))
    assert (row["text"], bare(row["spans"])) == ("Peter met Ann", [(0, 5, "PER")])
    assert (row["id"], row["source"], row["meta"]) == (7, "news", {"page": 3})


def test_relations_and_intents(tmp_path: Path) -> None:
    entities = [
        {"id": 10, "label": "ORG", "start_offset": 0, "end_offset": 6},
        {"id": 11, "label": "DATE", "start_offset": 22, "end_offset": 39},
    ]
    relations = [{"id": 0, "from_id": 10, "to_id": 11, "type": "foundedAt"}]
    text = "Google was founded on September 4, 1998, by Larry Page."
    good = {"text": text, "entities": entities, "relations": relations}
    bad = {"text": text, "entities": entities, "relations": [{"from_id": 10, "to_id": 99, "type": "foundedAt"}]}
    reading = read(lines(tmp_path, [good, bad]), "doccano")
    row = dict(reading.rows[0].fields)
    assert row["relations"] == [{"head": "10", "tail": "11", "label": "foundedAt"}]
    assert [span["id"] for span in row["spans"]] == ["10", "11"]  # type: ignore[attr-defined]
    assert faults(reading) == {2: "the relation foundedAt joins a span that is not there"}
    intents = [{"text": "Find a flight to Tacoma", "entities": [[17, 23, "City"]], "cats": ["flight"]}]
    (row,) = fields(read(lines(tmp_path, intents), "doccano"))
    assert (bare(row["spans"]), row["label"]) == ([(17, 23, "City")], "flight")


def test_categories_and_texts(tmp_path: Path) -> None:
    one = [
        {"id": n, "text": text, "label": [name], "Comments": []}
        for n, (text, name) in enumerate([("a", "x"), ("b", "y")])
    ]
    assert [row["label"] for row in fields(read(lines(tmp_path, one), "doccano"))] == ["x", "y"]
    several = [*one, {"id": 9, "text": "c", "label": ["x", "y"], "Comments": []}]
    assert [row["label"] for row in fields(read(lines(tmp_path, several), "doccano"))] == [["x"], ["y"], ["x", "y"]]
    path = tmp_path / "c.csv"
    path.write_text("id,text,label,Comments\n1,hello,x#y,\n2,bye,x,\n", "utf-8")
    assert [row["label"] for row in fields(read(str(path), "doccano"))] == [["x", "y"], ["x"]]


def test_plain_rows_stay_with_the_plain_readers(tmp_path: Path) -> None:
    """Labels in a list, or spans as objects, are what anybody's JSON lines look like."""
    plain = [{"text": "a", "label": ["x"]}, {"text": "b", "entities": [{"start": 0, "end": 1, "label": "X"}]}]
    for row in plain:
        assert read_rows(lines(tmp_path, [row])).file.format == "jsonl"
    path = tmp_path / "c.csv"
    path.write_text("text,label\nhello,x#y\n", "utf-8")
    assert read_rows(str(path)).file.format == "csv"


def test_numbered_users_of_old_exports(tmp_path: Path) -> None:
    spans = [
        {"label": 2, "start_offset": 0, "end_offset": 5, "user": 1},
        {"label": 2, "start_offset": 0, "end_offset": 5, "user": 2},
        {"label": 3, "start_offset": 10, "end_offset": 13, "user": 2},
    ]
    reading = read(lines(tmp_path, [{"id": 1, "text": "Peter met Ann", "annotations": spans, "meta": {}}]), "doccano")
    (row,) = fields(reading)
    assert bare(row["spans"]) == [(0, 5, "2")], "of two, the first by name decides"
    assert "annotators: 1, 2" in reading.file.how


def annotator(*labels: list[list[object]]) -> str:
    texts = ("Peter met Ann", "Bob slept")
    rows = [{"id": n, "text": text, "label": label} for n, (text, label) in enumerate(zip(texts, labels, strict=True))]
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_annotators_vote_span_by_span(tmp_path: Path) -> None:
    files = {
        "zoe.jsonl": annotator([[0, 5, "PER"], [10, 13, "PER"]], [[0, 3, "PER"]]),
        "amy.jsonl": annotator([[0, 5, "PER"]], []),
        "bob.jsonl": annotator([[0, 5, "LOC"], [10, 13, "PER"]], []),
    }
    reading = read(zipped(tmp_path, files), "doccano")
    first, second = fields(reading)
    assert bare(first["spans"]) == [(0, 5, "PER"), (10, 13, "PER")]
    assert bare(second["spans"]) == [(0, 3, "PER")], "who left it empty has no vote"
    (problem,) = reading.problems
    assert problem.severity == "note"
    assert problem.message.startswith("1 of 1 rows that several annotators answered has different answers")
    assert [str(row).rpartition("export.zip/")[2] for row in problem.rows] == ["amy.jsonl:1: amy, bob, zoe"]
    files.pop("zoe.jsonl")
    first, second = fields(read(zipped(tmp_path, files), "doccano"))
    assert bare(first["spans"]) == [(0, 5, "PER")], "in a tie, Amy decides"
    assert second["spans"] == []


def test_annotators_vote_on_labels_and_relations(tmp_path: Path) -> None:
    def says(label: str) -> str:
        return json.dumps({"id": 4, "text": "so so", "label": [label], "Comments": []}) + "\n"

    files = {"a.jsonl": says("bad"), "b.jsonl": says("good"), "c.jsonl": says("good")}
    assert [row["label"] for row in fields(read(zipped(tmp_path, files), "doccano"))] == ["good"]
    files.pop("c.jsonl")
    assert [row["label"] for row in fields(read(zipped(tmp_path, files), "doccano"))] == ["bad"]

    def joined(first: int, relation: str) -> str:
        spans = [
            {"id": first + n, "label": "PER", "start_offset": a, "end_offset": b}
            for n, (a, b) in enumerate([(0, 1), (2, 3)])
        ]
        relations = [{"id": 1, "from_id": first, "to_id": first + 1, "type": relation}]
        return json.dumps({"id": 4, "text": "a b", "entities": spans, "relations": relations}) + "\n"

    files = {"a.jsonl": joined(1, "x"), "b.jsonl": joined(20, "y"), "c.jsonl": joined(40, "y")}
    (row,) = fields(read(zipped(tmp_path, files), "doccano"))
    assert row["relations"] == [{"head": "1", "tail": "2", "label": "y"}], "under the ids of the spans that were kept"


def test_one_file_in_a_zip_and_an_empty_annotator(tmp_path: Path) -> None:
    files = {"all.jsonl": annotator([[0, 5, "PER"]], [])}
    assert len(fields(read(zipped(tmp_path, files), "doccano"))) == 2
    assert len(fields(read(zipped(tmp_path, {**files, "ann.jsonl": ""}), "doccano"))) == 2


def test_offsets_count_what_cuts_no_word(tmp_path: Path) -> None:
    text = "👨🏻\u200d🚒 firemen drive firetrucks"
    reading = read(lines(tmp_path, [{"text": text, "label": [[22, 32, "X"]]}]), "doccano")
    assert fields(reading)[0]["spans"][0]["text"] == "firetrucks"
    assert "UTF-16 units" in codes(reading)["offsets-told"]
    reading = read(lines(tmp_path, [{"text": text, "label": [[19, 29, "X"]]}]), "doccano")
    assert fields(reading)[0]["spans"][0]["text"] == "firetrucks"
    assert codes(reading)["offsets-told"].endswith("were taken to count characters")
    family = "👨\u200d👩\u200d👧 met Anna"
    reading = read(lines(tmp_path, [{"text": family, "label": [[6, 10, "X"]]}]), "doccano")
    assert fields(reading)[0]["spans"][0]["text"] == "Anna"
    assert "grapheme clusters" in codes(reading)["offsets-told"]


HANZI = {"text": "😀我在北京工作", "label": [[3, 5, "LOC"]]}  # fits however it is counted


@pytest.mark.parametrize(
    ("given", "first", "severity", "message"),
    [
        ([HANZI], "北京", "note", "its offsets were taken to count characters"),
        (
            [HANZI, {"text": "😀 Anna", "label": [[3, 7, "PER"]]}],
            "在北",
            "warning",
            "2 rows with spans hold characters that tools count differently, such as emoji; their offsets were taken "
            "to count UTF-16 units, as JavaScript does (rows that speak for it: 1, against it: 0); to say otherwise, "
            "give the rows a column `offsets` with one of characters, utf-16, graphemes",
        ),
        (
            [
                HANZI,
                *[{"text": "😀 Anna", "label": [[2, 6, "PER"]]}] * 2,
                {"text": "😀 Anna x", "label": [[3, 7, "PER"]]},
            ],
            "北京",
            "warning",
            "characters (rows that speak for it: 2, against it: 1); to say otherwise",
        ),
        ([{**HANZI, "offsets": "utf-16"}], "在北", "note", "UTF-16 units, as JavaScript does"),
        ([HANZI, {**HANZI, "offsets": "utf-16"}, {**HANZI, "offsets": "characters"}], "北京", "note", "characters"),
    ],
)
def test_of_countings_that_fit_equally_characters_win(
    tmp_path: Path, given: list[dict[str, Any]], first: str, severity: str, message: str
) -> None:
    reading = read(lines(tmp_path, given), "doccano")
    assert reading.rows[0].fields["spans"][0]["text"] == first  # type: ignore[index]
    (problem,) = reading.problems
    assert problem.severity == severity and message in problem.message


def test_a_column_says_how_its_row_counts(tmp_path: Path) -> None:
    given = [{**HANZI, "offsets": "utf-16"}, {**HANZI, "offsets": "characters"}]
    assert [row["spans"][0]["text"] for row in fields(read(lines(tmp_path, given), "doccano"))] == ["在北", "北京"]


def test_spans_outside_their_text_are_faults(tmp_path: Path) -> None:
    given = [*NER, {"id": 3, "text": "short", "label": [[0, 99, "ORG"]]}]
    assert faults(read(lines(tmp_path, given), "doccano")) == {
        3: "the span 0-99 (ORG) lies outside the text of 5 characters"
    }


def test_rows_without_annotation_are_left_out_and_counted(tmp_path: Path) -> None:
    given = [*NER, {"id": 3, "text": "Not yet", "label": None}, {"id": 4, "text": "Nor this"}]
    reading = read(lines(tmp_path, given), "doccano")
    assert [row["id"] for row in fields(reading)] == [1, 2], "an empty list holds no span"
    assert reading.file.rows == 2
    (problem,) = reading.problems
    assert (problem.severity, problem.message) == ("note", "2 rows without annotation are left out")
    assert [row.line for row in problem.rows] == [3, 4]
