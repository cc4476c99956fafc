"""Every branch of the verdict, on curves made to fall into it."""

import math
from dataclasses import replace

import pytest

from tests.evaluation.synthetic import LABELS, answers, curves, rows
from weitiao.evaluation.intervals import Score
from weitiao.evaluation.page import render_page
from weitiao.evaluation.report import RunFacts, measure
from weitiao.evaluation.schema import Curves, DevPoint
from weitiao.evaluation.verdict import Course, explain, headline, judge, least_loss, noise
from weitiao.recipe import DataSpec, EvaluationSpec, ModelSpec, ReportSpec, TrainingSpec
from weitiao.tasks.classify import Classify


def course(points, *, over_majority=None, classes=3, method="full", rows=400):
    """Points are (dev accuracy, dev loss, training loss), an epoch each."""
    dev = [
        DevPoint(step=10 * e, epoch=e, metrics={"accuracy": a, **({"loss": d} if d else {})}, train_loss=t)
        for e, (a, d, t) in enumerate(points, start=1)
    ]
    return Course(Curves(dev=dev, learning_rate=5e-5), "accuracy", rows, classes, method, over_majority)


def codes(verdict):
    return verdict.kind, [finding.code for finding in verdict.findings]


def test_dev_fell():
    verdict = judge(course([(0.80, None, 0.6), (0.90, None, 0.3), (0.82, None, 0.05)]))
    assert codes(verdict) == ("over-fitted", ["dev-fell"])
    assert verdict.changes[0].model_dump() == {"key": "training.epochs", "value": "2"}
    assert explain(verdict.findings[0]) == (
        "On dev, Accuracy fell from 0.900 (epoch 2) to 0.820 (epoch 3) while the training loss went on falling; "
        "the best checkpoint was kept."
    )


def test_a_fall_without_a_falling_training_loss_is_no_over_fitting():
    assert judge(course([(0.90, None, 0.3), (0.82, None, 0.5)])).kind == "fine"


def test_a_fall_within_the_noise_is_fine():
    step = noise(0.9, 400)
    assert codes(judge(course([(0.90, None, 0.3), (0.90 - 0.9 * step, None, 0.2)]))) == ("fine", ["settled"])
    assert judge(course([(0.90, None, 0.3), (0.90 - 1.1 * step, None, 0.2)])).kind == "over-fitted"


def test_dev_loss_rose():
    verdict = judge(course([(0.90, 0.30, 0.35), (0.90, 0.29, 0.2), (0.905, 0.40, 0.05)]))
    assert codes(verdict) == ("over-fitted", ["dev-loss-rose"])
    assert "rose from 0.290 (epoch 2) to 0.400" in explain(verdict.findings[0])


def test_a_rising_dev_loss_without_a_gap_is_fine():
    assert judge(course([(0.90, 0.30, 0.35), (0.905, 0.40, 0.30)])).kind == "fine"


def test_no_gain():
    gap = Score(value=0.01, low=-0.02, high=0.04)
    verdict = judge(course([(0.5, None, 0.6), (0.5, None, 0.6)], over_majority=gap))
    assert codes(verdict) == ("under-fitted", ["no-gain"])
    assert judge(course([(0.5, None, 0.6)] * 2, over_majority=Score(value=0.1, low=0.01, high=0.2))).kind == "fine"


def test_below_baseline():
    points = [(0.85, None, 0.2), (0.85, None, 0.1)]
    gap = Score(value=-0.07, low=-0.11, high=-0.03)
    verdict = judge(replace(course(points), over_baseline=gap, baseline="gazetteer"))
    assert codes(verdict) == ("over-fitted", ["below-baseline", "rows-learnt"])
    assert [each.key for each in verdict.changes] == ["model.dropout"]
    assert explain(verdict.findings[1]).startswith("The training loss ended at 0.100, and guessing gives 1.099: the")
    halfway = [(0.85, None, 0.9), (0.85, None, 0.5)]
    assert codes(judge(replace(course(halfway), over_baseline=gap, baseline="gazetteer"))) == (
        "under-fitted", ["below-baseline"],
    )  # fmt: skip
    assert explain(verdict.findings[0]) == (
        "The score is below that of Gazetteer, a cheap baseline: difference -0.070, interval -0.110 to -0.030."
    )
    for high in (0.0, 0.01):
        assert judge(replace(course(points), over_baseline=replace_high(gap, high))).kind == "fine"


