"""The task `span`: nested and overlapping spans from rows to answers, in one window or several."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import weitiao
from tests.model_folder import make_tokenizer
from tests.tasks.contract import TaskContract
from weitiao.evaluation.baselines import Splits
from weitiao.evaluation.gazetteer import gazetteer
from weitiao.evaluation.spans import analyse_overlapping, kinds_of_errors
from weitiao.models.tiny import tiny
from weitiao.records import Feature, Outputs, Span, TagPrediction, TagRecord
from weitiao.tasks import decode_all
from weitiao.tasks.pointers import candidates, home
from weitiao.tasks.span import SpanOptions, SpanTask
from weitiao.text import Tokenizer

ROWS: list[dict[str, Any]] = [
    {"text": "北京大学在北京市", "spans": [[0, 2, "LOC"], [0, 4, "ORG"], [5, 8, "LOC"]]},
    {"text": "Anna of Rome University", "spans": [[0, 4, "PER"], [0, 12, "PER"], [8, 12, "LOC"], [8, 23, "ORG"]]},
    {"text": "the fox", "spans": []},
    {"text": "Bob Lee in Paris", "spans": [[0, 7, "PER"], [4, 16, "ORG"], [11, 16, "LOC"], [11, 16, "ORG"]]},
]


def right(feature: Feature, score: float = 6.0) -> Outputs:
    """Outputs of a head that is right about a feature, and less sure of two spans that are none."""
    gold = np.asarray(feature.targets["spans"], dtype=np.float64)
    rows = [*([*each, score] for each in gold), [0, 0, 0, -score - 1], [-1, -1, -1, -1]]
    return {"spans": np.array([row for row in rows if row[:3] not in gold.tolist() or row[3] > 0], dtype=np.float32)}


class TestSpan(TaskContract):
    task = SpanTask()
    train: ClassVar[Any] = ROWS
    dev: ClassVar[Any] = [
        {"text": "Anna", "spans": [[0, 4, "PER"]]},
        {"text": "good film", "spans": [[0, 9, "WORK"], [5, 9, "PER"]]},
    ]
    target_dtypes: ClassVar[Any] = {"spans": np.int64}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return right(feature)

    def answered(self, record: TagRecord, prediction: Any) -> TagRecord:
        spans = tuple(Span(start=each.start, end=each.end, label=each.label) for each in prediction.spans)
        return record.model_copy(update={"spans": spans})


def tokenizer() -> Tokenizer:
    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


def record_of(text: str, spans: Sequence[tuple[int, int, str]]) -> TagRecord:
    return SpanTask().read({"text": text, "spans": [list(each) for each in spans]}, file="a", line=1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_spans_that_a_window_holds_come_back_from_any_number_of_windows(data: st.DataObject) -> None:
    length = data.draw(st.integers(1, 40))
    starts = st.integers(0, length - 1)
    spans = data.draw(
        st.lists(st.tuples(starts, st.integers(1, 4), st.sampled_from("AB")).map(
            lambda each: (each[0], min(each[0] + each[1], length), each[2])
        ), max_size=8, unique=True)
    )  # fmt: skip
    record, task, labels = record_of("字" * length, spans), SpanTask(), ["A", "B"]
    features = task.encode([record], tokenizer(), labels, data.draw(st.integers(18, 44)))
    (answer,) = decode_all(task, [record], features, [right(each) for each in features], labels, {})
    assert [(each.start, each.end, each.label) for each in answer.spans] == sorted(spans)
    assert not any(feature.cut for feature in features)


def test_a_span_that_no_window_holds_is_counted() -> None:
    record = record_of("字" * 30, [(0, 30, "A"), (1, 3, "A")])
    features = SpanTask().encode([record], tokenizer(), ["A"], 18)
    assert len(features) > 1
    assert [feature.lost for feature in features] == [1, *[0] * (len(features) - 1)]
    assert not any(feature.cut for feature in features)  # every token is read
    assert sum(len(feature.targets["spans"]) for feature in features) == 1


def test_each_span_is_answered_by_the_window_that_sees_most_around_it() -> None:
    borders = np.array([[0, 10], [6, 16], [12, 20]])
    spans = np.array([[0, 9], [7, 7], [8, 8], [9, 9], [15, 15], [19, 19], [6, 9]], dtype=np.float64)
    assert home(spans, borders, 20).tolist() == [0, 0, 1, 1, 2, 2, 0]
    said = {"spans": np.array([[1, 1, 0, 3.0], [5, 5, 0, 2.0], [-1, -1, -1, -1]], dtype=np.float32)}
    features = [
        Feature(np.zeros(1, dtype=np.int32), places={"units": np.arange(a, b), "tokens": np.arange(b - a)})
        for a, b in borders
    ]
    found = candidates(features, [said] * 3, 20)
    assert [each[:, :2].tolist() for each in found] == [
        [[1, 1], [5, 5]],
        [[11, 11]],
        [[17, 17]],
    ]  # units 7 and 13 are others'


def test_the_threshold_is_the_one_with_the_best_f1_on_dev() -> None:
    task, labels = SpanTask(), ["A"]
    record = record_of("一二三", [(0, 1, "A"), (1, 2, "A")])
    features = task.encode([record], tokenizer(), labels, 16)
    said = {"spans": np.array([[0, 0, 0, 2.0], [1, 1, 0, -1.0], [2, 2, 0, -3.0]], dtype=np.float32)}
    assert len(task.decode(record, features, [said], labels, {}).spans) == 1
    found = task.calibrate([record], [features], [[said]], labels)
    assert 1 / (1 + np.exp(3.0)) < found["threshold"] < 1 / (1 + np.exp(1.0))
    assert task.right(task.decode(record, features, [said], labels, found), record)
    fixed = SpanTask(SpanOptions(threshold=0.9))
    assert fixed.calibrate([record], [features], [[said]], labels) == {}
    assert fixed.decode(record, features, [said], labels, found).spans == ()


def test_gold_spans_that_are_no_candidates_count_as_missed_by_every_threshold() -> None:
    """With them the wrong candidate costs less than the right one brings: 2 / 4 + 3 against nothing."""
    task = SpanTask()
    record = record_of("一二三四", [(0, 1, "A"), (1, 3, "A"), (2, 4, "A")])
    features = task.encode([record], tokenizer(), ["A"], 16)
    said = {"spans": np.array([[3, 3, 0, 1.0], [0, 0, 0, 0.5]], dtype=np.float32)}
    threshold = task.calibrate([record], [features], [[said]], ["A"])["threshold"]
    assert threshold < 1 / (1 + np.exp(-0.5))


def test_wide_and_misaligned_spans_are_told_and_overlaps_are_not() -> None:
    task = SpanTask(SpanOptions(max_width=3))
    record = record_of("Anna of Rome University", [(0, 23, "ORG"), (0, 4, "PER"), (8, 11, "LOC")])
    problems = [each for each in task.audit({"train": [record]}, ["LOC", "ORG", "PER"]) if "span" in each.code]
    assert [(each.code, each.message) for each in problems] == [
        ("misaligned-spans", "1 span of train begins or ends inside a word, and cannot be found exactly: LOC 8-11"),
        (
            "wide-spans",
            "1 span of train has more than 3 units, and cannot be found: ORG 0-23; raise task.max_width",
        ),
    ]
    (feature,) = task.encode([record], tokenizer(), ["LOC", "ORG", "PER"], 64)
    assert feature.targets["spans"].tolist() == [[0, 0, 2], [2, 2, 0]]


def test_kinds_of_errors_of_nested_spans() -> None:
    gold = [Span(start=0, end=4, label="A"), Span(start=0, end=2, label="B"), Span(start=6, end=8, label="B")]
    answers = [
        gold[0],
        Span(start=0, end=2, label="A"),
        Span(start=1, end=3, label="A"),
        Span(start=9, end=10, label="A"),
    ]
    assert dict(kinds_of_errors(answers, gold)) == {
        "right": 1, "wrong_label": 1, "wrong_both": 1, "spurious": 1, "missed": 1,
    }  # fmt: skip
    assert kinds_of_errors(gold[:1], gold)["missed"] == 2


def test_the_gazetteer_finds_forms_within_others() -> None:
    task = SpanTask()
    train = [record_of("北京大学在北京", [(0, 2, "LOC"), (0, 4, "ORG"), (5, 7, "LOC")])]
    (answer,) = gazetteer(task, Splits(train, [], [record_of("北京大学", [])], ["LOC", "ORG", "PER"])).predictions
    assert [(each.start, each.end, each.label) for each in answer.spans] == [(0, 2, "LOC"), (0, 4, "ORG")]


def test_nested_spans_have_scores_of_their_own() -> None:
    task = SpanTask()
    records = [record_of("一二三四", [(0, 1, "A"), (0, 2, "A"), (3, 4, "A")])]
    (answer,) = gazetteer(task, Splits(records, [], records, ["A"])).predictions
    half = answer.model_copy(update={"spans": answer.spans[1:]})
    found = analyse_overlapping(task, ["A"], [half], records, train=[], texts=True)
    table = next(each for each in found.tables if each.name == "spans_by_nesting")
    assert [(row.label, row.count, row.figures["recall"]) for row in table.rows] == [
        ("nested_span", 2, 0.5),
        ("single_span", 1, 1.0),
    ]
    assert {each.name for each in found.tables} == {
        "span_errors",
        "spans_by_length",
        "spans_by_nesting",
        "unit_alignment",
    }


def test_spans_that_are_wider_than_max_width_stand_in_the_report() -> None:
    task = SpanTask(SpanOptions(max_width=2))
    records = [record_of("一二三四 good", [(0, 1, "A"), (0, 3, "A"), (6, 9, "A")])]
    found = analyse_overlapping(task, ["A"], [TagPrediction(spans=())], records, train=[], texts=True)
    (table,) = (each for each in found.tables if each.name == "unit_alignment")
    assert {row.label: row.count for row in table.rows} == {"fits": 1, "border_in_unit": 1, "wide_span": 1}


def test_sixteen_texts_with_nested_spans_are_learnt_by_heart(tmp_path: Path) -> None:
    tiny("bert", tmp_path / "model")
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(json.dumps(row) for row in ROWS * 4), "utf-8")
    run = weitiao.train(
        {
            "task": "span",
            "model": str(tmp_path / "model"),
            "data": {"train": str(tmp_path / "train.jsonl"), "dev": None, "test": str(tmp_path / "test.jsonl")},
            "training": {"epochs": 40, "learning_rate": 5e-3, "batch_size": 8},
            "evaluation": {"resamples": 100},
            "output": str(tmp_path / "run"),
        }
    )
    assert {name: score.value for name, score in run.report.metrics.items()} == pytest.approx(
        dict.fromkeys(run.report.metrics, 1.0)
    )
    (answer,) = run.predict(["Anna of Rome University"])
    assert [(each.label, each.text) for each in answer.spans] == [
        ("PER", "Anna"), ("PER", "Anna of Rome"), ("LOC", "Rome"), ("ORG", "Rome University"),
    ]  # fmt: skip
    assert "Rome" not in (tmp_path / "run" / "predictions.jsonl").read_text("utf-8")
    assert weitiao.compare(tmp_path / "run", tmp_path / "run").verdict == "none"
