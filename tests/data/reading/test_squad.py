"""SQuAD's layout: which files are it, what becomes a row, offsets proved and mended, and the real files' counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import weitiao
from weitiao.data import load_data
from weitiao.data.reading import read_rows
from weitiao.errors import ProblemsFound
from weitiao.recipe import DataSpec
from weitiao.tasks.answer import Answer

TEXT = "Ann saw Bob. Bob saw Cy."


def question(text: str, *answers: tuple[str, int], **more: object) -> dict[str, object]:
    return {"question": text, "answers": [{"text": words, "answer_start": at} for words, at in answers], **more}


def squad(*questions: dict[str, object], title: str = "people", context: str = TEXT) -> dict[str, Any]:
    return {"title": title, "paragraphs": [{"context": context, "qas": list(questions)}]}


def write(folder: Path, value: Any, name: str = "f.json", indent: int | None = None) -> str:
    path = folder / name
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent), "utf-8")
    return str(path)


def load(path: str, **spec: Any) -> Any:
    task = Answer()
    return load_data(
        DataSpec.model_validate({"train": path, "dev": None, **spec}),
        fields=task.fields, read=task.read, answer=task.answer, surface=task.surface,
    )  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("wrapped", [True, False])
def test_it_is_told_by_content(tmp_path: Path, indent: int | None, wrapped: bool) -> None:
    documents = [squad(question("who?", ("Ann", 0), id="q1")), squad(question("whom?", ("Cy", 21)), title="")]
    value = {"version": "1.1", "data": documents} if wrapped else documents
    reading = read_rows(write(tmp_path, value, "f.json", indent))
    assert reading.file.format == "squad"
    assert [dict(row.fields) for row in reading.rows] == [
        {
            "id": "q1", "document": "people", "question": "who?", "context": TEXT,
            "answers": [{"text": "Ann", "answer_start": 0}],
        },
        {
            "id": None, "document": "2", "question": "whom?", "context": TEXT,
            "answers": [{"text": "Cy", "answer_start": 21}],
        },
    ]  # fmt: skip
    assert [row.line for row in reading.rows] == [1, 2]
    assert reading.problems == []


@pytest.mark.parametrize(
    ("value", "format_name"),
    [
        ([{"text": "a", "label": "x"}], "json"),
        ({"data": [{"question": "a", "context": "b", "answers": []}]}, "json"),
        ([{"paragraphs": ["a"], "label": "x"}], "json"),
    ],
)
def test_other_json_stays_json(tmp_path: Path, value: Any, format_name: str) -> None:
    assert read_rows(write(tmp_path, value)).file.format == format_name


def test_lines_of_documents_stay_lines(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text("\n".join(json.dumps(squad(question("who?", ("Ann", 0)))) for _line in range(2)), "utf-8")
    assert read_rows(str(path)).file.format == "jsonl"


def test_squad_2(tmp_path: Path) -> None:
    none = question("why?", is_impossible=True, plausible_answers=[{"text": "Bob", "answer_start": 8}])
    path = write(tmp_path, {"data": [squad(question("who?", ("Ann", 0), is_impossible=False), none)]})
    data = load(path, fields={"group": "document"})
    assert [record.answers and record.answers[0].text for record in data.records["train"]] == ["Ann", ()]
    assert {record.group for record in data.records["train"]} == {"people"}
    unlabelled = [{"context": TEXT, "qas": [{"id": "x", "question": "who?"}]}]
    rows = read_rows(write(tmp_path, {"data": [{"title": "t", "paragraphs": unlabelled}]})).rows
    assert [dict(row.fields) for row in rows] == [{"id": "x", "document": "t", "question": "who?", "context": TEXT}]


def test_wrong_offsets_are_mended_or_the_row_is_left_out(tmp_path: Path) -> None:
    value = {
        "data": [
            squad(
                question("one wrong?", ("Bob", 12)),  # the second Bob is nearer
                question("none there?", ("Dan", 3)),
                question("one of two?", ("Dan", -1), ("Cy", -1)),
                question("right", ("Bob", 13)),
                question("a full stop", ("Ann saw Bob。", -1)),
                question("no words", (" ", 3)),
            )
        ]
    }
    reading = read_rows(write(tmp_path, value))
    assert [(row.line, row.problem) for row in reading.rows if row.problem] == [
        (2, "the answer 'Dan' does not stand in the text"),
        (6, "an answer without words"),
    ]
    kept: Sequence[Any] = [row.fields["answers"] for row in reading.rows if not row.problem]
    assert [[(each["text"], each["answer_start"]) for each in answers] for answers in kept] == [
        [("Bob", 13)],
        [("Cy", 21), ("Dan", None)],
        [("Bob", 13)],
        [("Ann saw Bob", 0)],
    ]
    (note,) = reading.problems
    assert (note.code, note.severity, [row.line for row in note.rows]) == ("mended-answers", "note", [1, 3, 5])
    assert note.message.startswith("3 answers do not stand where the file says, and were found by their words")
    data = load(write(tmp_path, value), max_dropped=1.0)
    assert (data.ledger.read.total(), len(data.records["train"]), len(data.ledger.faults)) == (6, 4, 2)
    assert all(
        record.text[answer.start : answer.end] == answer.text
        for record in data.records["train"]
        for answer in record.answers
        if answer.start is not None
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"data": {"paragraphs": 1, "qas": 2, "context": 3}}, "`data` is not everywhere an array of objects"),
        ({"data": [{"paragraphs": {"qas": 1, "context": ""}}]}, "`paragraphs` is not everywhere an array of objects"),
        ({"data": [{"paragraphs": [{"context": "", "qas": ["?"]}]}]}, "`qas` is not everywhere an array of objects"),
        ({"data": [{"paragraphs": [{"context": "", "qas": []}]}]}, "the file holds no questions"),
    ],
)
def test_what_is_not_its_layout_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ProblemsFound, match=message):
        read_rows(write(tmp_path, value))
    broken = tmp_path / "g.json"
    broken.write_text('{"data": [', "utf-8")
    with pytest.raises(ProblemsFound, match="not valid JSON"):
        read_rows(str(broken), format="squad")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_xquad(shared_data: Path, language: str) -> None:
    data = load(str(shared_data / "xquad" / f"xquad.{language}.json"), fields={"group": "document"})
    records = data.records["train"]
    assert (len(records), len({record.group for record in records})) == (1190, 48)
    assert data.problems == []
    assert {record.language for record in records} == {language}
    assert all(record.text[a.start : a.end] == a.text for record in records for a in record.answers)
    shares = load(str(shared_data / "xquad" / f"xquad.{language}.json"), fields={"group": "document"}, dev="10%")
    assert not {each.text for each in shares.records["train"]} & {each.text for each in shares.records["dev"]}


def test_cmrc2018(shared_data: Path) -> None:
    """200 of 9,657 answers of dev and 5 of trial do not match their offset: README of the data."""
    data = load(str(shared_data / "cmrc2018" / "cmrc2018_dev.json"), fields={"group": "document"})
    records = data.records["train"]
    assert (len(records), data.ledger.read.total(), len(data.ledger.faults)) == (3219, 3219, 0)
    answers = [(record, answer) for record in records for answer in record.answers]
    unplaced = [answer.text for _record, answer in answers if answer.start is None]
    (mended,) = data.problems
    assert len(answers) == 9657
    assert len(mended.rows) + len(unplaced) == 200
    assert "39764.0" in unplaced
    assert all(each.text[a.start : a.end] == a.text for each, a in answers if a.start is not None)
    assert {record.language for record in records} == {"zh"}
    trial = load(str(shared_data / "cmrc2018" / "cmrc2018_trial.json"))
    assert (len(trial.records["train"]), len(trial.ledger.faults)) == (1000, 2)  # two questions are empty
    assert {each.code: len(each.rows) for each in trial.problems} == {"mended-answers": 5, "dropped-rows": 2}


def test_a_file_of_faulty_questions_says_what_is_wrong_with_them(tmp_path: Path) -> None:
    """Not that its columns lack: there are none to tell where no row can be used."""
    question = {"id": "1", "question": "q?", "answers": [{"text": "zz", "answer_start": 0}]}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [{"context": "x y", "qas": [question]}]}]}), "utf-8")
    found = weitiao.check({"task": "answer", "model": "./none", "data": {"train": str(path), "dev": None}})
    (problem,) = [each for each in found.problems if each.file == str(path)]
    assert problem.code == "too-many-dropped"
    assert "the answer 'zz' does not stand in the text" in problem.message


@pytest.mark.parametrize("stated", ["13", 13.0])
def test_offsets_may_be_text_or_floats(tmp_path: Path, stated: object) -> None:
    value = {"data": [squad({"id": "1", "question": "who?", "answers": [{"text": "Bob", "answer_start": stated}]})]}
    reading = read_rows(write(tmp_path, value))
    assert reading.rows[0].fields["answers"] == [{"text": "Bob", "answer_start": 13}] and not reading.problems


@pytest.mark.parametrize("stated", ["x", 1.5, True, [1]])
def test_an_offset_that_is_none_is_mended(tmp_path: Path, stated: object) -> None:
    value = {"data": [squad({"id": "1", "question": "who?", "answers": [{"text": "Cy", "answer_start": stated}]})]}
    reading = read_rows(write(tmp_path, value))
    assert reading.rows[0].fields["answers"] == [{"text": "Cy", "answer_start": 21}]
    assert [each.code for each in reading.problems] == ["mended-answers"]


def test_cmrc_in_its_first_form(tmp_path: Path) -> None:
    question = {"query_id": "DEV_0_Q1", "query_text": "谁？", "answers": ["安", "安妮"]}
    value = [{"context_id": "DEV_0", "context_text": "安妮来了。", "title": "x", "qas": [question]}]
    reading = read_rows(write(tmp_path, value, indent=1))
    assert (reading.file.format, reading.problems) == ("squad", [])
    assert dict(reading.rows[0].fields) == {
        "id": "DEV_0_Q1",
        "document": "DEV_0",
        "question": "谁？",
        "context": "安妮来了。",
        "answers": [{"text": "安", "answer_start": 0}, {"text": "安妮", "answer_start": 0}],
    }