def replace_high(score, high):
    return Score(value=score.value, low=score.low, high=high)


@pytest.mark.parametrize("rule", ["over_majority", "over_baseline"])
def test_a_score_too_low_under_a_stock_head_begins_with_another_head(rule):
    poor = replace(course([(0.5, None, 0.6)] * 2), **{rule: Score(value=-0.1, low=-0.2, high=-0.05)})
    changes = {head: [each.key for each in judge(replace(poor, head=head)).changes] for head in ("stock", "mean", "")}
    assert changes["stock"] == ["model.head", *changes["mean"]]
    assert judge(replace(poor, head="stock")).changes[0].value == "mean"
    assert changes["mean"] == changes[""] == ["training.epochs", "training.learning_rate"]


def test_a_stock_head_is_no_cause_of_what_curves_alone_show():
    little = judge(replace(course([(0.4, None, 1.09), (0.4, None, 1.05)]), head="stock"))
    assert codes(little) == ("under-fitted", ["learnt-little"])
    assert "model.head" not in [each.key for each in little.changes]


def test_a_run_that_ends_at_its_best_says_so_simply():
    for points in ([(0.8571, None, 0.3), (0.8571, None, 0.2)], [(0.8569, None, 0.3), (0.8573, None, 0.2)]):
        (finding,) = judge(course(points)).findings
        assert finding.code == "settled-at-best"
        assert explain(finding) == "On dev, Accuracy ended at its best, 0.857; changes within 0.017 are noise."
    (finding,) = judge(course([(0.858, None, 0.3), (0.857, None, 0.2)])).findings
    assert explain(finding).startswith("On dev, Accuracy reached 0.858 at epoch 1 and ended at 0.857;")


def test_learnt_little():
    verdict = judge(course([(0.4, None, 1.09), (0.4, None, 1.05)], method="head"))
    assert codes(verdict) == ("under-fitted", ["learnt-little"])
    assert explain(verdict.findings[0]) == "The training loss ended at 1.050; guessing gives 1.099."
    assert [(each.key, each.value) for each in verdict.changes] == [
        ("training.epochs", "4"),
        ("training.learning_rate", "0.0001"),
        ("method", "full"),
    ]
    assert judge(course([(0.4, None, 1.05)] * 2, classes=0)).kind == "fine"


def test_smoothed_targets_leave_a_loss_that_is_no_fault():
    """A perfect answer to targets smoothed by 0.5 over two classes has a loss of 0.56, above 80 % of ln 2."""
    assert least_loss(0.0, 2) == 0
    assert least_loss(0.5, 2) == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    perfect = course([(0.95, None, 0.5624), (0.95, None, 0.5624)], classes=2)
    assert judge(perfect).kind == "under-fitted"
    assert judge(replace(perfect, label_smoothing=0.5)).kind == "fine"
    guessing = course([(0.5, None, 0.69), (0.5, None, 0.69)], classes=2)
    assert codes(judge(replace(guessing, label_smoothing=0.5))) == ("under-fitted", ["learnt-little"])
    assert "learnt-little" not in codes(judge(replace(guessing, own_loss=False)))[1]  # R-Drop's sum is no cross-entropy


def test_where_the_loss_chose_the_sentence_says_so():
    fell = course([(0.80, 0.5, 0.6), (0.90, 0.4, 0.3), (0.82, 0.3, 0.2)])
    (finding,) = judge(replace(fell, chosen_by_loss=True)).findings
    assert explain(finding).endswith("; the checkpoint with the lowest dev loss was kept.")


