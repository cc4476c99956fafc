"""Names of rungs, the Pareto front, and the page."""

from __future__ import annotations

import re

import pytest

from weitiao.compression.ladder import Ladder, LeftOut, Rung, Speed, folder_name, with_front, words_of
from weitiao.compression.ladder_page import render_ladder
from weitiao.evaluation.intervals import Score


def rung(name: str, size: int, times: float, score: float, **more: object) -> Rung:
    speed = Speed(p50=1.0, p95=2.0, texts_per_second=100 * times)
    around = Score(value=score, low=score - 0.01, high=score + 0.01)
    return Rung(
        name=name, path=name, bytes=size, speed=speed, beside=None, times=times, score=around,
        **{"difference": None, "within": True, **more},
    )  # fmt: skip


def test_a_rung_is_its_steps_joined_by_plus() -> None:
    assert words_of("distil:learning_rate=1e+5+int8:mode=static") == ["distil:learning_rate=1e+5", "int8:mode=static"]
    assert words_of("onnx") == ["onnx"]
    assert folder_name("a:x=[1, 2]+b") == "a-x=-1,-2-+b"


@pytest.mark.parametrize(
    ("rungs", "front"),
    [
        ([("run", 100, 1.0, 0.9), ("small", 25, 1.0, 0.9)], ["small"]),
        ([("run", 100, 1.0, 0.9), ("small", 25, 3.0, 0.89)], ["run", "small"]),
        ([("run", 100, 1.0, 0.9), ("a", 50, 2.0, 0.9), ("b", 50, 2.0, 0.9)], ["a", "b"]),
        ([("run", 100, 1.0, 0.9), ("slow", 50, 0.5, 0.9), ("bad", 60, 0.5, 0.8)], ["run", "slow"]),
    ],
)
def test_the_front_is_what_no_other_beats(rungs: list[tuple[str, int, float, float]], front: list[str]) -> None:
    assert [each.name for each in with_front([rung(*each) for each in rungs]) if each.best] == front


def test_the_page_shows_every_rung_and_what_was_left_out() -> None:
    gap = Score(value=-0.02, low=-0.04, high=0.0)
    small = rung("a<b", 500_000, 3.25, 0.88, difference=gap, within=False)
    ladder = Ladder(
        weitiao="1", task="classify", metric="accuracy", split="dev", rows=1200, confidence=0.95, tolerance=0.005,
        timed=256, rounds=5, threads=2, machine={"machine": "x86_64", "instructions": ["avx2"]},
        rungs=with_front([rung("run", 2_000_000, 1.0, 0.9), small]),
        left_out=[LeftOut(name="bits", reason="only <decoders>")],
    )  # fmt: skip
    page = render_ladder(ladder)
    assert "a&lt;b" in page and "a<b" not in page and "only &lt;decoders&gt;" in page
    assert '<data data-key="rungs.1.difference.value" value="-0.02">\u22122.0</data>' in page
    assert "(outside the tolerance)" in page and ">3.25<" in page and page.count("<svg") == 2
    assert not re.search(r'(src|href)="http', page)


def test_one_rung_alone_can_be_drawn() -> None:
    ladder = Ladder(
        weitiao="1", task="regress", metric="pearson", split="dev", rows=2, confidence=0.95, tolerance=0.005, timed=2,
        rounds=1, threads=2, machine={"machine": "x", "instructions": []}, rungs=[rung("run", 10, 1.0, 0.5)],
        left_out=[],
    )  # fmt: skip
    assert render_ladder(ladder).count("<circle") == 2
