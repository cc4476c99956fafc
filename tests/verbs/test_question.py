"""The first question to a run: a text that can be typed, else the file of its rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.records import ClassifyRecord
from weitiao.tasks.classify import Classify
from weitiao.verbs.fitting.fit import Part
from weitiao.verbs.preparing.frame import read_draft
from weitiao.verbs.preparing.preflight import Preflight
from weitiao.verbs.starting import question
from weitiao.verbs.starting.question import FINE, LONGEST, first_question


def asked(monkeypatch: pytest.MonkeyPatch, records: list[ClassifyRecord], **changes: Any) -> list[str]:
    made = {"task": "classify", "model": "./m", "data": "a.csv", **changes}
    found = Preflight(read_draft(made).recipe, Classify())
    monkeypatch.setattr(question, "measured_part", lambda _found: ("test", Part(records, [])))
    return first_question(found)


def test_a_text_of_about_a_lines_width(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["短", "房间很干净，服务员也热情，下次还会来的", "x" * LONGEST, "y" * (LONGEST + 1)]
    records = [ClassifyRecord(text=text) for text in texts]
    assert asked(monkeypatch, records) == [texts[1]]
    assert abs(len(texts[1]) - FINE) <= 1


@pytest.mark.parametrize("text", ["-5 degrees", "two\nlines", "a\x1b[31mred", "a\ttab", "z" * (LONGEST + 1)])
def test_what_cannot_be_typed_is_not_asked(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, [ClassifyRecord(text=text), ClassifyRecord(text="fine")]) == ["fine"]
    assert asked(monkeypatch, [ClassifyRecord(text=text)]) == ["..."]


@pytest.mark.parametrize("why", ["pairs", "private"])
def test_pairs_and_hidden_texts_are_asked_by_file(why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "test.csv"
    file.write_text("x", "utf-8")
    record = ClassifyRecord(text="a question", text_pair="b" if why == "pairs" else None, file=str(file), line=2)
    changes = {"report": {"texts": False}} if why == "private" else {}
    assert asked(monkeypatch, [record], **changes) == ["--input", str(file), "--output", "answers.csv"]


def test_a_trained_run_knows_one_of_its_test_rows(tmp_path: Path) -> None:
    run = weitiao.train(recipe(tmp_path, training={"max_steps": 2, "batch_size": 16}))
    (text,) = run.question
    assert f"\n{text}," in (tmp_path / "test.csv").read_text("utf-8")
    assert weitiao.Run(run.path).question == ("...",)
