"""The `Run` that Python users hold, with the report that a real evaluation writes."""

from __future__ import annotations

from html import unescape
from pathlib import Path

import pytest

from weitiao import Run, evaluate
from weitiao.errors import Refused
from weitiao.evaluation.page import standing
from weitiao.evaluation.report import spread
from weitiao.verbs.summary import summary


@pytest.fixture
def run(run_with_data: Path) -> Run:
    report = evaluate(run_with_data).report
    (run_with_data / "report.json").write_text(report.model_dump_json(), "utf-8")
    return Run(run_with_data)


def test_the_report_is_typed(run: Run) -> None:
    assert run.report.rows == 8
    assert run.report.metrics["accuracy"].low <= run.report.metrics["accuracy"].value


def test_a_notebook_sees_the_figures_and_no_markup_of_the_name(run: Run) -> None:
    html = run._repr_html_()
    assert f"{run.report.metrics['accuracy'].value:.4f}" in html
    renamed = run.path.rename(run.path.with_name("<script>"))
    assert "<script>" not in Run(renamed)._repr_html_()


def test_the_summary_names_every_baseline_with_its_difference(run: Run) -> None:
    rows = dict(summary(run.report).rows())
    for name, baseline in run.report.baselines.items():
        assert f"{baseline.difference.value:+.4f}" in rows[f"baseline {name}"]
    assert set(rows) >= {"rows", "accuracy", "macro_f1", "training"}


def test_the_summary_says_how_the_model_stands_against_its_baselines(run: Run) -> None:
    stands = standing(run.report)
    assert stands is not None
    assert summary(run.report).sentences[0] == stands.sentence
    assert stands.sentence in unescape(run._repr_html_())


def test_of_new_rows_the_summary_leaves_training_out(run: Run) -> None:
    rows = "".join(f"another row {n},{'neg' if n % 2 else 'pos'}\n" for n in range(12))
    Path("new.csv").write_text("text,label\n" + rows, "utf-8")
    found = summary(run.evaluate("new.csv").report)
    assert "training" not in dict(found.rows())
    assert found.training == ""
    assert len(found.sentences) == 1


def test_the_summary_has_the_spread_over_seeds_and_folds(run: Run) -> None:
    assert not any("seeds" in name or "folds" in name for name in dict(summary(run.report).rows()))
    spreads = {"seeds": spread({"1": 0.5, "2": 0.75}), "folds": spread({"1": 0.25, "2": 0.25, "3": 0.25})}
    rows = dict(summary(run.report.model_copy(update=spreads)).rows())
    assert rows["accuracy, 2 seeds"] == "0.6250 ± 0.1768  (mean, sd; 0.5000 to 0.7500)"
    assert rows["accuracy, 3 folds"] == "0.2500 ± 0.0000  (mean, sd; 0.2500 to 0.2500)"


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("task: classify\n", "utf-8")
    with pytest.raises(Refused, match="no finished model; finish it with: weitiao train --resume"):
        Run(tmp_path)
