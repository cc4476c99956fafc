"""What is told of two models' answers, and when a step is outside the tolerance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest

from weitiao.compression import StepOptions
from weitiao.compression.comparison import Answered, Comparison, Ground, agreement, compared, decided, largest
from weitiao.compression.history import Done, History
from weitiao.evaluation.intervals import Resampling
from weitiao.records import ClassifyPrediction, ClassifyRecord, FoundSpan, RegressPrediction, TagPrediction
from weitiao.tasks import TASKS


class ExactOptions(StepOptions):
    """A step that promises the same answers."""

    exact: ClassVar[bool] = True


def answers(labels: Sequence[str], logits: Sequence[float]) -> Answered:
    outputs = [[{"logits": np.array([each, -each])}] for each in logits]
    predictions = [ClassifyPrediction(labels=(label,), confidence=0.5, scores={}) for label in labels]
    return Answered(outputs, predictions, outputs[:2])


def ground(gold: Sequence[str], tolerance: float = 0.005) -> Ground:
    task = TASKS["classify"]()
    records = [ClassifyRecord(text="a", labels=(label,)) for label in gold]
    return Ground(task, next(iter(task.metrics(["a", "b"]))), records, "dev", Resampling(200), tolerance)


def judged(after: Sequence[str], gold: Sequence[str], options: StepOptions | None = None, **more: Any) -> Comparison:
    zeros = [0.0] * len(gold)
    return compared(
        ground(gold, more.pop("tolerance", 0.005)), answers(gold, zeros), answers(after, more.pop("logits", zeros)),
        options or StepOptions(), covered=more.pop("covered", [True] * len(gold)), **more,
    )  # fmt: skip


def test_a_fall_within_the_tolerance_is_kept_and_one_beyond_it_is_not() -> None:
    gold = ["a", "b"] * 500
    within = judged(["b", *gold[1:]], gold)
    assert within.objections == [] and within.difference.value == pytest.approx(-0.001) and within.agreement == 0.999
    beyond = judged(["b", "a"] * 3 + gold[6:], gold)
    (objection,) = beyond.objections
    assert objection.startswith("Accuracy on 1,000 rows of dev differs by -0.006 [-0.01")
    assert objection.endswith("]; it may fall by 0.005 at most")
    assert judged(["b", "a"] * 3 + gold[6:], gold, tolerance=0.006).objections == []


def test_a_fall_that_may_be_chance_is_beyond_the_tolerance_all_the_same_and_says_so() -> None:
    gold = ["a", "b"] * 10
    (objection,) = judged(["b", *gold[1:]], gold).objections
    assert "differs by -0.050 [" in objection
    assert objection.endswith("(the interval holds zero: on so few rows it may be chance)")


def test_a_gain_is_no_fall() -> None:
    gold = ["a", "b"] * 10
    zeros = [0.0] * 20
    found = compared(
        ground(gold), answers(["b", *gold[1:]], zeros), answers(gold, zeros), StepOptions(), covered=[True] * 20
    )
    assert found.objections == [] and found.difference.value == pytest.approx(0.05)


def test_proven_needs_the_interval_and_rows_enough() -> None:
    assert not judged(["a", "b"] * 299, ["a", "b"] * 299).proven  # 598 rows: 3 / 598 is more than half a point
    assert judged(["a", "b"] * 300, ["a", "b"] * 300).proven
    gold = ["a", "b"] * 500
    assert not judged([*"baba", *gold[4:]], gold).proven  # 0.4 points, and the interval reaches beyond half a point


def test_an_exact_step_is_held_to_its_bound_on_the_rows_it_covers() -> None:
    gold = ["a", "b"]
    assert judged(gold, gold, ExactOptions(), logits=[0.0, 9e-5]).objections == []
    (objection,) = judged(gold, gold, ExactOptions(), logits=[0.0, 0.02]).objections
    assert objection == "an output differs by 0.02, and the step promises the same answers within 0.0001"
    assert judged(gold, gold, ExactOptions(), logits=[0.0, 0.02], covered=[True, False]).objections == []
    assert judged(gold, gold, logits=[0.0, 0.02]).objections == []
    assert judged(gold, gold, ExactOptions(), logits=[0.0, math.nan]).objections


def test_several_steps_together_may_not_fall_further_than_one() -> None:
    gold = ["a", "b"] * 500
    before = answers([*"bab", *gold[3:]], [0.0] * 1000)
    after = answers([*"baba", *gold[4:]], [0.0] * 1000)
    found = compared(
        ground(gold), before, after, StepOptions(), covered=[True] * 1000, first=answers(gold, [0.0] * 1000)
    )
    assert found.difference.value == pytest.approx(-0.001)
    assert found.since is not None and found.since.value == pytest.approx(-0.004)
    assert found.objections == []
    worse = compared(
        ground(gold, 0.003), before, after, StepOptions(), covered=[True] * 1000, first=answers(gold, [0.0] * 1000)
    )
    assert len(worse.objections) == 1 and "since the first step" in worse.objections[0]


def test_commands_one_after_the_other_may_not_fall_further_than_one() -> None:
    gold = ["a", "b"] * 500
    after = [*"baba", *gold[4:]]
    once = judged(after, gold)
    assert once.objections == [] and once.total is None
    again = judged(after, gold, earlier=once.difference.value)
    assert again.total == pytest.approx(-0.008) and again.difference.value == pytest.approx(-0.004)
    (objection,) = again.objections
    assert "differs by -0.008 with the steps of earlier commands added up" in objection
    assert judged(gold, gold, earlier=-0.004).objections == [] and not judged(gold, gold, earlier=-0.006).proven


def test_what_was_accepted_is_added_up_no_more() -> None:
    gold = ["a", "b"] * 500

    def done(wrong: int) -> Done:
        after = [*("b" if each == "a" else "a" for each in gold[:wrong]), *gold[wrong:]]
        return Done(name="copy", options={}, facts={}, comparison=judged(after, gold), bytes=1)

    def fallen(*steps: Done) -> float:
        return History(
            weitiao="0", source="run", steps=list(steps), accepted=True, tolerance=0.005, bytes=1, stamp={}
        ).fallen

    assert fallen(done(2), done(3)) == pytest.approx(-0.005)
    assert fallen(done(2), done(30), done(3)) == pytest.approx(-0.003)  # 3 points needed --accept
    assert fallen() == 0.0


def test_largest_difference() -> None:
    one, other = {"a": np.array([1.0, -np.inf])}, {"a": np.array([1.5, -np.inf])}
    assert largest([one], [other]) == 0.5
    assert largest([one], [{"a": np.array([1.0, 0.0])}]) == math.inf
    assert largest([one], [{"a": np.array([1.0])}]) is None
    assert largest([one], [one, one]) is None
    assert largest([{"a": np.zeros((0, 3))}], [{"a": np.zeros((0, 3))}]) == 0.0
    near = np.array([[0, 1, 0, 2.0], [4, 4, 0, 1.99999]])
    swapped = np.array([[4, 4, 0, 2.0], [0, 1, 0, 1.99999]])
    assert largest([{"spans": near}], [{"spans": swapped}]) == pytest.approx(1e-5)
    assert (
        largest([{"spans": near}], [{"spans": near + np.array([0, 1, 0, 0])}]) == 2.0
    )  # wrong places, the same scores


def test_what_depends_on_the_batch_is_measured() -> None:
    among = [[{"logits": np.array([1.0])}], [{"logits": np.array([2.0])}]]
    assert Answered(among, [], [[{"logits": np.array([1.25])}]]).batched == 0.25


def test_answers_are_compared_without_their_probabilities() -> None:
    first, second = (
        TagPrediction(spans=(FoundSpan(start=0, end=2, label="A", confidence=sure),)) for sure in (0.4, 0.6)
    )
    assert first != second and decided(first) == decided(second)
    moved = TagPrediction(spans=(FoundSpan(start=0, end=3, label="A", confidence=0.4),))
    assert decided(first) != decided(moved)


def test_numbers_are_neither_the_same_nor_not() -> None:
    task = TASKS["regress"]()
    record = task.read({"text": "a", "score": 1.0}, file="", line=0, group="", labelled=True)
    made = Ground(task, next(iter(task.metrics([]))), [record], "dev", Resampling(10), 0.1)
    assert agreement(made, [RegressPrediction(score=1.0)], [RegressPrediction(score=2.0)]) is None
