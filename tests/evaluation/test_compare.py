"""Comparing two runs: the right verdict, the right refusals, and McNemar's test against SciPy."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from weitiao.cli import main
from weitiao.errors import Refused
from weitiao.evaluation.compare import Comparison, compare, fair_coin

LABELS = ["neg", "pos"]


def run(
    folder, right, *, task="classify", options=None, labels=LABELS, fingerprint="f" * 64, split="test", groups=None
):
    """A run folder whose answers are right where `right` says so."""
    model = folder / "model"
    model.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("task: classify\n")
    (model / "task.json").write_text(json.dumps({"task": task, "options": options or {}, "labels": labels}))
    splits = {"train": {"rows": 9, "fingerprint": "t"}, split: {"rows": len(right), "fingerprint": fingerprint}}
    (folder / "data.json").write_text(json.dumps({"splits": splits}))
    lines = []
    for line, fine in enumerate(right):
        gold = labels[line % 2]
        answer = gold if fine else labels[1 - line % 2]
        prediction = {"labels": [answer], "confidence": 0.9, "scores": {answer: 0.9}, "abstained": False}
        row = {"file": "test.csv", "line": line + 2, "labels": [gold], "prediction": prediction}
        lines.append(json.dumps(row | ({"group": groups[line]} if groups else {}), ensure_ascii=False))
    (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    score = {"value": float(np.mean(right)), "low": 0.0, "high": 1.0}
    (folder / "report.json").write_text(json.dumps({"metrics": {"accuracy": score, "micro_f1": score}}))
    return folder


@pytest.fixture
def right():
    return np.random.default_rng(1).random(400) < 0.8


def test_a_better_run_is_found(tmp_path, right):
    worse = right & (np.arange(400) % 8 > 0)
    a, b = run(tmp_path / "a", right), run(tmp_path / "b", worse)
    comparison = compare(a, b)
    assert comparison.verdict == "a"
    assert comparison.headline == "accuracy"
    gap = comparison.metrics["accuracy"].difference
    assert gap.value == pytest.approx(right.mean() - worse.mean())
    assert comparison.mcnemar.only_b == 0
    assert comparison.mcnemar.only_a == (right & ~worse).sum()
    assert comparison.mcnemar.p < 1e-6
    assert comparison.sentence().startswith(f"{a} is better than {b}: Accuracy of {a} minus {b} is +0.")
    assert compare(b, a).verdict == "b"
    assert (
        compare(b, a).sentence().startswith(f"{a} is better than {b}: Accuracy of {b} minus {a} is \N{HYPHEN-MINUS}0.")
    )


def test_the_score_of_each_run_is_that_of_its_report(tmp_path, right):
    """However the comparison resamples, a run's own figure has the interval that its report gives it."""
    a, b = run(tmp_path / "a", right), run(tmp_path / "b", np.roll(right, 1))
    shown = compare(a, b, resamples=50, confidence=0.5, seed=3).metrics["accuracy"]
    for folder, score in ((a, shown.a), (b, shown.b)):
        assert score.model_dump() == json.loads((folder / "report.json").read_text())["metrics"]["accuracy"]
    assert shown.a.value - shown.b.value == pytest.approx(shown.difference.value)


def test_a_run_does_not_differ_from_its_copy(tmp_path, right):
    comparison = compare(run(tmp_path / "a", right), run(tmp_path / "b", right))
    assert comparison.verdict == "none"
    assert comparison.mcnemar.p == 1
    assert comparison.sentence().startswith("No difference between")
    assert Comparison.model_validate_json(comparison.model_dump_json()) == comparison


def test_the_line_reads_well_for_one_row_and_for_none(tmp_path, right, capsys):
    fewer = right.copy()
    fewer[right.argmax()] = False
    a, b = run(tmp_path / "a", right), run(tmp_path / "b", fewer)
    assert main(["compare", str(a), str(b)]) == 0
    said = capsys.readouterr().out
    assert "\nrows that only A gets right: 1, only B: 0; McNemar's exact test: p = 1\n" in said


def test_labels_may_hold_line_separators(tmp_path, right):
    odd = ["neg\u2028ative", "posi\x85tive"]
    a, b = run(tmp_path / "a", right, labels=odd), run(tmp_path / "b", right, labels=odd)
    assert compare(a, b).rows == len(right)


def test_equal_scores_with_other_mistakes_are_no_difference(tmp_path):
    first = np.arange(200) % 10 > 0
    second = np.arange(200) % 10 > 0
    second = np.roll(second, 3)
    assert compare(run(tmp_path / "a", first), run(tmp_path / "b", second)).verdict == "none"


def test_mcnemars_table_counts_every_row(tmp_path, right):
    table = compare(run(tmp_path / "a", right), run(tmp_path / "b", np.roll(right, 1))).mcnemar
    assert table.both_right + table.only_a + table.only_b + table.both_wrong == 400


@pytest.mark.parametrize(("heads", "tails"), [(0, 0), (5, 0), (3, 9), (40, 40), (500, 430), (2000, 2100)])
def test_fair_coin_equals_scipy(heads, tails):
    expected = binomtest(heads, heads + tails).pvalue if heads + tails else 1.0
    assert fair_coin(heads, tails) == pytest.approx(expected, rel=1e-9)


def test_groups_widen_the_interval(tmp_path):
    first = np.ones(400, dtype=bool)
    second = np.repeat(np.arange(40) % 8 > 0, 10)
    groups = [f"g{row // 10}" for row in range(400)]
    alone = compare(run(tmp_path / "a", first), run(tmp_path / "b", second)).metrics["accuracy"].difference
    units = compare(run(tmp_path / "c", first, groups=groups), run(tmp_path / "d", second, groups=groups))
    gap = units.metrics["accuracy"].difference
    assert gap.high - gap.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"fingerprint": "0" * 64}, r"not measured on the same rows \(test: 400 rows, fingerprint ffffffffffff and "),
        ({"split": "dev"}, "not measured on the same rows"),
        ({"task": "tag"}, "is a run of task classify and .* of task tag; only runs of the same task"),
        ({"options": {"multi_label": True}}, "differ in `multi_label`"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path, right, other, message):
    a, b = run(tmp_path / "a", right), run(tmp_path / "b", right, **other)
    with pytest.raises(Refused, match=message):
        compare(a, b)


def test_missing_and_broken_predictions_are_refused(tmp_path, right):
    a, b = run(tmp_path / "a", right), run(tmp_path / "b", right)
    (b / "predictions.jsonl").write_text('{"file"')
    with pytest.raises(Refused, match=r"predictions\.jsonl: not valid JSON lines"):
        compare(a, b)
    (b / "predictions.jsonl").unlink()
    with pytest.raises(Refused, match=r"no predictions to compare; make them with: weitiao train --resume"):
        compare(a, b)
    with pytest.raises(Refused, match="no such run folder"):
        compare(a, tmp_path / "none")
    (a / "report.json").unlink()
    with pytest.raises(Refused, match=r"report\.json: no report to compare; make it with: weitiao train --resume"):
        compare(a, a)


def test_multi_label_runs_show_micro_f1_and_accuracy(tmp_path, right):
    options = {"multi_label": True}
    comparison = compare(run(tmp_path / "a", right, options=options), run(tmp_path / "b", right, options=options))
    assert list(comparison.metrics) == ["micro_f1", "accuracy"]
