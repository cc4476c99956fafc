"""Regress: the contract for texts and pairs, numbers read honestly, the scale of the training rows, what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import weitiao
from tests.tasks.contract import TaskContract
from weitiao.models.tiny import tiny
from weitiao.recipe import TrainingSpec
from weitiao.records import Feature, Outputs, RegressPrediction, RegressRecord
from weitiao.tasks import RowFault
from weitiao.tasks.regress import Regress, RegressOptions, Scale, scale_of
from weitiao.text import Tokenizer

TRAIN = [
    {"text": "good film", "score": "4.5"},
    {"text": "the service was bad and the film was long, long, long", "score": 0},
    {"text": "bad", "score": 1.25},
    {"text": "not bad \x00 🙂", "score": " 3 "},
]


class TestTexts(TaskContract):
    """The contract; any number can be answered, so no answer of dev is unknown."""

    task = Regress()
    train = tuple(TRAIN)
    dev = ({"text": "a film", "score": 2}, {"text": "a film", "score": 77})
    target_dtypes: ClassVar = {"score": np.float32}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return {"logits": np.array([feature.targets["score"]], dtype=np.float32)}

    def answered(self, record: RegressRecord, prediction: RegressPrediction) -> RegressRecord:
        return record.model_copy(update={"score": round(prediction.score, 5)})

    def test_answers_that_the_model_cannot_give_are_one_warning(self) -> None:
        assert self.task.unanswerable(self.records(self.dev), self.task.label_space(self.records(self.train))) == []

    def test_answers_that_train_lacks_give_no_target(self, tokenizer: Tokenizer) -> None:
        labels = self.task.label_space(self.records(self.train))
        features = self.task.encode(self.records(self.dev), tokenizer, labels, 12)
        assert float(features[1].targets["score"]) > 10  # standard deviations above the training mean


class TestPairs(TestTexts):
    train = tuple({**row, "text_pair": "was it good?"} for row in TRAIN)
    dev = tuple({**row, "text_pair": "was it good?"} for row in TestTexts.dev)


def read(value: object) -> RegressRecord:
    return Regress().read({"text": "a text", "score": value}, file="f.csv", line=2)


@pytest.mark.parametrize(
    ("value", "number"), [("4.5", 4.5), (3, 3.0), (np.float32(0.5), 0.5), (" -1e-2 ", -0.01), ("３", 3.0)]
)
def test_numbers_are_read(value: object, number: float) -> None:
    assert read(value).score == number


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no score"),
        (" ", "no score"),
        ("high", "score 'high' is not a number"),
        ("3/5", "score '3/5' is not a number"),
        ("0,22", "score '0,22' is not a number; write the decimal comma as a point: 0.22"),
        ("25%", "score '25%' is not a number; write it without the percent sign, as 25"),
        ("2,5 ％", "score '2,5 ％' is not a number; write it without the percent sign, as 2.5"),
        ("inf", "score 'inf' is not a finite number"),
        ([1], "a list where text is expected"),
    ],
)
def test_what_is_no_number_is_a_fault(value: object, reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        read(value)
    assert str(caught.value) == reason


def test_the_scale_is_exact_in_the_label_space_and_of_any_order() -> None:
    scores = [0.1, 0.2, 0.3, 1e6, -7.7]
    scale = scale_of(scores)
    assert scale == scale_of(scores[::-1]) == scale_of(scores * 3) == Scale.of(scale.labels())
    assert (scale.mean, scale.sd) == pytest.approx((np.mean(scores), np.std(scores)))
    assert scale_of([2.0, 2.0]) == Scale(2.0, 1.0)


def test_training_rows_with_one_score_are_an_error() -> None:
    records = [RegressRecord(file="a.csv", line=line, text=f"t{line}", score=2.5) for line in (2, 3)]
    (problem,) = Regress().audit({"train": records}, [])
    assert (str(problem.message), problem.severity) == (
        "every training row has the score 2.5, so there is nothing to learn; check `data.fields`",
        "error",
    )


def test_what_the_ranking_loss_does_not_go_with() -> None:
    def keys(loss: Any, **training: Any) -> list[str]:
        return [each.keys[-1] for each in Regress(RegressOptions(loss=loss)).misfits(TrainingSpec(**training))]

    wrong = {"token_budget": 100, "metric": "loss", "batch_size": 1, "label_smoothing": 0.1}
    assert keys("mse", **wrong) == ["label_smoothing"]
    assert keys("ranking", **wrong) == ["label_smoothing", "token_budget", "metric", "batch_size"]
    assert keys("ranking") == []


@pytest.mark.parametrize(("loss", "head"), [("mse", "stock"), ("ranking", "mean")])
def test_sixteen_examples_are_learnt_by_heart(loss: str, head: str, tmp_path: Path) -> None:
    tiny("bert", tmp_path / "model")
    words = "good bad film room food service fox dog"
    rows = [
        {"text": word, "text_pair": f"{word} {n}", "score": 50.0 + 7 * i}
        for i, word in enumerate(words.split())
        for n in "ab"
    ]
    run = weitiao.train(
        {
            "task": {"name": "regress", "loss": loss},
            "model": {"name": str(tmp_path / "model"), "head": head, "dropout": 0.0},
            "data": {"train": "memory", "dev": None, "test": None},
            "training": {"epochs": 60, "learning_rate": 5e-3, "batch_size": 8},
            "evaluation": {"resamples": 200},
            "output": str(tmp_path / "run"),
        },
        data=rows,
    )
    metrics = {name: score.value for name, score in run.report.metrics.items()}
    assert metrics["spearman"] > 0.99 and metrics["pearson"] > 0.99
    assert metrics["mae"] < 3
    assert run.report.baselines["mean"].metrics["spearman"].value == 0
    (answer,) = run.predict([("fox", "fox a")])
    assert answer.score == pytest.approx(50 + 7 * 6, abs=5)
    assert [table.name for table in run.report.tables] == ["errors_by_gold"]
    page = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "Spearman correlation" in page and "difference, points" not in page
