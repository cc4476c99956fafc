"""Trees: the best one is that of trying them all; what is no tree is told in words."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from weitiao.tasks.trees import a_circle, best_tree, head_probabilities, names_of, tree_fault


def is_tree(heads: tuple[int, ...]) -> bool:
    """Every word comes to 0 by its heads, and one word stands below it."""
    for word in range(1, len(heads) + 1):
        for _step in heads:
            word = heads[word - 1] if word else 0
        if word:
            return False
    return heads.count(0) == 1


@cache
def trees(words: int) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Every tree with one root, [N, W]."""
    return np.array([heads for heads in product(range(words + 1), repeat=words) if is_tree(heads)])


def total(
    scores: np.ndarray[tuple[int, int], np.dtype[np.float64]], heads: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> float:
    return float(scores[np.arange(len(scores)), heads].sum())


def test_there_are_as_many_trees_as_cayley_says() -> None:
    assert [len(trees(words)) for words in (1, 2, 3, 4, 5)] == [words ** (words - 1) for words in (1, 2, 3, 4, 5)]


SCORES = st.integers(1, 5).flatmap(
    lambda words: npst.arrays(np.float64, (words, words + 1), elements=st.floats(-50, 50, width=32))
)


@settings(max_examples=300, deadline=None)
@given(SCORES)
def test_no_tree_has_a_higher_score(scores: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    heads = best_tree(scores)
    assert is_tree(tuple(heads.tolist()))
    assert tree_fault(heads.tolist()) == ""
    best = max(total(scores, each) for each in trees(len(scores)))
    assert total(scores, heads) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_of_six_words_too(seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(6, 7)) * 5
    scores[:, 0] += 10  # every word would hang on the root
    best = max(total(scores, each) for each in trees(6))
    assert total(scores, best_tree(scores)) == pytest.approx(best, abs=1e-9)


def test_a_sentence_as_long_as_models_read() -> None:
    """Rings inside rings, each word's best head being its neighbour; the answer is a tree all the same."""
    words = 500
    scores = np.random.default_rng(0).normal(size=(words, words + 1))
    for word in range(words):
        scores[word, (word ^ 1) + 1] += 50
    assert tree_fault(best_tree(scores).tolist()) == ""
    assert best_tree(np.zeros((0, 1))).tolist() == []


@pytest.mark.parametrize(
    ("heads", "fault"),
    [
        ([0], ""),
        ([2, 0, 2], ""),
        ([3, 1, 0], ""),
        ([2, 3, 5], "the head of word 3 is 5, outside the sentence of 3 words"),
        ([-1], "the head of word 1 is -1, outside the sentence of 1 words"),
        ([0, 2], "the heads go in a circle: 2 -> 2"),
        ([0, 3, 4, 2], "the heads go in a circle: 2 -> 3 -> 4 -> 2"),
        ([4, 1, 2, 3], "the heads go in a circle: 1 -> 4 -> 3 -> 2 -> 1"),
        ([*range(2, 21), 1], "the heads go in a circle: 1 -> 2 -> 3 -> 4 -> 5 -> 6 -> 7 -> 8 -> ..."),
        ([0, 1, 0, 0], "3 words have head 0, the root: 1, 3, 4; expected one"),
    ],
)
def test_faults_are_told(heads: list[int], fault: str) -> None:
    assert tree_fault(heads) == fault


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_a_fault_is_told_where_there_is_no_tree(heads: list[int]) -> None:
    assert (tree_fault(heads) == "") == (max(heads) <= len(heads) and is_tree(tuple(heads)))
    inside = [min(head, len(heads)) for head in heads]
    circle = a_circle([0, *inside])
    assert [inside[word - 1] for word in circle] == [*circle[1:], *circle[:1]]
    assert bool(circle) or inside.count(0) > 0


def test_probabilities_are_of_the_heads_that_a_word_can_have() -> None:
    scores = np.log(np.array([[1.0, 90.0, 3.0], [5.0, 5.0, 90.0]]))
    np.testing.assert_allclose(head_probabilities(scores, np.array([2, 0])), [3 / 4, 1 / 2])


def test_labels_by_kind() -> None:
    labels = ["deprel:nsubj:pass", "deprel:root", "upos:NOUN"]
    assert names_of("deprel:", labels) == ["nsubj:pass", "root"]
    assert names_of("upos:", labels) == ["NOUN"]
