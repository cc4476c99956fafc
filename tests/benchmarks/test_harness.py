"""The benchmarks' own machinery: what is kept, what is measured again, bars, intervals and tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
from harness import Bar, Benchmark, Cell, Summary, run

def cells(quick):
    return [Cell(name, {{"name": name, "size": {size}}}) for name in ("a", "b")]

def prepare(workspace, quick):
    (workspace / "shared").write_text("ready")

def measure(settings, workspace):
    with open({log!r}, "a") as stream:
        stream.write(settings["name"] + "\\n")
    shared = (workspace / "shared").read_text()
    return {{"value": settings["size"], "shared": shared, "disturbed": settings["name"] in {disturbed!r}}}

def summarise(results):
    rows = [{{"cell": name, "value": each.measured["value"]}} for name, each in results.items()]
    return Summary(rows, {{"sum": Bar(sum(row["value"] for row in rows), 5)}}, ["a note"])

run(Benchmark("sample", "A sample.", cells, measure, summarise, prepare))
"""


class Sample:
    """A benchmark of two cells that logs what it measures."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.said = ""  # stderr of the last run

    def run(self, *options: str, size: int = 2, disturbed: str = "") -> dict[str, Any]:
        script = self.folder / "sample.py"
        filled = SCRIPT.format(benchmarks=str(BENCHMARKS), log=str(self.log), size=size, disturbed=disturbed)
        script.write_text(filled, "utf-8")
        command = [sys.executable, str(script), "--json", "--results", str(self.folder / "results"), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        self.said = done.stderr
        whole: dict[str, Any] = json.loads(done.stdout)
        return whole

    def measured(self) -> list[str]:
        names = self.log.read_text("utf-8").split() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return names


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return Sample(tmp_path)


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_cells_are_measured_once_and_kept(sample: Sample) -> None:
    whole = sample.run()
    assert sample.measured() == ["a", "b"]
    assert whole["rows"] == [{"cell": "a", "value": 2}, {"cell": "b", "value": 2}]
    assert whole["bars"] == {"sum": {"value": 4, "goal": 5, "ok": False, "sense": ">="}}
    kept = json.loads((sample.folder / "results" / "sample" / "a.json").read_text("utf-8"))
    assert kept["measured"]["shared"] == "ready"
    assert kept["peak_mb"] > 1
    assert sample.run()["rows"] == whole["rows"]
    assert sample.measured() == []


def test_other_settings_and_fresh_measure_again(sample: Sample) -> None:
    sample.run()
    sample.measured()
    assert sample.run(size=3)["bars"]["sum"]["ok"]
    assert sample.measured() == ["a", "b"]
    sample.run("--fresh", "--only", "b", size=3)
    assert sample.measured() == ["b"]


def test_a_disturbed_cell_is_measured_again_and_named(sample: Sample) -> None:
    assert sample.run(disturbed="b")["disturbed"] == ["b"]
    sample.measured()
    assert sample.run()["disturbed"] == []
    assert sample.measured() == ["b"]


def test_quick_keeps_nothing_and_judges_no_bar(sample: Sample) -> None:
    whole = sample.run("--quick")
    assert whole["quick"] is True
    assert whole["bars"]["sum"]["ok"] is None
    assert "quick: figures are no evidence" in sample.said
    assert "quick  sum: 4 (no evidence for or against the goal >= 5)" in sample.said
    assert "MISSED" not in sample.said
    assert not (sample.folder / "results").exists()


def test_versions_and_dates_stand_at_the_top(sample: Sample) -> None:
    whole = sample.run()
    assert whole["versions"].keys() >= {"python", "torch", "transformers", "weitiao", "numpy", "accelerate"}
    assert whole["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert len(whole["dates"]) in (1, 2)  # two around midnight


def test_cells_of_another_commit_are_counted_and_said(sample: Sample) -> None:
    here = sample.run()["commit"]
    assert "Cells by commit" not in sample.said
    kept = sample.folder / "results" / "sample" / "a.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text("utf-8")), "commit": "0000000"}), "utf-8")
    whole = sample.run()
    assert whole["commits"] == {"0000000": 1, here: 1}
    assert f"Cells by commit: 1 at 0000000, 1 at {here}; summed up at {here}." in sample.said


@pytest.mark.usefixtures("rooms")
def test_who_disturbed_a_measurement() -> None:
    from machine import Watch, watch

    assert not Watch(seconds=20.0, foreign_cores=0.1, paused=0.9).disturbed(0.15)
    assert Watch(seconds=20.0, foreign_cores=0.2).disturbed(0.15)
    assert Watch(seconds=20.0, paused=1.1).disturbed(0.15)
    with watch() as seen:
        sum(range(10**6))
    assert 0 < seen.seconds < 10


@pytest.mark.usefixtures("rooms")
@pytest.mark.parametrize(
    ("value", "at_least", "ok"), [(1.15, True, True), (1.14, True, False), (1.15, False, True), (1.16, False, False)]
)
def test_a_bar_is_reached_at_its_goal(value: float, at_least: bool, ok: bool) -> None:
    from harness import Bar

    assert Bar(value, 1.15, at_least).ok is ok
    assert not Bar(None, 1.15, at_least).ok


@pytest.mark.usefixtures("rooms")
def test_intervals_hold_the_difference_and_see_a_real_one() -> None:
    import spread

    better, worse = "1" * 90 + "0" * 10, "1" * 60 + "0" * 40
    low, high = spread.over_rows([better, better], [worse, worse])
    assert 0.2 < low < 0.3 < high < 0.4
    assert spread.over_rows([worse], [worse]) == (0.0, 0.0)
    low, high = spread.over_seeds([0.1, 0.2, 0.3])
    assert low == pytest.approx(0.2 - 4.302653 * 0.1 / 3**0.5, abs=1e-4)
    assert high == pytest.approx(0.4 - low)


@pytest.mark.usefixtures("rooms")
def test_the_page_has_every_row_and_names_a_missed_bar(sample: Sample) -> None:
    import tables

    sample.run()
    page = tables.markdown(sample.folder / "results")
    assert "| a | 2 |" in page
    assert "| b | 2 |" in page
    assert "| sum | at least 5 | 4 | **MISSED** with 4 |" in page
    assert "a note" in page
    assert "- Command: `python benchmarks/sample.py`" in page
    assert f"commit {sample.run()['commit']}, 2 cells" in page


@pytest.mark.usefixtures("rooms")
def test_a_goal_is_met_missed_or_not_measured_in_words() -> None:
    import tables

    bars = {
        "speed": {"value": 1.2, "goal": 1.15, "ok": True, "sense": ">="},
        "memory": {"value": 1.2, "goal": 1.0, "ok": False, "sense": "<="},
        "later": {"value": None, "goal": 3, "ok": False, "sense": ">="},
    }
    machine = {"cpu": "A", "cores": 2, "memory_gb": 8, "system": "S"}
    whole = {
        "benchmark": "sample", "about": "A.", "machine": machine, "versions": {"torch": "2"}, "commits": {"abc": 1},
        "commit": "abd", "dates": ["2026-01-02", "2026-01-04"], "cells": 1, "cell_seconds": 3, "disturbed": ["x"],
        "rows": [{"gemm_share": 0.5}], "notes": [], "bars": bars,
    }  # fmt: skip
    page = tables.section(whole)
    assert "| speed | at least 1.15 | 1.2 | met |" in page
    assert "| memory | at most 1 | 1.2 | **MISSED** with 1.2 |" in page
    assert "| later | at least 3 | - | not measured |" in page
    assert "- Measured: 2026-01-02 to 2026-01-04, commit abc, 1 cells" in page
    assert "- Cells by commit: 1 at abc; summed up at abd." in page
    assert "- Disturbed by other processes: x" in page
    assert "Columns: *gemm share*: " in page


@pytest.mark.usefixtures("rooms")
def test_a_summary_of_an_older_harness_is_refused_by_name(tmp_path: Path) -> None:
    import tables

    (tmp_path / "sample.json").write_text('{"benchmark": "sample"}', "utf-8")
    with pytest.raises(
        SystemExit, match=r"sample\.json: written by an older harness; run python benchmarks/sample\.py"
    ):
        tables.markdown(tmp_path)


@pytest.mark.usefixtures("rooms")
def test_a_dirty_tree_is_marked_and_results_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import machine

    inside = tmp_path / "benchmarks"
    (inside / "results").mkdir(parents=True)
    monkeypatch.setattr(machine, "__file__", str(inside / "machine.py"))
    assert machine.commit() == ""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    clean = machine.commit()
    (inside / "results" / "cell.json").write_text("{}", "utf-8")
    assert machine.commit() == clean
    assert not clean.endswith("-dirty")
    (inside / "machine.py").write_text("changed", "utf-8")
    assert machine.commit() == f"{clean}-dirty"


@pytest.mark.usefixtures("rooms")
def test_a_list_of_numbers_is_one_line_and_reads_back() -> None:
    import harness

    value = {
        "scores": [0.5, -1, 2e-05, None],
        "names": ["[\n 1,\n 2\n]", "b"],
        "rows": [{"each": [1, 2]}, [3, "c"]],
        "no": [],
    }
    text = harness.json_of(value)
    assert json.loads(text) == value
    assert ' "scores": [0.5, -1, 2e-05, null],\n' in text
    assert '   "each": [1, 2]\n' in text
    assert len(text.splitlines()) == 17
