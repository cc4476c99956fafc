"""The chart of scores over a cost."""

from __future__ import annotations

import itertools
import re

from weitiao.evaluation.charts import Choice, trade_off
from weitiao.evaluation.intervals import Score


def test_names_stand_on_no_other() -> None:
    score = Score(value=0.9, low=0.88, high=0.92)
    drawn = trade_off([Choice(name, 10.0, score, best=name == "a") for name in ("a", "b", "c")], "t", "MB")
    places = {
        name: (float(x), float(y))
        for x, y, name in re.findall(
            r'<text x="([0-9.]+)" y="([0-9.]+)" class="tick" text-anchor="start">([abc])<', drawn
        )
    }
    heights = sorted(y for _x, y in places.values())
    assert len(places) == 3 and min(b - a for a, b in itertools.pairwise(heights)) >= 12
    assert drawn.count('class="fill a"') == 1 and drawn.count('class="fill b"') == 2


def test_equal_costs_and_scores_can_be_drawn() -> None:
    same = Score(value=1.0, low=1.0, high=1.0)
    assert "nan" not in trade_off([Choice("a", 5.0, same, best=True)] * 2, "t", "MB")
