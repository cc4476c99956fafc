"""Pairs of one label and of two: all there are of few texts, as many of both kinds, each text its share of many."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.tasks.label_pairs import label_pairs


def test_few_texts_give_every_pair_and_the_rarer_kind_again() -> None:
    pairs, same = label_pairs([0] * 8 + [1] * 8, each=16, most=8000, seed=1)
    assert (same.sum(), len(same)) == (64, 128)
    alike = {tuple(pair) for pair in pairs[same == 1].tolist()}
    other = {tuple(pair) for pair in pairs[same == 0].tolist()}
    assert len(alike) == 2 * 28 and len(other) == 64


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.integers(1, 5), st.integers(2, 60))
def test_what_every_draw_keeps(answers: list[int], each: int, most: int) -> None:
    pairs, same = label_pairs(answers, each=each, most=most, seed=3)
    gold = np.array(answers)
    assert len(pairs) == len(same) <= most
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert ((gold[pairs[:, 0]] == gold[pairs[:, 1]]) == same).all()
    there = {alike for alike in (0, 1) if alike in set(same.tolist())}
    assert len(there) < 2 or same.sum() * 2 == len(same)
    again = label_pairs(answers, each=each, most=most, seed=3)
    assert (again[0] == pairs).all() and (again[1] == same).all()


def test_of_many_texts_each_has_its_partners() -> None:
    pairs, same = label_pairs([index % 4 for index in range(80)], each=3, most=8000, seed=1)
    for kind in (0, 1):
        times = np.bincount(pairs[same == kind].ravel(), minlength=80)
        assert times.min() >= 3
    assert len(pairs) <= 2 * 3 * 80


def test_another_seed_draws_others() -> None:
    first, second = (label_pairs([0, 1] * 40, each=2, most=50, seed=seed)[0] for seed in (1, 2))
    assert not np.array_equal(first, second)
