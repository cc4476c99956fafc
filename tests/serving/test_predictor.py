"""The predictor: order, independence of the batch, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from weitiao.errors import ProblemsFound, Refused
from weitiao.evaluation.page import render_page
from weitiao.evaluation.report import RunFacts, measure
from weitiao.models.network import NetworkSpec, build
from weitiao.models.tiny import tiny
from weitiao.recipe import EvaluationSpec, ReportSpec
from weitiao.records import ClassifyRecord
from weitiao.serving.cards import TaskCard
from weitiao.serving.crew.crew import Crew, Unwatched
from weitiao.serving.desk import Desk, RequestError
from weitiao.serving.engines.torch_engine import TorchEngine
from weitiao.serving.predictor import Predictor
from weitiao.serving.staff import Model, Staff
from weitiao.tasks import TASKS
from weitiao.text import load_tokenizer

TEXTS = ["fine", "a much longer text about a lazy dog and a quick brown fox " * 3, "很好", "dull, overlong", "x" * 400]


@pytest.fixture
def predictor(made_run: Path) -> Predictor:
    return Predictor.load(made_run)


def test_a_batch_answers_as_single_calls_do(predictor: Predictor) -> None:
    records = predictor.records(TEXTS)
    together = predictor.predict(records)
    for record, answer in zip(records, together, strict=True):
        alone = predictor.predict([record])[0]
        assert alone.labels == answer.labels
        assert alone.scores == pytest.approx(answer.scores, abs=1e-6)


def test_the_order_of_the_texts_does_not_change_the_answers(predictor: Predictor) -> None:
    forward = predictor.predict(predictor.records(TEXTS))
    backward = predictor.predict(predictor.records(TEXTS[::-1]))
    assert [each.confidence for each in forward] == pytest.approx(
        [each.confidence for each in backward[::-1]], abs=1e-6
    )


def test_outputs_are_the_logits_that_predictions_come_from(predictor: Predictor) -> None:
    record = predictor.records(["fine"])
    logits = predictor.outputs(record)[0][0]["logits"]
    scores = np.exp(logits) / np.exp(logits).sum()
    assert list(predictor.predict(record)[0].scores.values()) == pytest.approx(scores.tolist(), abs=1e-6)


def test_nothing_asked_nothing_answered(predictor: Predictor) -> None:
    assert predictor.predict([]) == []
    assert predictor.answer([]).truncated == []


def test_texts_that_are_read_in_part_are_told(predictor: Predictor) -> None:
    found = predictor.answer(["fine", "fine " * 70, "dull", "fine " * 90])
    assert (found.truncated, found.max_length) == ([1, 3], 64)
    assert found.predictions[1].scores == pytest.approx(found.predictions[3].scores, abs=1e-6)


def test_gold_that_no_window_holds_is_counted_and_reported(tmp_path: Path) -> None:
    """Of two spans the longer one is wider than the model reads; the count is exact, whatever its borders are."""
    base = tiny("bert", tmp_path / "base")
    task = TASKS["span"]()
    text = "fine " * 40
    record = task.read({"text": text, "spans": [[0, 150, "X"], [0, 4, "X"]]}, file="a.jsonl", line=1)
    network = build(base, NetworkSpec(head="span", kind="mean", labels=["X"], options=task.head_options()))
    card = TaskCard("span", {}, ["X"], {}, 16, "spans", None)
    predictor = Predictor.of(card, TorchEngine(network.eval()), load_tokenizer(base))
    answers = predictor.answer([record])
    assert (answers.lost, predictor.answer([text]).lost) == (1, 0)
    found = measure(
        task, ["X"], predictions=answers.predictions, records=[record], split="test", train=[record], dev=[],
        spec=EvaluationSpec(resamples=100, baselines=[]), show=ReportSpec(),
        facts=RunFacts(name="r", model="m", method="full"), lost=answers.lost,
    )  # fmt: skip
    (table,) = (each for each in found.tables if each.name == "window_alignment")
    assert [(row.label, row.count) for row in table.rows] == [("outside_windows", 1)]
    assert "none holds it whole; each costs recall" in render_page(found)


def test_the_model_folder_alone_is_enough(made_run: Path, predictor: Predictor) -> None:
    alone = weitiao.load(made_run / "model")
    assert alone.name == "reviews"
    assert alone.predict(alone.records(TEXTS)) == predictor.predict(predictor.records(TEXTS))


def test_records_take_texts_pairs_mappings_and_records(predictor: Predictor) -> None:
    record = ClassifyRecord(text="a", text_pair="b")
    same = predictor.records([("a", "b"), ["a", "b"], {"text": "a", "text_pair": "b"}, record])
    assert {(each.text, each.text_pair) for each in same} == {("a", "b")}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("  ", "input 2: empty text"),
        ("half \ud83d", "input 2: a text with half of a surrogate pair, which is not a character"),
        ({"txt": "a"}, "input 2: unknown field 'txt'; expected: text, text_pair"),
        (("a", "b", "c"), "input 2: expected a text, or a tuple of: text, text_pair"),
        (5, "input 2: expected a text, or a tuple of: text, text_pair"),
        (None, "input 2: expected a text, or a tuple of: text, text_pair"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_number(predictor: Predictor, value: object, message: str) -> None:
    with pytest.raises(Refused) as refused:
        predictor.records(["fine", value])  # type: ignore[list-item]
    assert str(refused.value) == message


def test_all_that_cannot_be_read_is_refused_at_once(predictor: Predictor) -> None:
    with pytest.raises(ProblemsFound) as refused:
        predictor.predict(["fine", "", ("a", "b", "c"), "good", " "])
    assert str(refused.value).splitlines() == [
        "input 2: empty text", "input 3: expected a text, or a tuple of: text, text_pair", "input 5: empty text",
    ]  # fmt: skip


def test_a_single_text_must_stand_in_a_list(predictor: Predictor) -> None:
    with pytest.raises(Refused, match="put it in a list"):
        predictor.records("fine")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such run folder"):
        Predictor.load(tmp_path / "absent")
    with pytest.raises(Refused, match="not a run folder"):
        Predictor.load(tmp_path)


def test_a_torn_card_is_refused(made_run: Path) -> None:
    path = made_run / "model" / "task.json"
    card = json.loads(path.read_text("utf-8"))
    del card["labels"]
    path.write_text(json.dumps(card), "utf-8")
    with pytest.raises(Refused) as refused:
        Predictor.load(made_run)
    assert str(refused.value) == f"{path}: `labels` is missing"


@pytest.mark.parametrize(
    ("learnt", "good", "bad", "message"),
    [
        (
            ["text"],
            "a",
            ("a", "b"),
            "input 2: got text + text_pair, but the model was trained on text; give exactly these fields",
        ),
        (
            ["text", "text_pair"],
            ("a", "b"),
            "a",
            "input 2: got text, but the model was trained on text + text_pair; give exactly these fields",
        ),
    ],
)
def test_pairs_and_single_texts_are_not_confused(
    learnt: list[str], good: Any, bad: Any, message: str, made_run: Path
) -> None:
    path = made_run / "model" / "task.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "fields": learnt}), "utf-8")
    predictor = Predictor.load(made_run)
    assert len(predictor.predict([good])) == 1
    with pytest.raises(Refused) as refused:
        predictor.predict([good, bad])
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("task", "first", "example"),
    [
        ("rank", "query", '{"query": "...", "text": "..."}'),
        ("answer", "question", '{"question": "...", "text": "..."}'),
    ],
)
def test_a_text_alone_is_not_enough_for_tasks_of_two_fields(task: str, first: str, example: str) -> None:
    """What is missing and how to give it, in Python and on the command line."""
    predictor = unloaded(task)
    assert predictor.records([("what?", "this")])
    for short in ("what?", ("what?",)):
        with pytest.raises(Refused) as refused:
            predictor.records([short])
        assert str(refused.value) == (
            f"input 1: the task {task} needs {first} + text; got only {first}. In Python give a tuple or a mapping of "
            f"them, on the command line --input FILE with rows such as {example}"
        )


def unloaded(task: str) -> Predictor:
    """A predictor that reads inputs and has no model."""
    kind: Any = TASKS[task]
    nothing: Any = None
    return Predictor(nothing, nothing, kind(), [], {}, task, 64)


HALF = "a text with half of a surrogate pair, which is not a character"


@pytest.mark.parametrize(
    ("task", "body", "reason"),
    [
        ("embed", [{"text": "a"}, {"text": "a", "negative": ["b", "\ud83d"]}], f"record 2: {HALF}"),
        ("embed", {"text": "a", "text_pair": "\ud83d"}, f"record 1: {HALF}"),
        ("rank", {"query": "\ud83d", "text": "a"}, f"record 1: {HALF}"),
        ("answer", {"question": "a", "text": "\ud83d"}, f"record 1: {HALF}"),
        ("tag", {"text": "\ud83d", "tokens": [[0, 1]]}, f"record 1: {HALF}"),
        ("tag", {"text": "a", "tokens": ["\ud83d"]}, "record 1: `tokens.0`: its value is not valid"),
        ("tag", {"text": "a", "\ud83d": 1}, "record 1: its value is not valid"),
    ],
)
def test_halves_of_characters_are_a_fault_of_the_request_wherever_they_stand(
    task: str, body: object, reason: str
) -> None:
    desk = Desk(staff=Staff.of([Model(unloaded(task))], Crew([], Unwatched())))
    with pytest.raises(RequestError) as refused:
        desk.read(desk.find(task), json.dumps(body).encode(), {})
    assert (refused.value.status, str(refused.value)) == (422, reason)


def test_it_shows_itself_in_a_line(predictor: Predictor) -> None:
    assert repr(predictor).startswith("Predictor(labels=") and len(repr(predictor)) < 300
