"""Exports of Label Studio: JSON and JSON_MIN, skipped tasks, several annotations, and offsets of old versions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.data.reading.exports import array, bare, codes, faults, fields, read
from weitiao.errors import ProblemsFound


def region(start: int, end: int, label: str, text: str | None = None, name: str = "r") -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": [label], **({} if text is None else {"text": text})}
    return {"id": name, "from_name": "label", "to_name": "text", "type": "labels", "value": value}


def task(number: int, text: str, *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    annotation = {
        "id": number * 10,
        "result": list(results),
        "was_cancelled": False,
        "updated_at": "2024-01-01T00:00:00Z",
    }
    return {"id": number, "data": {"text": text}, "annotations": [{**annotation, **more}], "predictions": []}


def test_regions_choices_texts_and_ratings(tmp_path: Path) -> None:
    choice = {"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["glad"]}}
    note = {"from_name": "why", "to_name": "text", "type": "textarea", "value": {"text": ["because"]}}
    stars = {"from_name": "stars", "to_name": "text", "type": "rating", "value": {"rating": 4}}
    given = task(1, "Peter met Ann", region(0, 5, "PER", "Peter"), choice, note, stars)
    given["data"]["source"] = "news"
    (row,) = fields(read(array(tmp_path, [given]), "label_studio"))
    assert bare(row["spans"]) == [(0, 5, "PER")]
    assert (row["label"], row["why"], row["stars"], row["source"], row["id"]) == ("glad", "because", 4, "news", 1)


def test_relations_and_their_direction(tmp_path: Path) -> None:
    regions = [region(0, 5, "PER", "Peter", "x"), region(10, 13, "PER", "Ann", "y")]
    for direction, expected in (("right", [("x", "y")]), ("left", [("y", "x")]), ("bi", [("x", "y"), ("y", "x")])):
        relation = {"from_id": "x", "to_id": "y", "type": "relation", "direction": direction, "labels": ["knows"]}
        (row,) = fields(read(array(tmp_path, [task(1, "Peter met Ann", *regions, relation)]), "label_studio"))
        assert [(each["head"], each["tail"]) for each in row["relations"]] == expected
        assert {each["label"] for each in row["relations"]} == {"knows"}
        assert [span["id"] for span in row["spans"]] == ["x", "y"]


def test_skipped_unannotated_and_several(tmp_path: Path) -> None:
    several = task(3, "Peter met Ann", region(0, 5, "OLD", "Peter"))
    several["annotations"].append({"result": [region(0, 5, "NEW", "Peter")], "updated_at": "2024-03-01T00:00:00Z"})
    several["annotations"].append({"result": [], "was_cancelled": True, "updated_at": "2024-09-01T00:00:00Z"})
    bare_task = {
        "id": 4,
        "data": {"text": "x"},
        "annotations": [],
        "predictions": [{"result": [region(0, 1, "P", "x")]}],
    }
    given = [task(1, "a"), task(2, "b", was_cancelled=True), several, bare_task]
    reading = read(array(tmp_path, given), "label_studio")
    rows = fields(reading)
    assert [row["id"] for row in rows] == [1, 3]
    assert [span["label"] for span in rows[1]["spans"]] == ["NEW"]
    assert codes(reading) == {
        "unannotated-tasks": "1 task without an annotation is left out",
        "skipped-tasks": "1 task that the annotators skipped is left out",
        "several-annotations": "1 task has several annotations; the latest by `updated_at` is taken",
    }
    with pytest.raises(ProblemsFound, match="no task has an annotation that was not skipped"):
        read(array(tmp_path, [bare_task]), "label_studio")


def test_json_min(tmp_path: Path) -> None:
    def row(updated: str, label: str) -> dict[str, Any]:
        spans = [{"start": 0, "end": 5, "text": "Peter", "labels": [label]}]
        own = {"annotator": 1, "annotation_id": 5, "created_at": updated, "updated_at": updated, "lead_time": 3.2}
        return {
            "text": "Peter met Ann",
            "source": "news",
            "id": 9,
            "label": spans,
            "mood": {"choices": ["a", "b"]},
            **own,
        }

    reading = read(array(tmp_path, [row("2024-02-01", "NEW"), row("2024-01-01", "OLD")]), "label_studio")
    (one,) = fields(reading)
    assert [span["label"] for span in one["spans"]] == ["NEW"]
    assert (one["label"], one["source"]) == (["a", "b"], "news")
    assert "several-annotations" in codes(reading)
    assert not {"annotator", "lead_time"} & one.keys()


def test_offsets_are_proven_by_the_regions_texts(tmp_path: Path) -> None:
    text = "💩This is an annotation."  # Label Studio's issue 1347: old exports count UTF-16 units
    for start in (12, 13):
        given = task(1, text, region(start, start + 10, "A", "annotation"))
        reading = read(array(tmp_path, [given]), "label_studio")
        assert bare(fields(reading)[0]["spans"]) == [(12, 22, "A")]
        assert ("UTF-16" in reading.file.how) == (start == 13)
    windows = "one\r\ntwo\r\nthree"
    reading = read(array(tmp_path, [task(1, windows, region(8, 13, "A", "three"))]), "label_studio")
    assert bare(fields(reading)[0]["spans"]) == [(10, 15, "A")]
    reading = read(array(tmp_path, [task(1, windows, region(0, 8, "A", "one\\ntwo"))]), "label_studio")
    assert bare(fields(reading)[0]["spans"]) == [(0, 8, "A")]


def test_regions_without_text_are_counted_as_the_others(tmp_path: Path) -> None:
    text = "💩This is an annotation."
    given = [task(1, text, region(13, 23, "A", "annotation")), task(2, text, region(13, 23, "A"))]
    assert [bare(row["spans"]) for row in fields(read(array(tmp_path, given), "label_studio"))] == [[(12, 22, "A")]] * 2
    given = [task(2, text, region(12, 22, "A"))]
    assert [bare(row["spans"]) for row in fields(read(array(tmp_path, given), "label_studio"))] == [[(12, 22, "A")]]


def test_what_is_not_there_is_a_fault(tmp_path: Path) -> None:
    given = [task(1, "Peter met Ann", region(0, 5, "PER", "Paul")), task(2, "b")]
    assert faults(read(array(tmp_path, given), "label_studio")) == {
        1: "the region 0-5 (PER) is not 'Paul' in the text, however its offsets are counted"
    }


def test_the_text_may_have_another_name_and_projects_may_be_old(tmp_path: Path) -> None:
    given = task(1, "", region(0, 5, "PER", "Peter"))
    given["data"] = {"url": "http://example.org/a/long/address/of/a/page", "review": "Peter met Ann"}
    given["completions"] = given.pop("annotations")
    (row,) = fields(read(array(tmp_path, [given]), "label_studio"))
    assert (row["text"], row["url"]) == ("Peter met Ann", "http://example.org/a/long/address/of/a/page")


@pytest.mark.parametrize("value", [None, "x", 3, ["x"], {"start": "a", "end": 1, "labels": ["P"]}])
def test_a_region_that_cannot_be_read_is_a_fault(tmp_path: Path, value: Any) -> None:
    given = [task(1, "Peter", {**region(0, 5, "PER"), "value": value}), task(2, "Ann", region(0, 3, "PER", "Ann"))]
    assert faults(read(array(tmp_path, given), "label_studio")).keys() == {1}


def test_one_label_may_be_text(tmp_path: Path) -> None:
    given = region(0, 5, "PER", "Peter")
    given["value"]["labels"] = "PER"
    (row,) = fields(read(array(tmp_path, [task(1, "Peter", given)]), "label_studio"))
    assert bare(row["spans"]) == [(0, 5, "PER")]


def test_a_relation_to_a_missing_region_is_a_fault(tmp_path: Path) -> None:
    relation = {"from_id": "x", "to_id": "gone", "type": "relation", "labels": ["knows"]}
    given = [task(1, "Peter", region(0, 5, "PER", "Peter", "x"), relation)]
    assert faults(read(array(tmp_path, given), "label_studio")) == {
        1: "the relation knows joins a span that is not there"
    }
