"""A pipeline finds spans, relates them, and is scored strictly; tiny models that know their texts by heart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import weitiao
from weitiao.errors import ProblemsFound, Refused
from weitiao.models.tiny import tiny
from weitiao.records import FoundSpan, GraphRecord, Relation, Span
from weitiao.serving.graphs import read_graphs
from weitiao.serving.pipeline import Pipeline

TEXTS: Sequence[tuple[str, tuple[Span, ...], tuple[Relation, ...]]] = (
    (
        "Anna leads Acme",
        (Span(start=0, end=4, label="PER"), Span(start=11, end=15, label="ORG")),
        (Relation(head=0, tail=1, label="leads"), Relation(head=1, tail=0, label="led_by")),
    ),
    (
        "Acme hires Anna",
        (Span(start=0, end=4, label="ORG"), Span(start=11, end=15, label="PER")),
        (Relation(head=0, tail=1, label="hires"),),
    ),
    ("Anna and Bob", (Span(start=0, end=4, label="PER"), Span(start=9, end=12, label="PER")), ()),
    ("nobody sings", (), ()),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run of `tag` and one of `relate`, on the same texts."""
    folder = tmp_path_factory.mktemp("pipeline")
    model = tiny("bert", folder / "tiny", texts=[text for text, _spans, _relations in TEXTS] * 3)
    tags = [{"text": text, "spans": [span.model_dump() for span in spans]} for text, spans, _relations in TEXTS]
    pairs = [
        {
            "text": text,
            "head": list(spans[head].bounds),
            "tail": list(spans[tail].bounds),
            "relation": next((each.label for each in relations if (each.head, each.tail) == (head, tail)), "none"),
        }
        for text, spans, relations in TEXTS
        for head, tail in ((0, 1), (1, 0))
        if spans
    ]
    return [train(folder / task, model, task, rows * 4) for task, rows in (("tag", tags), ("relate", pairs))]


def train(folder: Path, model: Path, task: str, rows: list[dict[str, Any]]) -> Path:
    recipe: Mapping[str, Any] = {
        "task": task,
        "model": {"name": str(model)},
        "training": {"epochs": 30, "batch_size": 8, "learning_rate": 5e-3},
        "evaluation": {"resamples": 100, "baselines": []},
        "output": str(folder),
    }
    weitiao.train(recipe, data={"train": rows, "dev": rows})
    return folder


def records() -> list[GraphRecord]:
    return [
        GraphRecord(file="", line=0, group="", text=text, spans=spans, tokens=None, relations=relations)
        for text, spans, relations in TEXTS
    ]


def test_it_finds_spans_and_relations(runs: list[Path]) -> None:
    pipeline = weitiao.Pipeline(runs)
    answers = pipeline.predict([text for text, _spans, _relations in TEXTS])
    for answer, (text, spans, relations) in zip(answers, TEXTS, strict=True):
        assert [(each.bounds, each.label) for each in answer.spans] == [(each.bounds, each.label) for each in spans]
        assert all(text[slice(*each.bounds)] == each.text for each in answer.spans)
        assert [(each.head, each.tail, each.label) for each in answer.relations] == [
            (each.head, each.tail, each.label) for each in relations
        ]
    assert answers[0].shown()[0] == "Anna > leads > Acme | Acme > led_by > Anna"
    assert answers[3].shown()[0] == "(none)"
    assert pipeline.predict([]) == []


def test_it_is_scored_strictly(runs: list[Path]) -> None:
    pipeline = Pipeline(runs)
    assert set(pipeline.score(records()).values()) == {1.0}
    moved = records()[0].model_copy(update={"spans": (Span(start=0, end=4, label="ORG"), records()[0].spans[1])})
    found = pipeline.score([moved, *records()[1:]])
    assert found["strict_relation_f1"] == pytest.approx(1 / 3)  # both relations of the first text have a wrong span
    assert found["strict_span_f1"] == pytest.approx(5 / 6)


def export(path: Path) -> Path:
    """The texts as doccano exports them."""
    rows = [
        {
            "id": row,
            "text": text,
            "entities": [
                {"id": 10 * row + place, "label": span.label, "start_offset": span.start, "end_offset": span.end}
                for place, span in enumerate(spans)
            ],
            "relations": [
                {"id": place, "from_id": 10 * row + each.head, "to_id": 10 * row + each.tail, "type": each.label}
                for place, each in enumerate(relations)
            ],
        }
        for row, (text, spans, relations) in enumerate(TEXTS)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_an_export_trains_and_scores_the_chain(runs: list[Path], tmp_path: Path) -> None:
    """The file of an annotation tool as it is: training and evaluating `relate`, and the score of the whole chain."""
    source = export(tmp_path / "export.jsonl")
    assert read_graphs(str(source)) == [
        each.model_copy(update={"file": str(source), "line": line}) for line, each in enumerate(records(), 1)
    ]
    run = weitiao.train(
        {
            "task": "relate",
            "model": {"name": str(runs[0].parent / "tiny")},
            "data": {"train": str(source), "dev": None, "test": None},
            "training": {"epochs": 100, "batch_size": 8, "learning_rate": 5e-3},
            "output": str(tmp_path / "run"),
        }
    )
    assert run.predictor.labels == ["hires", "leads", "led_by", "no_relation"]
    assert run.evaluate(str(source)).report.metrics["relation_f1"].value == 1.0
    found = Pipeline([runs[0], run]).score(source)
    assert set(found.values()) == {1.0}


def test_a_file_with_a_row_that_cannot_be_used_is_not_scored(tmp_path: Path) -> None:
    source = tmp_path / "export.jsonl"
    rows = [{"text": "a b", "spans": [[0, 1, "X"]]}, {"text": "a b", "spans": [[0, 9, "X"]], "relations": []}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    with pytest.raises(ProblemsFound) as found:
        read_graphs(str(source))
    (problem,) = found.value.problems
    assert (problem.line, problem.message) == (2, "the span 0-9 (X) lies outside the text of 3 characters")


def test_spans_far_apart_are_not_asked_about(runs: list[Path]) -> None:
    (near,) = Pipeline(runs, max_distance=7).predict([TEXTS[0][0]])
    (far,) = Pipeline(runs, max_distance=6).predict([TEXTS[0][0]])
    assert len(near.relations) == 2
    assert (len(far.spans), far.relations) == (2, ())


def test_pairs_whose_labels_say_the_direction_are_asked_about_once(runs: list[Path]) -> None:
    pipeline = Pipeline(runs)
    spans = [FoundSpan(start=a, end=a + 1, label="x", text="", confidence=1.0) for a in range(3)]
    assert pipeline._pairs(spans) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    pipeline.directed = True
    assert pipeline._pairs(spans) == [(0, 1), (0, 2), (1, 2)]


def test_it_takes_predictors_and_runs(runs: list[Path]) -> None:
    predictors = [weitiao.load(run) for run in runs]
    assert Pipeline(predictors).predict([TEXTS[1][0]]) == Pipeline(runs).predict([TEXTS[1][0]])
    wrapped = [SimpleNamespace(predictor=each) for each in predictors]  # as a `Run` has it
    assert Pipeline(wrapped).spans is predictors[0]


def test_other_chains_are_refused(runs: list[Path]) -> None:
    for chain, kinds in ((runs[::-1], "relate, tag"), (runs[:1], "tag"), ([], "none")):
        with pytest.raises(Refused, match=rf"a run of the task relate; got: {kinds}$"):
            Pipeline(chain)
