"""Semantic roles in columns: each predicate with its own arguments, at the offsets of the words."""

from __future__ import annotations

from pathlib import Path

import pytest

from weitiao.data.reading import read_rows
from weitiao.errors import ProblemsFound
from weitiao.tasks.event import EventOptions, EventTask


def line(number: int, form: str, predicate: str = "_", *roles: str) -> str:
    """ID FORM LEMMA PLEMMA POS PPOS FEAT PFEAT HEAD PHEAD DEPREL PDEPREL FILLPRED PRED APREDs."""
    filled = "_" if predicate == "_" else "Y"
    return "\t".join([str(number), form, form.lower(), *["_"] * 9, filled, predicate, *roles])


SENTENCES = [
    [
        line(1, "Anna", "_", "A0", "A0"),
        line(2, "wants", "want.01", "_", "_"),
        line(3, "to", "_", "A1", "_"),
        line(4, "buy", "buy.01", "_", "_"),
        line(5, "to", "_", "_", "_"),
        line(6, "Rome", "_", "_", "A1"),
    ],
    [line(1, "It", "_"), line(2, "rains", "_")],
]


def written(path: Path, sentences: list[list[str]], end: str = "\n") -> str:
    path.write_bytes(end.join(end.join(lines) + end for lines in sentences).encode())
    return str(path)


@pytest.mark.parametrize(("name", "end"), [("a.conll09", "\n"), ("a.txt", "\r\n"), ("a.tsv", "\n")])
def test_a_predicate_is_an_event_with_the_arguments_of_its_column(tmp_path: Path, name: str, end: str) -> None:
    reading = read_rows(written(tmp_path / name, SENTENCES, end))
    assert (reading.file.format, reading.file.rows, list(reading.columns)) == (
        "conll2009", 2, ["text", "tokens", "events"],
    )  # fmt: skip
    first, second = reading.rows
    assert (first.line, second.line) == (1, 8)
    assert first.fields["text"] == "Anna wants to buy to Rome"
    assert first.fields["events"] == [
        {"type": "want.01", "trigger": [5, 10], "arguments": [[0, 4, "A0"], [11, 13, "A1"]]},
        {"type": "buy.01", "trigger": [14, 17], "arguments": [[0, 4, "A0"], [21, 25, "A1"]]},
    ]
    assert second.fields["events"] == []


def test_the_rows_are_those_of_the_task_event(tmp_path: Path) -> None:
    task = EventTask(EventOptions(units="tokens", roles="shared"))
    (first, second) = read_rows(written(tmp_path / "a.conll09", SENTENCES)).rows
    record = task.read(first.fields, file="a", line=1)
    assert [(each.type, record.text[each.start : each.end]) for each in record.events or ()] == [
        ("want.01", "wants"), ("buy.01", "buy"),
    ]  # fmt: skip
    assert [(each.label, record.text[each.start : each.end]) for each in (record.events or ())[1].arguments] == [
        ("A0", "Anna"), ("A1", "Rome"),
    ]  # fmt: skip
    assert task.read(second.fields, file="a", line=8).events == ()
    assert list(task.label_space([record])) == ["* / A0", "* / A1", "buy.01", "want.01"]


def test_a_sentence_with_a_missing_column_is_faulty_and_the_others_are_read(tmp_path: Path) -> None:
    broken = [*SENTENCES[0][:2], "3\tto\t_", *SENTENCES[0][3:]]
    first, second = read_rows(written(tmp_path / "a.conll09", [broken, SENTENCES[1]])).rows
    assert first.problem == "line 3 has 3 columns; with 2 predicates, 16 are expected"
    assert not second.problem


def test_a_file_of_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProblemsFound, match="no sentence has the 14 columns of CoNLL-2009"):
        read_rows(written(tmp_path / "a.conll09", [["a\tB-PER", "b\tO"]]))
