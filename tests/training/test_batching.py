"""Every row once an epoch, records whole, the same plan from the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weitiao.records import Feature
from weitiao.training.batching import Order, epoch_steps, micro_batches, steps_per_epoch


def made(lengths: list[int], groups: list[int] | None = None) -> list[Feature]:
    groups = groups or list(range(len(lengths)))
    return [
        Feature(np.zeros(length, dtype=np.int32), group=group) for length, group in zip(lengths, groups, strict=True)
    ]


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=300),
    st.integers(1, 40),
    st.sampled_from(["grouped", "random", "given"]),
)
def test_every_feature_is_in_one_step(lengths: list[int], batch_size: int, order: Order) -> None:
    steps = epoch_steps(made(lengths), batch_size, order, seed=3, epoch=1)
    assert sorted(row for step in steps for row in step) == list(range(len(lengths)))
    assert len(steps) == steps_per_epoch(made(lengths), batch_size)
    assert all(0 < len(step) <= batch_size for step in steps)
    assert sum(len(step) < batch_size for step in steps) <= 1


def test_features_of_a_record_share_a_step() -> None:
    features = made([5, 9, 3, 4, 4, 4], [0, 0, 1, 2, 2, 2])
    for order in ("grouped", "random", "given"):
        steps = epoch_steps(features, 1, order, seed=0, epoch=0)  # type: ignore[arg-type]
        assert sorted(map(sorted, steps)) == [[0, 1], [2], [3, 4, 5]]


def test_given_keeps_the_order_and_the_others_change_with_the_epoch() -> None:
    features = made(list(range(1, 101)))
    assert epoch_steps(features, 10, "given", 0, 0) == [list(range(start, start + 10)) for start in range(0, 100, 10)]
    for order in ("grouped", "random"):
        first, second = (epoch_steps(features, 10, order, 0, epoch) for epoch in (0, 1))  # type: ignore[arg-type]
        assert first != second
        assert first == epoch_steps(features, 10, order, 0, 0)  # type: ignore[arg-type]


def test_grouped_pads_little() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 200, 2000).tolist()
    features = made(lengths)

    def padding(order: Order) -> float:
        steps = epoch_steps(features, 16, order, 0, 0)
        return sum(len(step) * max(lengths[row] for row in step) for step in steps) / sum(lengths)

    assert padding("grouped") < 1.05 < 1.5 < padding("random")


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 200))
def test_micro_batches_cut_a_step_within_the_budget(lengths: list[int], budget: int) -> None:
    parts = list(micro_batches(range(len(lengths)), lengths, budget))
    assert sorted(row for part in parts for row in part) == list(range(len(lengths)))
    assert all(len(part) == 1 or sum(lengths[row] for row in part) <= budget for part in parts)


def test_an_unknown_row_order_is_no_order() -> None:
    with pytest.raises(IndexError):
        next(micro_batches([3], [1, 1], 10))
