"""Near duplicates equal a brute-force search; folding ignores only what it says."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.data import dedup
from weitiao.data.dedup import fold, near_duplicates


def grams(text: str) -> set[str]:
    return {text[start : start + 3] for start in range(len(text) - 2)}


def jaccard(a: str, b: str) -> float:
    first, second = grams(a), grams(b)
    return len(first & second) / len(first | second) if first and second else 0.0


def brute(left: list[str], right: list[str] | None, threshold: float) -> list[tuple[int, int, float]]:
    found = []
    for i, a in enumerate(left):
        for j, b in enumerate(left if right is None else right):
            if (right is not None or i < j) and (value := jaccard(a, b)) >= threshold:
                found.append((i, j, value))
    return found


def variants(seed: int, count: int, alphabet: str) -> list[str]:
    """Texts of which many differ from another by a few characters."""
    rng = random.Random(seed)
    texts: list[str] = []
    while len(texts) < count:
        if texts and rng.random() < 0.6:
            letters = list(rng.choice(texts))
            for _edit in range(rng.randint(0, 3)):
                letters[rng.randrange(len(letters))] = rng.choice(alphabet)
            texts.append("".join(letters))
        else:
            texts.append("".join(rng.choices(alphabet, k=rng.randint(1, 60))))
    return texts


@pytest.mark.parametrize("alphabet", ["abcdefgh ", "".join(chr(0x4E00 + number) for number in range(3000))])
@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_equals_brute_force(alphabet: str, threshold: float) -> None:
    texts = variants(7, 160, alphabet)
    assert near_duplicates(texts, threshold=threshold) == brute(texts, None, threshold)
    left, right = texts[:90], texts[90:]
    found = near_duplicates(left, right, threshold)
    assert found == brute(left, right, threshold)
    assert found


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = variants(3, 200, "abcd ")
    whole = near_duplicates(texts)
    monkeypatch.setattr(dedup, "BLOCK", 50)
    assert near_duplicates(texts) == whole


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(alphabet="abc你", max_size=10), max_size=12), st.sampled_from([0.3, 0.6, 0.8]))
def test_equals_brute_force_on_any_texts(texts: list[str], threshold: float) -> None:
    assert near_duplicates(texts, threshold=threshold) == brute(texts, None, threshold)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("  Ｈｅｌｌｏ，\tWorld!! ", "hello world"),
        ("很好！！很好", "很好 很好"),
        ("C++ or C#", "c++ or c"),
        ("good 😀", "good 😀"),
        ("Straße", "strasse"),
        ("?!", "?!"),
        ("…", "..."),
        ("a\x00b", "a b"),
        ("", ""),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold([text]) == [folded]
    assert fold(["x", text, "y"]) == ["x", folded, "y"]


def test_fold_of_nothing() -> None:
    assert fold([]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), max_size=6))
def test_fold_is_of_each_text_alone_and_settled(texts: list[str]) -> None:
    folded = fold(texts)
    assert folded == [fold([text])[0] for text in texts]
    assert len(folded) == len(texts)
    assert all("  " not in text for text in folded if any(character.isalnum() for character in text))
