"""What every task must keep: inherit `TaskContract`, give it a task, rows and outputs, and these tests run on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel

from tests.model_folder import make_tokenizer
from weitiao.metrics import direction, value_of
from weitiao.models import families
from weitiao.models.heads import HEADS
from weitiao.recipe import TrainingSpec
from weitiao.records import Feature, Outputs, Prediction, Record
from weitiao.tasks import RowFault, Task, by_record, decode_all
from weitiao.text import Tokenizer

MAX_LENGTH = 12


class TaskContract:
    """Tests of the Task seam. Subclasses say what the task is and what its rows look like."""

    task: Task[Any, Any]
    train: Sequence[Mapping[str, object]]
    """Labelled fields of the training rows; at least four, with two different answers."""
    dev: Sequence[Mapping[str, object]]
    """Labelled fields of the dev rows; at least one answer that train lacks."""
    target_dtypes: Mapping[str, npt.DTypeLike]

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        """Outputs of a head that is right about `feature` (which has targets)."""
        raise NotImplementedError

    @pytest.fixture
    def tokenizer(self) -> Tokenizer:
        return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)

    def records(self, rows: Sequence[Mapping[str, object]], file: str = "train.csv") -> list[Any]:
        return [self.task.read(fields, file=file, line=line, group="") for line, fields in enumerate(rows, 2)]

    def features(self, tokenizer: Tokenizer) -> tuple[list[Any], Sequence[str], list[Feature]]:
        records = self.records(self.train)
        labels = self.task.label_space(records)
        return records, labels, self.task.encode(records, tokenizer, labels, MAX_LENGTH)

    def decoded(self, records: list[Any], labels: Sequence[str], features: list[Feature]) -> list[Any]:
        """The answers of a head that is right."""
        outputs = [self.outputs(feature, labels) for feature in features]
        return decode_all(self.task, records, features, outputs, labels, {})

    def test_the_head_is_the_one_that_the_task_names(self) -> None:
        head = HEADS[self.task.head]
        assert self.task.stock == head.stock
        assert not self.task.stock or self.task.stock in families.STOCK
        labels = self.task.label_space(self.records(self.train))
        classes = self.task.classes(labels)
        assert len(set(classes)) == len(classes) > 0
        json.dumps([list(classes), dict(self.task.head_options())])

    def test_answers_are_shown_in_a_line(self, tokenizer: Tokenizer) -> None:
        for prediction in self.decoded(*self.features(tokenizer)):
            answer, sure = prediction.shown()
            assert answer and sure

    def test_right_is_told(self, tokenizer: Tokenizer) -> None:
        records, labels, features = self.features(tokenizer)
        for prediction, record in zip(self.decoded(records, labels, features), records, strict=True):
            assert self.task.right(prediction, record) in (True, None)

    def test_types(self) -> None:
        assert issubclass(self.task.record, Record)
        assert issubclass(self.task.prediction, Prediction)
        assert issubclass(self.task.options_model, BaseModel)
        assert type(self.task)(self.task.options_model()).name == self.task.name

    def test_field_names_are_distinct_and_aliases_serve_one_field(self) -> None:
        names = [field.name for field in self.task.fields]
        aliases = [alias.casefold() for field in self.task.fields for alias in field.aliases]
        assert len(names) == len(set(names))
        assert len(aliases) == len(set(aliases))

    def test_records_equal_validated_ones(self) -> None:
        for record in self.records(self.train):
            validated = self.task.record.model_validate(record.model_dump())
            assert record == validated
            assert record.model_dump_json() == validated.model_dump_json()

    def test_records_keep_their_place(self) -> None:
        record = self.task.read(self.train[0], file="a.csv", line=7, group="g")
        assert (record.place, record.group) == ("a.csv:7", "g")

    def test_unlabelled_rows_are_read_only_where_no_answer_is_needed(self) -> None:
        gold = {field.name for field in self.task.fields if field.only_labelled}
        bare = {name: value for name, value in self.train[0].items() if name not in gold}
        assert self.task.read(bare, file="a", line=1, group="", labelled=False)
        with pytest.raises(RowFault):
            self.task.read(bare, file="a", line=1, group="")

    def test_missing_required_fields_are_faults(self) -> None:
        for field in self.task.fields:
            if field.required:
                for value in (None, "", " \t\n", float("nan")):
                    with pytest.raises(RowFault) as caught:
                        self.task.read({**self.train[0], field.name: value}, file="a", line=1, group="")
                    assert str(caught.value)

    def test_label_space_is_stable_in_order_and_from_train_only(self) -> None:
        records = self.records(self.train)
        labels = self.task.label_space(records)
        assert list(self.task.label_space(records[::-1])) == list(labels)
        assert list(self.task.label_space(records + records)) == list(labels)
        assert len(set(labels)) == len(labels)
        json.dumps(list(labels))
        dev_only = set(self.task.label_space(self.records(self.dev))) - set(labels)
        assert dev_only, "the dev rows of this test should have an answer that train lacks"

    def test_answers_that_the_model_cannot_give_are_one_warning(self) -> None:
        records, dev = self.records(self.train), self.records(self.dev, "dev.csv")
        labels = self.task.label_space(records)
        assert self.task.unanswerable(records, labels) == []
        (problem,) = self.task.unanswerable([*records, *dev], labels)
        assert problem.severity == "warning"
        assert {row.file for row in problem.rows} == {problem.file} == {"dev.csv"}

    def test_what_is_no_class_has_no_label_smoothing(self) -> None:
        found = list(self.task.misfits(TrainingSpec(label_smoothing=0.1)))
        assert found or self.task.labels_are == "classes"
        assert not list(self.task.misfits(TrainingSpec()))

    def test_encoding_is_deterministic_and_one_by_one_equals_together(self, tokenizer: Tokenizer) -> None:
        records, labels, together = self.features(tokenizer)
        again = self.task.encode(records, tokenizer, labels, MAX_LENGTH)
        alone = [self.task.encode([record], tokenizer, labels, MAX_LENGTH) for record in records]
        for left, right in zip(together, again, strict=True):
            assert_equal_features(left, right)
        for left, right in zip(together, [feature for each in alone for feature in each], strict=True):
            assert_equal_features(left, right)

    def test_features_say_whose_they_are_and_fit(self, tokenizer: Tokenizer) -> None:
        records, _labels, features = self.features(tokenizer)
        groups = [feature.group for feature in features]
        assert groups == sorted(groups)
        assert set(groups) == set(range(len(records)))
        assert all(0 < len(feature) <= MAX_LENGTH for feature in features)

    def test_targets_have_their_dtypes(self, tokenizer: Tokenizer) -> None:
        _records, _labels, features = self.features(tokenizer)
        for feature in features:
            assert {name: value.dtype for name, value in feature.targets.items()} == {
                name: np.dtype(dtype) for name, dtype in self.target_dtypes.items()
            }
            assert feature.input_ids.dtype == np.int32

    def test_answers_that_train_lacks_give_no_target(self, tokenizer: Tokenizer) -> None:
        labels = self.task.label_space(self.records(self.train))
        dev = self.records(self.dev, "dev.csv")
        features = self.task.encode(dev, tokenizer, labels, MAX_LENGTH)
        unknown = {index for index, record in enumerate(dev) if not set(self.task.label_space([record])) <= set(labels)}
        assert unknown
        assert {feature.group for feature in features if not feature.targets} == unknown

    def test_right_outputs_decode_to_the_gold_answer(self, tokenizer: Tokenizer) -> None:
        records, labels, features = self.features(tokenizer)
        for record, prediction in zip(records, self.decoded(records, labels, features), strict=True):
            assert self.task.answer(self.answered(record, prediction)) == self.task.answer(record)
            assert self.task.prediction.model_validate(prediction.model_dump()) == prediction
            json.dumps(prediction.model_dump(mode="json"))

    def answered(self, record: Any, prediction: Any) -> Any:
        """The record as if the prediction were its gold answer."""
        raise NotImplementedError

    def test_settings_are_json_and_decode_takes_them_back(self, tokenizer: Tokenizer) -> None:
        records, labels, features = self.features(tokenizer)
        own, outputs = by_record(len(records), features, [self.outputs(feature, labels) for feature in features])
        settings = self.task.calibrate(records, own, outputs, labels)
        again = json.loads(json.dumps(settings))
        for record, *each in zip(records, own, outputs, strict=True):
            assert self.task.decode(record, *each, labels, again) == self.task.decode(record, *each, labels, settings)

    def test_metrics_are_at_their_best_for_right_answers(self, tokenizer: Tokenizer) -> None:
        records, labels, features = self.features(tokenizer)
        predictions = self.decoded(records, labels, features)
        answered = [pair for pair in zip(predictions, records, strict=True) if self.task.answer(pair[1])]
        metrics = self.task.metrics(labels)
        assert len({metric.name for metric in metrics}) == len(metrics) > 0
        for metric in metrics:
            best = 1.0 if direction(metric.name) > 0 else 0.0
            assert value_of(metric, *zip(*answered, strict=True)) == pytest.approx(best, abs=1e-5), metric.name

    def test_options_survive_json(self) -> None:
        model = self.task.options_model
        options = model()
        assert model.model_validate_json(options.model_dump_json()) == options


def assert_equal_features(left: Feature, right: Feature) -> None:
    """Equal in everything but the group."""
    assert left.input_ids.tolist() == right.input_ids.tolist()
    assert (left.token_type_ids is None) == (right.token_type_ids is None)
    if left.token_type_ids is not None and right.token_type_ids is not None:
        assert left.token_type_ids.tolist() == right.token_type_ids.tolist()
    assert left.cut == right.cut
    assert left.targets.keys() == right.targets.keys()
    assert all(left.targets[name].tolist() == right.targets[name].tolist() for name in left.targets)
