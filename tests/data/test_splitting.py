"""Shares, samples and folds: exact sizes, no leak, no dependence on row order."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.data import Item
from weitiao.data.dedup import fold
from weitiao.data.splitting import folds, take_balanced, take_nested, take_sample, take_share
from weitiao.errors import Refused


def make(count: int, classes: int, groups: int = 0, repeats: int = 1) -> list[Item]:
    return [
        Item(
            "f.csv",
            row + 2,
            f"text {row // repeats}",
            f"c{row // repeats % classes}",
            f"g{row % groups}" if groups else "",
        )
        for row in range(count)
    ]


def test_share_is_exact_and_stratified() -> None:
    items = make(1000, 7)
    taken = take_share(items, 0.1, 17)
    assert len(taken) == 100
    assert set(Counter(items[row].answer for row in taken).values()) <= {14, 15}
    assert take_share(items, 0.1, 17) == taken
    assert take_share(items, 0.1, 18) != taken


def test_share_does_not_depend_on_row_order() -> None:
    items = make(300, 4)
    shuffled = random.Random(0).sample(items, len(items))
    first = {items[row] for row in take_share(items, 0.2, 5)}
    assert {shuffled[row] for row in take_share(shuffled, 0.2, 5)} == first


ITEMS = st.lists(
    st.tuples(
        st.sampled_from(["one", "One!", "two", "three", "four", "five", "six"]),
        st.sampled_from("abc"),
        st.sampled_from(["", "", "g", "h"]),
    ),
    min_size=2,
    max_size=30,
).map(lambda rows: [Item("f", line, *row) for line, row in enumerate(rows, start=1)])


@settings(max_examples=200, deadline=None)
@given(ITEMS, st.floats(0.05, 0.9), st.integers(0, 5))
def test_no_surface_and_no_group_on_both_sides(items: list[Item], share: float, seed: int) -> None:
    taken = set(take_share(items, share, seed))
    sides = [[items[row] for row in range(len(items)) if (row in taken) is side] for side in (True, False)]
    surfaces = [set(fold([item.surface for item in side])) for side in sides]
    groups = [{item.group for item in side} - {""} for side in sides]
    assert not surfaces[0] & surfaces[1]
    assert not groups[0] & groups[1]
    assert sides[1], "something is always left to train on"
    assert len(taken) <= max(round(share * len(items)), 1) or len(taken) == min(len(side) for side in sides if side)


def test_large_groups_still_give_a_share() -> None:
    items = make(1000, 10, groups=40)
    taken = take_share(items, 0.1, 17)
    assert 75 <= len(taken) <= 100
    assert not {items[row].group for row in taken} & {items[row].group for row in range(1000) if row not in set(taken)}


def test_answer_of_one_text_stays_in_train() -> None:
    items = [*make(200, 2), Item("f", 900, "lonely", "rare")]
    for seed in range(20):
        assert 200 not in take_share(items, 0.3, seed)


def test_many_single_answers_are_sampled_together() -> None:
    items = [Item("f", row, f"text {row}", f"combination {row}") for row in range(100)]
    assert len(take_share(items, 0.2, 17)) == 20


def test_one_unit_cannot_be_shared() -> None:
    assert take_share([Item("f", 1, "same", "a"), Item("f", 2, "same", "a")], 0.5, 1) == []


@settings(max_examples=100, deadline=None)
@given(ITEMS, st.integers(1, 40))
def test_sample_has_exactly_the_size(items: list[Item], count: int) -> None:
    taken = take_sample(items, count, 3)
    assert len(taken) == min(count, len(items))
    assert taken == sorted(set(taken))


def test_sample_keeps_proportions() -> None:
    items = [Item("f", row, f"t{row}", "a" if row % 4 else "b") for row in range(400)]
    assert Counter(items[row].answer for row in take_sample(items, 40, 1)) == {"a": 30, "b": 10}


@settings(max_examples=100, deadline=None)
@given(ITEMS, st.integers(2, 4))
def test_folds_partition_the_rows_without_leaks(items: list[Item], k: int) -> None:
    try:
        held = folds(items, k, 17)
    except Refused as error:
        assert "folds need at least" in str(error)  # noqa: PT017
        return
    assert sorted(row for rows in held for row in rows) == list(range(len(items)))
    surface = dict(enumerate(fold([item.surface for item in items])))
    for part in (surface, {row: item.group for row, item in enumerate(items) if item.group}):
        owners: dict[str, set[int]] = {}
        for number, rows in enumerate(held):
            for row in rows:
                if row in part:
                    owners.setdefault(part[row], set()).add(number)
        assert all(len(each) == 1 for each in owners.values())


def test_folds_are_stratified_and_even() -> None:
    items = make(101, 3)
    held = folds(items, 5, 17)
    assert {len(rows) for rows in held} <= {20, 21}
    for rows in held:
        assert set(Counter(items[row].answer for row in rows).values()) <= {6, 7}
    with pytest.raises(Refused, match="5 folds need at least 5 different texts or groups; got 3"):
        folds(make(3, 1), 5, 17)


def test_nested_shares_grow_and_keep_groups_and_strata() -> None:
    items = [Item("f", n, f"text {n}", "ab"[n % 2], group=f"g{n // 2}") for n in range(64)]
    shares = take_nested(items, (0.125, 0.25, 0.5, 1.0), seed=3)
    assert [len(rows) for rows in shares] == [8, 16, 32, 64]
    for smaller, larger in pairwise(shares):
        assert set(smaller) < set(larger)
        assert larger == sorted(larger)
    for rows in shares:
        groups = [items[row].group for row in rows]
        assert all(groups.count(group) == 2 for group in groups)
    assert take_nested(items, (0.125, 1.0), seed=3)[0] == shares[0]
    assert take_nested(items, (0.125, 1.0), seed=4)[0] != shares[0]


def test_a_balanced_sample_has_as_many_of_each_kind_as_there_are() -> None:
    kinds = [*("a" * 50), *("b" * 50), *("c" * 4)]
    items = [Item("f", row, f"text {row}", kind) for row, kind in enumerate(kinds)]
    taken = take_balanced(items, kinds, 44, seed=3)
    assert Counter(kinds[row] for row in taken) == {"a": 20, "b": 20, "c": 4}
    assert taken == sorted(set(taken))
    backwards = take_balanced(items[::-1], kinds[::-1], 44, seed=3)
    assert {items[row].surface for row in taken} == {items[::-1][row].surface for row in backwards}
    assert take_balanced(items, kinds, 44, seed=4) != taken
    assert take_balanced(items, kinds, 500, seed=3) == list(range(104))


def test_a_balanced_sample_takes_groups_whole() -> None:
    items = [Item("f", row, f"text {row}", "a", group=f"g{row // 4}") for row in range(40)]
    taken = take_balanced(items, ["a"] * 40, 18, seed=3)
    assert len(taken) == 16 and set(Counter(items[row].group for row in taken).values()) == {4}