@pytest.mark.parametrize(
    ("chosen", "kind", "named"), [(None, "fine", "accuracy"), ("macro_f1", "over-fitted", "macro_f1")]
)
def test_the_metric_that_chose_the_checkpoint_is_judged(chosen, kind, named):
    figures = [(0.90, 0.90, 0.6), (0.90, 0.70, 0.3)]
    dev = [
        DevPoint(step=e, epoch=e, metrics={"accuracy": a, "macro_f1": f}, train_loss=t)
        for e, (a, f, t) in enumerate(figures, start=1)
    ]
    facts = RunFacts("r", "m", "full", curves=Curves(dev=dev), training=TrainingSpec(metric=chosen))
    records = rows(60, seed=1)
    made = measure(
        Classify(), list(LABELS), predictions=answers(records, seed=2), records=records, split="test", train=[],
        dev=records, spec=EvaluationSpec(resamples=100, baselines=()), show=ReportSpec(), facts=facts,
    )  # fmt: skip
    assert (made.verdict.kind, made.verdict.findings[0].figures["metric"]) == (kind, named)


def test_still_improving():
    verdict = judge(course([(0.70, None, 0.6), (0.80, None, 0.4), (0.88, None, 0.3)]))
    assert codes(verdict) == ("under-fitted", ["still-improving"])
    assert verdict.changes[0].model_dump() == {"key": "training.epochs", "value": "6"}


def test_fine():
    verdict = judge(Course(curves(), "accuracy", 60, 3, "full"))
    assert codes(verdict) == ("fine", ["settled-at-best"])
    assert verdict.changes == []


@pytest.mark.parametrize("points", [[], [(0.9, None, 0.2)]])
def test_too_few(points):
    assert codes(judge(course(points))) == ("unknown", ["too-few"])


def test_changes_are_recipe_keys_with_valid_values():
    over = judge(course([(0.90, None, 0.3), (0.5, None, 0.05)]))
    under = judge(course([(0.4, None, 1.09), (0.4, None, 1.05)], method="head"))
    for change in [*over.changes, *under.changes]:
        section, _dot, key = change.key.partition(".")
        model = {"training": TrainingSpec, "model": ModelSpec, "data": DataSpec}.get(section)
        if model is None:
            assert change.key == "method"
        else:
            extra = {"name": "m"} if model is ModelSpec else {}
            model.model_validate({**extra, key: float(change.value) if "." in change.value else int(change.value)})


def test_every_verdict_has_its_words():
    kinds = [judge(course(p)) for p in ([], [(0.9, None, 0.3), (0.5, None, 0.05)], [(0.4, None, 1.1)] * 2)]
    assert [headline(each) for each in kinds] == ["Cannot be told", "Over-fitted", "Under-fitted"]


def measured(split, head="stock"):
    """A report on answers by chance, beside TF-IDF, which can tell these rows."""
    records, train = rows(120, seed=1), rows(300, seed=2)
    facts = RunFacts("r", "m", "full", curves=curves(), head=head)
    return measure(
        Classify(), list(LABELS), predictions=answers(records, seed=2, skill=0.0), records=records, split=split,
        train=train, dev=rows(60, seed=3), spec=EvaluationSpec(resamples=200), show=ReportSpec(), facts=facts,
    )  # fmt: skip


def test_a_report_judges_by_its_own_baselines_and_head():
    report = measured("test")
    assert report.baselines["tfidf"].difference.high < 0
    assert report.verdict.kind == "under-fitted"
    assert "below-baseline" in [finding.code for finding in report.verdict.findings]
    assert report.verdict.changes[0].key == "model.head"
    assert "model.head" not in [each.key for each in measured("test", head="mean").verdict.changes]


def test_of_other_rows_the_curves_say_nothing():
    report = measured("new.csv")
    assert (report.verdict.kind, report.verdict.findings, report.verdict.changes) == ("unknown", [], [])
    assert 'id="verdict"' not in render_page(report)
    assert 'id="verdict"' in render_page(measured("dev"))


def test_a_method_without_steps_is_not_told_to_make_more_of_them():
    gap = Score(value=0.01, low=-0.02, high=0.04)
    dev = [DevPoint(step=0, epoch=0, metrics={"accuracy": 0.5}, train_loss=None)]
    settled = Course(Curves(dev=dev, learning_rate=None), "accuracy", 400, 2, "head", gap)
    assert [each.key for each in judge(settled).changes] == ["method"]
    (finding,) = judge(replace(settled, over_majority=None)).findings
    assert explain(finding) == "It was settled in one go, so there is no course of training to judge."
    assert judge(replace(settled, over_majority=None, curves=Curves())).findings == [finding]
