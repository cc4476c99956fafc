"""`measure`: the figures are those of the rows, texts stay out when told so, and JSON keeps everything."""

import json
from itertools import pairwise

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.metrics import confusion_matrix, f1_score

from tests.evaluation import synthetic
from weitiao.evaluation.intervals import Resampling
from weitiao.evaluation.report import RunFacts, length_slices, measure, read_curves, spread
from weitiao.evaluation.schema import Report
from weitiao.metrics.classification import Accuracy
from weitiao.recipe import EvaluationSpec, ReportSpec
from weitiao.records import ClassifyPrediction, ClassifyRecord
from weitiao.tasks.classify import Classify, ClassifyOptions


@pytest.fixture(scope="module")
def made() -> Report:
    return synthetic.report()


def test_a_task_made_from_another_is_reported_like_it(made):
    class Entail(Classify):
        name = "entail"

    records = synthetic.rows(60, seed=3)
    found = measure(
        Entail(), list(synthetic.LABELS), predictions=synthetic.answers(records, seed=4), records=records, split="test",
        train=records, dev=records, spec=EvaluationSpec(resamples=100, baselines=[]), show=ReportSpec(),
        facts=RunFacts(name="r", model="m", method="full"),
    )  # fmt: skip
    assert found.confusion is not None
    assert len(found.per_class) == len(made.per_class)


def test_figures_are_those_of_the_rows(made):
    records = synthetic.rows(400, seed=3)
    answers = [each.labels[0] for each in synthetic.answers(records, seed=4)]
    answers[0] = next(label for label in synthetic.LABELS if label != records[0].label)
    gold = [each.label for each in records]
    assert made.metrics["macro_f1"].value == pytest.approx(f1_score(gold, answers, average="macro"))
    assert made.confusion.counts == confusion_matrix(gold, answers, labels=list(synthetic.LABELS)).tolist()
    assert [each.support for each in made.per_class] == [gold.count(label) for label in synthetic.LABELS]
    assert sum(each.rows for each in made.slices) == made.rows == 400
    assert sum(each.rows for each in made.calibration.bins) == 400


def test_largest_confusions_are_the_matrix_off_its_diagonal(made):
    names = list(synthetic.LABELS)
    counts = np.array(made.confusion.counts)
    for gold, answer, rows in made.confusion.largest:
        assert gold != answer
        assert counts[names.index(gold), names.index(answer)] == rows
    assert sum(rows for _gold, _answer, rows in made.confusion.largest) == counts.sum() - np.trace(counts)


def test_baselines_stand_on_the_same_rows(made):
    assert list(made.baselines) == ["majority", "tfidf"]
    for baseline in made.baselines.values():
        assert set(baseline.metrics) == set(made.metrics)
        gap = made.metrics["accuracy"].value - baseline.metrics["accuracy"].value
        assert baseline.difference.value == pytest.approx(gap)
        assert baseline.difference.low <= baseline.difference.value <= baseline.difference.high


def test_mistakes_come_surest_first_with_their_place(made):
    confidences = [each.confidence for each in made.mistakes]
    assert confidences == sorted(confidences, reverse=True)
    assert made.mistakes[0].place == "reviews.csv:2"
    assert made.mistakes[0].text == synthetic.HOSTILE
    assert all(each.gold != each.predicted for each in made.mistakes)


def test_report_survives_json(made):
    assert Report.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(ValidationError, match="colour"):
        Report.model_validate({**json.loads(made.model_dump_json()), "colour": 1})


def test_texts_can_be_kept_out_entirely():
    report = synthetic.report(texts=False)
    assert {each.text for each in report.mistakes} == {None}
    assert "味道不错" not in report.model_dump_json()


def test_dev_instead_of_test_is_said(made):
    assert made.note == ""
    assert synthetic.report(split="dev", count=60).note == (
        "There is no test split: this is the score on dev, on which the best checkpoint and the thresholds were "
        "chosen, so it is optimistic."
    )


def measured(task, labels, predictions, records, **spec):
    return measure(
        task,
        labels,
        predictions=predictions,
        records=records,
        split="test",
        train=records,
        dev=[],
        spec=EvaluationSpec(resamples=100, **spec),
        show=ReportSpec(),
        facts=RunFacts(name="r", model="m", method="full"),
    )


