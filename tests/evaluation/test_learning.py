"""The learning curve: the law that is fitted, what it says of twice the rows, and when it says nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weitiao.errors import MissingExtra
from weitiao.evaluation import curve_page
from weitiao.evaluation.curve_page import render_curve, write_curve
from weitiao.evaluation.learning import Asked, LearningCurve, Measured, fit_power_law, learning_curve

ROWS = (100, 200, 400, 800, 1600)
ASKED = Asked(
    weitiao="0", name="reviews-curve", task="classify", model="./tiny", method="full", metric="accuracy", split="dev",
    scored_rows=500, least_rows=8, confidence=0.95, seed=17,
)  # fmt: skip


def made(
    scores: Any, rows: Any = ROWS, noise: float = 0.004, metric: str = "accuracy", scored_rows: int = 500
) -> LearningCurve:
    rng = np.random.default_rng(1)
    measured = [
        Measured(
            rows=[size] * 3,
            share=size / rows[-1],
            values={str(seed): float(score) for seed in range(3)},
            draws=score + noise * rng.normal(size=(3, 400)),
        )
        for size, score in zip(rows, scores, strict=True)
    ]
    return learning_curve(replace(ASKED, metric=metric, scored_rows=scored_rows), measured)


def law(rows: Any, a: float = 0.05, b: float = 2.0, c: float = 0.5) -> np.ndarray:
    return 1 - (a + b * np.asarray(rows, dtype=float) ** -c)


def test_the_law_is_found_again() -> None:
    found = fit_power_law(np.array(ROWS, dtype=float), 1 - law(ROWS)[None])
    assert found["a"][0] == pytest.approx(0.05, abs=1e-6)
    assert found["b"][0] == pytest.approx(2.0, rel=1e-6)
    assert found["c"][0] == pytest.approx(0.5)


def test_twice_the_labels_are_told_with_an_interval_and_called_an_extrapolation() -> None:
    curve = made(law(ROWS))
    gain = float(law([3200])[0] - law([1600])[0])
    assert curve.fits
    assert curve.doubled is not None
    assert curve.doubled.low < gain < curve.doubled.high
    assert curve.doubled.value == pytest.approx(gain, abs=1e-6)
    assert curve.sentences[0].startswith("from 100 to 1,600 training rows, Accuracy on")
    assert curve.sentences[1].startswith(f"twice the labels (3,200 rows) would give about {gain:+.3f} [")
    assert curve.sentences[1].endswith("an extrapolation by 0.050 + 2 n^-0.50, not a measurement")
    assert curve.line()[-1][0] == pytest.approx(3200)


def test_fewer_than_four_sizes_have_no_law() -> None:
    curve = made(law(ROWS[:3]), ROWS[:3])
    assert (curve.law, curve.doubled, curve.fits, curve.line()) == (None, None, False, [])
    assert curve.sentences[1] == "no law is fitted through fewer than 4 sizes; ask for more points"


def test_where_the_rows_make_too_few_sizes_it_is_said_how_many_they_would_have_to_be() -> None:
    assert made([0.7], [12]).sentences[1] == (
        "no law is fitted through fewer than 4 sizes, and 12 training rows make no more: the smallest is to have 8, "
        "so 64 are needed; label more"
    )
    assert made([0.7], [64]).sentences[1].endswith("ask for more points")


@pytest.mark.parametrize(
    ("scored", "said"),
    [(1, "1 row to score is few: below 100 a share"), (99, "99 rows to score are few: below 100 a share"), (100, "")],
)
def test_few_scored_rows_are_warned_of(scored: int, said: str) -> None:
    last = made(law(ROWS), scored_rows=scored).sentences[2:]
    assert [each[: len(said)] for each in last] == ([said] if said else [])


def test_a_law_that_does_not_fit_says_nothing_of_more_rows() -> None:
    curve = made([0.6, 0.61, 0.9, 0.62, 0.95])
    assert not curve.fits
    assert curve.doubled is None
    assert curve.sentences[1].startswith("the power law does not go through every interval")


def test_a_score_that_does_not_rise_promises_nothing() -> None:
    curve = made([0.802, 0.801, 0.800, 0.800, 0.799])
    assert curve.fits
    assert curve.law is not None
    assert curve.law.b == 0
    assert curve.sentences[1].startswith("the score does not rise with the rows")


def test_an_error_falls_where_a_score_rises() -> None:
    curve = made(1 - law(ROWS), metric="rmse")
    assert curve.doubled is not None
    assert curve.doubled.value < 0


def test_the_interval_is_over_seeds_too() -> None:
    apart = [
        Measured([size] * 2, size / 1600, {"1": 0.7, "2": 0.9}, np.array([[0.7] * 99, [0.9] * 99])) for size in ROWS
    ]
    score = learning_curve(ASKED, apart).points[0].score
    assert (score.low, score.high) == (pytest.approx(0.7), pytest.approx(0.9))


def test_three_files_are_written(tmp_path: Path) -> None:
    curve = made(law(ROWS))
    write_curve(curve, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.html", "curve.json", "curve.png"]
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert LearningCurve.model_validate_json((tmp_path / "curve.json").read_text("utf-8")) == curve


def test_the_page_escapes_and_fetches_nothing() -> None:
    page = render_curve(made(law(ROWS)).model_copy(update={"name": "<script>alert(1)</script>"}))
    assert "<script>" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert 'data-key="points.0.score.value"' in page
    assert page.count("<circle") == len(ROWS)


def test_without_matplotlib_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(curve_page, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'weitiao\[tune\]'"):
        write_curve(made(law(ROWS)), tmp_path)
    assert list(tmp_path.iterdir()) == []
