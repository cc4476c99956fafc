"""Rank: the contract, labels and queries as rows write them, what cannot be measured, an order learnt by heart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

import weitiao
from tests.tasks.contract import TaskContract
from weitiao.models.tiny import tiny
from weitiao.records import Feature, Outputs, RankPrediction, RankRecord
from weitiao.tasks import RowFault
from weitiao.tasks.rank import Rank, RankOptions
from weitiao.text import Tokenizer


class TestRank(TaskContract):
    """The contract; any order can be answered, so no answer of dev is unknown."""

    task = Rank()
    train = (
        {"query": "a good film", "text": "good", "label": 1},
        {"query": "a good film", "text": "the service was bad and long, long, long", "label": "0"},
        {"query": "bad service", "text": "not bad \x00 🙂", "label": 0.5},
        {"query": "bad service", "text": "bad service", "label": 1.0},
    )
    dev = ({"query": "film", "text": "a film", "label": 3},)
    target_dtypes: ClassVar = {"score": np.float32}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        share = np.clip(float(feature.targets["score"]), 1e-6, 1 - 1e-6)
        return {"logits": np.array([np.log(share / (1 - share))])}

    def answered(self, record: RankRecord, prediction: RankPrediction) -> RankRecord:
        return record.model_copy(update={"label": round(prediction.score, 5)})

    def test_answers_that_the_model_cannot_give_are_one_warning(self) -> None:
        assert self.task.unanswerable(self.records(self.dev), ["highest=1"]) == []

    def test_answers_that_train_lacks_give_no_target(self, tokenizer: Tokenizer) -> None:
        (feature,) = self.task.encode(self.records(self.dev), tokenizer, ["highest=1"], 12)
        assert float(feature.targets["score"]) == 1  # above the highest training label there is nothing


def read(**fields: object) -> RankRecord:
    return Rank().read({"query": "q", "text": "t", "label": 1, **fields}, file="f.csv", line=2)


def test_rows_of_a_query_are_one_group_and_the_group_of_the_data_comes_first() -> None:
    first, second, other = read(), read(text="u"), read(query="p")
    assert first.group == second.group == first.query_id != other.group
    assert "q" not in first.query_id or len(first.query_id) == 16
    own = Rank().read({"query": "q", "text": "t", "label": 1}, file="f", line=2, group="g")
    assert (own.group, own.query_id) == ("g", first.query_id)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (None, "no label"),
        (-1, "label '-1.0' is below 0, which stands for a text that does not answer"),
        ("yes", "label 'yes' is not a number"),
    ],
)
def test_labels_are_numbers_from_0(label: object, reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        read(label=label)
    assert str(caught.value) == reason


def test_graded_labels_are_learnt_as_shares_of_the_highest(tokenizer: Tokenizer) -> None:
    records = [read(label=label) for label in (0, 1, 3)]
    for task, shares in ((Rank(), [0, 1 / 3, 1]), (Rank(RankOptions(highest=6)), [0, 1 / 6, 0.5])):
        features = task.encode(records, tokenizer, task.label_space(records), 12)
        assert [float(each.targets["score"]) for each in features] == pytest.approx(shares)


def test_the_highest_label_keeps_all_its_digits() -> None:
    assert Rank().label_space([read(label=1234567.25)]) == ["highest=1234567.25"]
    assert Rank().label_space([read(label=3)]) == ["highest=3"]


@pytest.fixture
def tokenizer() -> Tokenizer:
    from tests.model_folder import make_tokenizer

    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


def test_what_cannot_be_learnt_or_measured_is_told() -> None:
    alike = [read(), read(text="u")]
    found = Rank().audit({"train": alike, "dev": [read(query="p"), read(query="p", text="u")]}, [])
    assert [(each.code, each.severity) for each in found] == [
        ("constant-score", "error"),
        ("nothing-to-rank", "warning"),
    ]
    assert found[0].message == "every training row has the label 1, so there is nothing to learn; check `data.fields`"
    dev = [read(query="p"), read(query="p", label=0)]
    assert Rank().audit({"train": [read(), read(label=0)], "dev": dev}, []) == []


def test_an_order_is_learnt_by_heart(tmp_path: Path) -> None:
    tiny("bert", tmp_path / "model")
    words = ["good", "bad", "film", "room"]
    rows = [
        {"query": f"which {word}", "text": f"{other} thing", "label": int(word == other)}
        for word in words
        for other in words
    ]
    run = weitiao.train(
        {
            "task": "rank",
            "model": {"name": str(tmp_path / "model"), "dropout": 0.0},
            "data": {"train": "memory", "dev": None},
            "training": {"epochs": 150, "learning_rate": 2e-3, "batch_size": 8},
            "evaluation": {"resamples": 200},
            "output": str(tmp_path / "run"),
        },
        data={"train": rows, "test": rows},
    )
    assert {name: score.value for name, score in run.report.metrics.items()} == {"mrr@10": 1, "ndcg@10": 1, "map": 1}
    assert run.report.baselines["bm25"].metrics["mrr@10"].value == 1  # the word itself tells
    assert run.report.grouped
    right, wrong = run.predict([("which room", "room thing"), ("which room", "film thing")])
    assert right.score > 0.5 > wrong.score
    (table,) = run.report.tables
    assert [(row.label, row.count) for row in table.rows] == [("2-5", 4)]
    assert "which" not in (tmp_path / "run" / "predictions.jsonl").read_text("utf-8")
    comparison = weitiao.compare(str(tmp_path / "run"), str(tmp_path / "run"))
    assert comparison.metrics["mrr@10"].difference.value == 0
