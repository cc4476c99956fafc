"""Intents and slots: the contract of its kinds, cells of several intents, what is out of scope, a model that learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import weitiao
from tests.tasks.contract import TaskContract
from weitiao.models.tiny import tiny
from weitiao.records import Feature, IntentSlotPrediction, IntentSlotRecord, Outputs
from weitiao.tasks import TASKS, RowFault
from weitiao.tasks.intent_slot import BELOW, IntentSlot, IntentSlotOptions
from weitiao.text import Tokenizer

TRAIN: Sequence[Mapping[str, object]] = (
    {"text": "a good film", "spans": [[2, 6, "kind"]], "intent": "watch"},
    {
        "text": "the service was not bad and the film was long, long, long",
        "spans": [[28, 36, "what"]],
        "intent": "rate",
    },
    {"tokens": ["bad", "service"], "tags": ["B-kind", "B-what"], "intent": "rate"},
    {"text": "not a film", "intent": "rate"},
)
DEV: Sequence[Mapping[str, object]] = (
    {"text": "a film", "intent": "watch"},
    {"text": "a film", "spans": [[2, 6, "title"]], "intent": "buy"},
)


class _IntentSlots(TaskContract):
    dev = DEV

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        tags = np.maximum(feature.targets["labels"].astype(np.int64), 0)  # [T]
        width = len(self.task.classes(labels)) - self.intents(labels)
        return {"logits": np.eye(width)[tags] * 8, "intents": self.intent_logits(feature, labels)}

    def intents(self, labels: Sequence[str]) -> int:
        return sum(label.startswith("intent") for label in labels)

    def intent_logits(self, feature: Feature, labels: Sequence[str]) -> Any:
        return np.eye(self.intents(labels))[int(feature.targets["intents"])] * 8

    def answered(self, record: IntentSlotRecord, prediction: IntentSlotPrediction) -> IntentSlotRecord:
        return record.model_copy(update={"intents": prediction.intents, "spans": prediction.spans})


class TestOneIntent(_IntentSlots):
    task = IntentSlot()
    train = TRAIN
    target_dtypes: ClassVar = {"labels": np.int64, "intents": np.int64}


class TestBioes(TestOneIntent):
    task = IntentSlot(IntentSlotOptions(scheme="bioes"))


class TestSeveralIntents(_IntentSlots):
    task = IntentSlot(IntentSlotOptions(multi_intent=True))
    train = (*TRAIN, {"text": "a film was good", "intent": "watch#rate"}, {"text": "was it", "intent": ["rate", "ask"]})
    target_dtypes: ClassVar = {"labels": np.int64, "intents": np.float32}

    def intent_logits(self, feature: Feature, labels: Sequence[str]) -> Any:
        return (feature.targets["intents"].astype(np.float64) - 0.5) * 8


class TestOutOfScope(TestOneIntent):
    task = IntentSlot(IntentSlotOptions(out_of_scope="oos"))
    train = (*TRAIN, {"text": "the the the", "intent": "oos"})


def read(intent: object, **options: Any) -> tuple[str, ...] | None:
    return IntentSlot(IntentSlotOptions(**options)).read({"text": "a", "intent": intent}, file="f", line=1).intents


def test_it_is_in_the_table() -> None:
    assert TASKS["intent_slot"] is IntentSlot


@pytest.mark.parametrize(
    ("cell", "options", "intents"),
    [
        ("flight", {}, ("flight",)),
        ("flight#fare", {}, ("flight", "fare")),
        (" flight # fare # flight", {}, ("flight", "fare")),
        (["flight", "fare"], {}, ("flight", "fare")),
        ('["a#b", "c"]', {}, ("a#b", "c")),
        ("flight+fare", {"separator": "+"}, ("flight", "fare")),
        ("flight#fare", {"multi_intent": False}, ("flight#fare",)),
        (7, {}, ("7",)),
    ],
)
def test_cells_of_intents(cell: object, options: dict[str, Any], intents: tuple[str, ...]) -> None:
    assert read(cell, **options) == intents


def test_faulty_intents() -> None:
    for empty in (None, "", " # ", [], float("nan")):
        with pytest.raises(RowFault, match=r"^no intent$"):
            read(empty)
    with pytest.raises(RowFault, match=r"^2 intents where one is expected \(`multi_intent: false`\)$"):
        read(["a", "b"], multi_intent=False)


def records(rows: Sequence[Mapping[str, object]], task: IntentSlot, file: str = "f") -> list[IntentSlotRecord]:
    return [task.read(row, file=file, line=line) for line, row in enumerate(rows, 1)]


def test_the_label_space_says_whether_there_are_several() -> None:
    rows = [{"text": "x", "intent": "b"}, {"text": "x y", "intent": "a", "spans": [[0, 1, "s"]]}]
    several = [*rows, {"text": "x", "intent": "b#a"}]
    task = IntentSlot()
    assert list(task.label_space(records(rows, task))) == ["intent:a", "intent:b", "slot:s"]
    assert list(task.label_space(records(several, task))) == ["intents:a", "intents:b", "slot:s"]
    assert list(task.classes(["intent:a", "slot:s"])) == ["intent:a", "O", "B-s", "I-s"]
    one = IntentSlot(IntentSlotOptions(multi_intent=False))
    assert list(one.label_space(records(several, one)))[:3] == ["intent:a", "intent:b", "intent:b#a"]


def test_without_slots_there_are_no_scores_of_slots() -> None:
    task = IntentSlot()
    assert [each.name for each in task.metrics(["intent:a", "intent:b"])] == ["sentence_exact", "intent_accuracy"]
    assert "slot_f1" in [each.name for each in task.metrics(["intent:a", "slot:b"])]
    assert "slot_f1" in [each.name for each in task.metrics(["a", "b"])]  # of rows that are not known yet


def test_of_several_the_likeliest_is_answered_where_none_passes(one_token: tuple[IntentSlotRecord, Feature]) -> None:
    task, labels = IntentSlot(), ["intents:a", "intents:b"]
    record, feature = one_token
    for logits, intents in (([2, 3], ("a", "b")), ([-1, 3], ("b",)), ([-1, -3], ("a",))):
        outputs = [{"logits": np.zeros((len(feature), 1)), "intents": np.array(logits, dtype=np.float64)}]
        assert task.decode(record, [feature], outputs, labels, {}).intents == intents


@pytest.fixture
def one_token() -> tuple[IntentSlotRecord, Feature]:
    record = IntentSlot().read({"text": "a", "intent": "x"}, file="f", line=1)
    feature = Feature(np.array([2, 5, 3]), places={"tokens": np.array([1]), "units": np.array([0])})
    return record, feature


def outputs_of(*intents: float) -> list[Outputs]:
    return [{"logits": np.zeros((3, 1)), "intents": np.log(np.array(intents))}]


def test_a_threshold_found_on_dev_answers_out_of_scope(one_token: tuple[IntentSlotRecord, Feature]) -> None:
    task, labels = IntentSlot(IntentSlotOptions(out_of_scope="oos")), ["intent:a", "intent:b"]
    record, feature = one_token
    sure = [(0.9, 0.1, "a"), (0.2, 0.8, "b"), (0.55, 0.45, "oos"), (0.4, 0.6, "oos"), (0.7, 0.3, "a")]
    dev = [record.model_copy(update={"intents": (intent,)}) for _a, _b, intent in sure]
    outputs = [outputs_of(a, b) for a, b, _intent in sure]
    settings = task.calibrate(dev, [[feature]] * len(dev), outputs, labels)
    assert settings == {BELOW: pytest.approx(0.65)}  # half-way between 0.6, out of scope, and 0.7, in scope
    answers = [task.decode(record, [feature], each, labels, settings).intents for each in outputs]
    assert answers == [("a",), ("b",), ("oos",), ("oos",), ("a",)]
    assert task.decode(record, [feature], outputs[2], labels, {}).intents == ("a",)


def test_a_likely_out_of_scope_class_is_answered_whatever_the_threshold(
    one_token: tuple[IntentSlotRecord, Feature],
) -> None:
    task, labels = IntentSlot(IntentSlotOptions(out_of_scope="oos")), ["intent:a", "intent:oos"]
    record, feature = one_token
    assert task.decode(record, [feature], outputs_of(0.3, 0.7), labels, {BELOW: 0.2}).intents == ("oos",)
    assert task.decode(record, [feature], outputs_of(0.7, 0.3), labels, {BELOW: 0.8}).intents == ("oos",)
    assert task.decode(record, [feature], outputs_of(0.7, 0.3), labels, {BELOW: 0.2}).intents == ("a",)


def test_without_such_dev_rows_there_is_no_threshold_and_that_is_told(
    one_token: tuple[IntentSlotRecord, Feature],
) -> None:
    task, labels = IntentSlot(IntentSlotOptions(out_of_scope="oos")), ["intent:a", "intent:b"]
    record, feature = one_token
    known = record.model_copy(update={"intents": ("a",)})
    assert task.calibrate([known], [[feature]], [outputs_of(0.9, 0.1)], labels) == {}
    rows = [{"text": f"text {row}", "intent": "ab"[row % 2]} for row in range(12)]
    train = records(rows, task)
    (problem,) = task.audit({"train": train, "dev": train}, labels)
    assert (problem.code, problem.severity) == ("no-out-of-scope", "warning")
    beyond = records([{"text": "else", "intent": "oos"}], task)
    assert task.audit({"train": train, "dev": [*train, *beyond]}, labels) == []
    assert task.unanswerable(beyond, labels) == []  # answered below the threshold


def test_one_intent_is_too_few() -> None:
    task = IntentSlot()
    train = records([{"text": f"text {row}", "intent": "a"} for row in range(9)], task)
    (problem,) = task.audit({"train": train}, task.label_space(train))
    assert (problem.code, problem.severity) == ("too-few-classes", "error")


def test_long_texts_are_read_in_windows_and_their_intent_from_all(one_token: Any) -> None:
    _record, feature = one_token
    task, labels = IntentSlot(), ["intent:a", "intent:b"]
    record = task.read({"text": "x y", "intent": "a"}, file="f", line=1)
    second = Feature(feature.input_ids, places={"tokens": np.array([1]), "units": np.array([1])})
    pair = [{"logits": np.zeros((3, 1)), "intents": np.array(each)} for each in ([3.0, 0.0], [0.0, 2.0])]
    answer = task.decode(record, [feature, second], pair, labels, {})
    assert answer.intents == ("a",)
    assert answer.confidence == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_every_window_has_the_intent(contract_tokenizer: Tokenizer) -> None:
    task = IntentSlot()
    (record,) = records([{"text": "good film " * 9, "intent": "a"}], task)
    features = task.encode([record], contract_tokenizer, ["intent:a", "intent:b"], 12)
    assert len(features) > 1
    assert [int(each.targets["intents"]) for each in features] == [0] * len(features)


@pytest.fixture
def contract_tokenizer() -> Tokenizer:
    from tests.model_folder import make_tokenizer

    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


COMMANDS = (
    {"text": "play jazz in Rome", "spans": [[5, 9, "genre"], [13, 17, "city"]], "intent": "music"},
    {"text": "weather in Paris", "spans": [[11, 16, "city"]], "intent": "weather"},
    {"tokens": ["rain", "in", "New", "York"], "tags": ["O", "O", "B-city", "I-city"], "intent": "weather"},
    {"text": "stop", "intent": "music"},
)


def train(folder: Path, rows: Sequence[Mapping[str, object]], **changes: Any) -> Any:
    rows = [dict(row) for row in rows]
    recipe = {
        "task": {"name": "intent_slot", **changes.pop("task", {})},
        "model": {"name": str(tiny("bert", folder / "tiny", texts=[str(row.get("text", "")) for row in rows] * 3))},
        "training": {"epochs": 30, "batch_size": 8, "learning_rate": 5e-3, **changes.pop("training", {})},
        "evaluation": {"resamples": 200},
        "output": str(folder / "run"),
    }
    return weitiao.train(recipe, data={"train": rows, "dev": rows, "test": rows})


def test_it_learns_sixteen_examples_by_heart(tmp_path: Path) -> None:
    run = train(tmp_path, COMMANDS * 4)
    report = run.report
    assert report.headline == "sentence_exact"
    assert {name: score.value for name, score in report.metrics.items()} == dict.fromkeys(report.metrics, 1.0)
    assert report.baselines["majority_gazetteer"].metrics["intent_accuracy"].value == 0.5
    assert [row.label for row in report.tables[0].rows] == ["city", "genre"]
    assert [each.label for each in report.per_class] == ["music", "weather"]
    (answer,) = run.predict(["weather in Paris"])
    assert (answer.intents, [(each.label, each.text) for each in answer.spans]) == (("weather",), [("city", "Paris")])
    assert answer.shown()[0] == "weather [city: Paris]"
    assert weitiao.compare(tmp_path / "run", tmp_path / "run").verdict == "none"
    assert weitiao.load(tmp_path / "run").predict(["stop"])[0].intents == ("music",)


def test_it_learns_several_intents_without_slots_and_what_is_out_of_scope(tmp_path: Path) -> None:
    rows = [
        {"text": "play jazz", "intent": "music"},
        {"text": "weather and jazz", "intent": "weather#music"},
        {"text": "weather", "intent": "weather"},
        {"text": "who are you", "intent": "none"},
    ] * 4
    run = train(tmp_path, rows, task={"out_of_scope": "none"})
    assert {name: score.value for name, score in run.report.metrics.items()} == dict.fromkeys(
        ("sentence_exact", "intent_accuracy", "in_scope_accuracy", "out_of_scope_precision", "out_of_scope_recall"), 1.0
    )
    assert 0 < run.report.settings[BELOW] < 1
    assert run.report.multi_label
    assert run.predict(["weather and jazz"])[0].intents == ("music", "weather")


def test_a_metric_of_slots_is_refused_where_there_are_none(tmp_path: Path) -> None:
    rows = [{"text": "play jazz", "intent": "music"}, {"text": "weather", "intent": "weather"}] * 4
    with pytest.raises(weitiao.WeitiaoError, match=r"`training.metric` is slot_f1, which these rows do not have"):
        train(tmp_path, rows, training={"metric": "slot_f1"})
