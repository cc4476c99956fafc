"""What is said while a run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from weitiao.cli.progress import Bar, Lines, Remaining, Rows, evaluation_line, figures, lines_in
from weitiao.errors import Problem
from weitiao.messages import duration


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def step(number: int) -> dict[str, object]:
    return {
        "kind": "step", "step": number, "steps": 100, "epoch": 1.0, "loss": 0.5, "learning_rate": 1e-4,
        "tokens_per_second": 2310.4,
    }  # fmt: skip


def test_the_time_left_counts_from_the_first_step_seen() -> None:
    clock = Clock()
    pace = Remaining(clock)
    assert pace.left(40, 100) is None  # a resumed run starts in the middle
    clock.now = 10.0
    assert pace.left(50, 100) == pytest.approx(50.0)
    clock.now = 15.0
    assert pace.left(55, 100) == pytest.approx(45.0)
    assert pace.left(1, 100) is None  # the next seed


def test_lines_come_every_ten_seconds_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    lines = Lines(clock)
    lines({"kind": "phase", "text": "checking"})
    for number in range(1, 101):
        clock.now = number * 0.5
        lines(step(number))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "checking"
    assert said[1] == "step 1/100  loss 0.5000  2,310 tokens/s"
    assert said[2] == "step 21/100  loss 0.5000  2,310 tokens/s  40 s left"
    assert len(said) == 7
    assert said[-1].startswith("step 100/100")


def test_rows_are_told_every_ten_seconds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("text\n" + "a\n" * 5000, "utf-8")
    assert lines_in(tmp_path / "a.csv") == 5001
    assert lines_in(tmp_path / "nowhere.csv") == 0
    clock = Clock()
    with Rows(5001, clock) as rows:
        for done in range(1000, 6000, 1000):
            clock.now += 6
            rows(done)
    assert capsys.readouterr().err.splitlines() == ["rows: 2,000", "rows: 4,000"]


def test_evaluations_show_the_loss_and_the_metric_that_chooses(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    dev = {"loss": 1.25, "accuracy": 0.5, "macro_precision": 0.1, "macro_f1": 0.25, "mcc": 0.75}
    lines({"kind": "evaluation", "step": 3, "dev": dev, "metric": "accuracy", "train_loss": 0.5})
    lines({"kind": "evaluation", "step": 4, "dev": dev, "metric": "mcc", "train_loss": 0.5})
    lines({"kind": "evaluation", "step": 5, "dev": dev, "metric": "macro_f1", "train_loss": 0.5})
    lines({"kind": "something new"})
    assert capsys.readouterr().err.splitlines() == [
        "dev at step 3: loss 1.2500, Accuracy 0.5000, Macro F1 0.2500",
        "dev at step 4: loss 1.2500, Matthews correlation 0.7500, Macro F1 0.2500",
        "dev at step 5: loss 1.2500, Macro F1 0.2500",
    ]


def test_problems_are_said_as_check_says_them(capsys: pytest.CaptureFixture[str]) -> None:
    found = [
        Problem("dropped-rows", "1 row is left out", file="a.csv", line=3, severity="note"),
        Problem("duplicates", "2 rows repeat", file="a.csv", line=7, severity="warning"),
    ]
    for shown in (Lines(), Bar()):
        shown({"kind": "problems", "problems": found})
        assert capsys.readouterr().err.splitlines() == [
            "warning: a.csv:7: 2 rows repeat",
            "note: a.csv:3: 1 row is left out",
            "1 warning, 1 note",
        ]


def test_without_a_dev_split_the_training_loss_is_shown() -> None:
    assert evaluation_line({"step": 3, "train_loss": 0.51239}) == "step 3: training loss 0.5124"


def test_figures_leave_out_what_is_unknown() -> None:
    assert figures({"loss": 1.0}, None) == "loss 1.0000"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
