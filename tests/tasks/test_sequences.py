"""The best sequence and the marginals equal those of trying every sequence."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from weitiao.metrics.spans import may_follow, tag_names
from weitiao.tasks.sequences import best_tags, rules, tag_probabilities

Array = npt.NDArray[Any]
FLOATS = st.floats(-8, 8, width=32)


def score(emissions: Array, transitions: Array, tags: tuple[int, ...]) -> float:
    """Sum along one sequence, borders included."""
    border = emissions.shape[1]
    path = [border, *tags, border]
    steps = sum(transitions[before, after] for before, after in pairwise(path))
    return float(steps + sum(emissions[unit, tag] for unit, tag in enumerate(tags)))


def every(emissions: Array, transitions: Array) -> dict[tuple[int, ...], float]:
    units, classes = emissions.shape
    return {tags: score(emissions, transitions, tags) for tags in product(range(classes), repeat=units)}


@st.composite
def chains(draw: st.DrawFn) -> tuple[Array, Array]:
    units, classes = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    emissions = draw(npst.arrays(np.float64, (units, classes), elements=FLOATS))
    return emissions, draw(npst.arrays(np.float64, (classes + 1, classes + 1), elements=FLOATS))


@settings(max_examples=200, deadline=None)
@given(chains())
def test_the_best_sequence_is_the_best_of_all(chain: tuple[Array, Array]) -> None:
    emissions, transitions = chain
    scores = every(emissions, transitions)
    found = tuple(best_tags(emissions, transitions).tolist())
    assert scores[found] == pytest.approx(max(scores.values()), abs=1e-9)


@settings(max_examples=200, deadline=None)
@given(chains())
def test_marginals_are_shares_of_all_sequences(chain: tuple[Array, Array]) -> None:
    emissions, transitions = chain
    expected = np.zeros(emissions.shape)
    for tags, each in every(emissions, transitions).items():
        expected[np.arange(len(tags)), tags] += np.exp(each)
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(tag_probabilities(emissions, transitions), expected, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["bio", "bioes"]), st.integers(1, 4), st.integers(0, 10**6))
def test_what_the_rules_forbid_is_never_chosen(scheme: Any, units: int, seed: int) -> None:
    tags = tag_names(["A"], scheme)
    allowed = may_follow(tags)
    emissions = np.random.default_rng(seed).normal(size=(units, len(tags))) * 5
    scores = every(emissions, rules(allowed))
    found = tuple(best_tags(emissions, rules(allowed)).tolist())
    assert np.isfinite(scores[found])
    assert scores[found] == pytest.approx(max(scores.values()))


def test_a_linear_head_has_a_softmax_and_no_units_no_tags() -> None:
    np.testing.assert_allclose(tag_probabilities(np.log([[1.0, 3.0]]), None), [[0.25, 0.75]])
    assert best_tags(np.zeros((0, 2)), np.zeros((3, 3))).tolist() == []
    assert tag_probabilities(np.zeros((0, 2)), np.zeros((3, 3))).shape == (0, 2)


def test_of_long_texts_too() -> None:
    """No under- or overflow over a thousand units."""
    emissions = np.random.default_rng(0).normal(size=(1000, 3)) * 30
    shares = tag_probabilities(emissions, np.zeros((4, 4)))
    np.testing.assert_allclose(shares, tag_probabilities(emissions, None), atol=1e-9)
    assert best_tags(emissions, np.zeros((4, 4))).tolist() == emissions.argmax(1).tolist()