def test_unseen_labels_and_abstentions_are_counted_and_shown():
    records = [ClassifyRecord(text=f"t{i}", labels=(label,)) for i, label in enumerate(["a", "b", "new", "a"])]
    scores = {"a": 0.6, "b": 0.4}
    predictions = [ClassifyPrediction(labels=("a",), confidence=0.6, scores=scores) for _ in range(3)]
    predictions.append(ClassifyPrediction(labels=(), confidence=0.6, scores=scores, abstained=True))
    report = measured(Classify(), ["a", "b"], predictions, records, baselines=())
    assert (report.unseen, report.abstained) == (1, 1)
    assert report.confusion.gold == ["a", "b", ""]
    assert report.confusion.predicted == ["a", "b", ""]
    assert report.confusion.counts == [[1, 0, 1], [1, 0, 0], [1, 0, 0]]
    assert len(report.mistakes) == 2  # the abstention is none
    assert report.baselines == {}


def test_multi_label():
    labels = ["x", "y", "z"]
    rng = np.random.default_rng(2)
    records, predictions = [], []
    for index in range(80):
        gold = rng.random(3) < 0.5
        scores = np.clip(gold * 0.8 + rng.normal(0.1, 0.2, 3), 0.01, 0.99)
        pick = [label for label, score in zip(labels, scores, strict=True) if score >= 0.5]
        names = [label for label, has in zip(labels, gold, strict=True) if has]
        records.append(ClassifyRecord(text=f"{' '.join(names)} {index}", labels=tuple(names)))
        values = dict(zip(labels, scores.tolist(), strict=True))
        predictions.append(ClassifyPrediction(labels=tuple(pick), confidence=float(scores.max()), scores=values))
    report = measured(Classify(ClassifyOptions(multi_label=True)), labels, predictions, records)
    assert report.headline == "micro_f1"
    assert report.multi_label
    assert report.confusion is None
    assert sum(each.rows for each in report.calibration.bins) == 240
    assert 0 <= report.calibration.brier <= 1
    assert all(0.4 <= each.confidence <= 1 for each in report.mistakes)


def test_groups_are_resampled_together():
    records = [ClassifyRecord(text=f"t{i}", labels=("a",), group=f"g{i // 10}") for i in range(200)]
    right = np.repeat(np.arange(20) % 4 > 0, 10)
    scores = {"a": 0.6, "b": 0.4}
    predictions = [ClassifyPrediction(labels=("a" if each else "b",), confidence=0.6, scores=scores) for each in right]
    grouped = measured(Classify(), ["a", "b"], predictions, records, baselines=())
    loose = [record.model_copy(update={"group": ""}) for record in records]
    alone = measured(Classify(), ["a", "b"], predictions, loose, baselines=())
    assert (grouped.grouped, alone.grouped) == (True, False)
    width = {r.grouped: r.metrics["accuracy"].high - r.metrics["accuracy"].low for r in (grouped, alone)}
    assert width[True] > 2 * width[False]


@pytest.mark.parametrize(("lengths", "expected"), [(range(1, 101), 4), ([5] * 100, 1), ([1] * 50 + [9] * 50, 2)])
def test_length_slices_hold_every_row_once(lengths, expected):
    records = [ClassifyRecord(text="x" * length, labels=("a",)) for length in lengths]
    predictions = [ClassifyPrediction(labels=("a",), confidence=0.6, scores={"a": 1.0})] * 100
    slices = length_slices(Classify(), Accuracy(), predictions, records, Resampling(resamples=100))
    assert len(slices) == expected
    assert sum(each.rows for each in slices) == 100
    assert all(one.high < other.low for one, other in pairwise(slices))


def test_read_curves(tmp_path):
    log = tmp_path / "log.jsonl"
    lines = [
        {"step": s, "epoch": s / 500, "loss": 1 / s, "learning_rate": 1e-5 * s, "tokens": 9, "seconds": 1}
        for s in range(1, 1001)
    ]
    lines.insert(500, {"step": 500, "epoch": 1, "dev": {"accuracy": 0.8, "loss": 0.4}, "train_loss": 0.5})
    lines.append({"step": 1000, "epoch": 2, "loss": 7.0})  # logged again after a resume
    log.write_text("\n".join(json.dumps(each) for each in lines) + '\n{"step": 10', "utf-8")
    curves = read_curves(log)
    assert len(curves.train) == 300
    assert curves.train[-1].step == 1000
    assert curves.train[-1].loss > 1
    assert curves.dev[0].metrics == {"accuracy": 0.8, "loss": 0.4}
    assert curves.learning_rate == pytest.approx(999e-5)
    assert read_curves(tmp_path / "none.jsonl").dev == []


def test_spread():
    assert spread({"17": 0.8, "18": 0.9}).sd == pytest.approx(0.0707, abs=1e-4)
    assert spread({"17": 0.8}).sd == 0
