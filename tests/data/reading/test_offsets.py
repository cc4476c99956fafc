"""Offsets of other tools against Python's own slices."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weitiao.data.reading.offsets import Counting, counted_as, fitting, likeliest, located, places, proven

TEXTS = st.text(st.sampled_from("aé中\u3000 \r\n😀👨\u200d🚒\u0301🏻🇨🇳"), min_size=1, max_size=20)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@given(TEXTS, st.data())
def test_utf_16_units_are_those_of_the_encoding(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    counted = (utf16(text[:start]), utf16(text[:end]))
    assert counted_as(text, start, end, "utf-16") == counted
    assert located(places(text, "utf-16"), *counted) == (start, end)
    assert located(places(text, "characters"), start, end) == (start, end)


@given(TEXTS)
def test_every_counting_goes_through_the_whole_text(text: str) -> None:
    countings: tuple[Counting, ...] = ("characters", "utf-16", "lines", "utf-16-lines", "graphemes")
    for counting in countings:
        found = [place for place in places(text, counting) if place >= 0]
        assert found == sorted(set(found)) and found[0] == 0 and found[-1] == len(text)


@pytest.mark.parametrize(
    ("text", "clusters"),
    [
        ("e\u0301a", ["e\u0301", "a"]),
        ("👨🏻\u200d🚒!", ["👨🏻\u200d🚒", "!"]),
        ("🇨🇳🇫🇷x", ["🇨🇳", "🇫🇷", "x"]),
        ("a\r\nb", ["a", "\r\n", "b"]),
        ("⚠\ufe0f中", ["⚠\ufe0f", "中"]),
    ],
)
def test_grapheme_clusters(text: str, clusters: list[str]) -> None:
    borders = list(places(text, "graphemes"))
    assert [text[a:b] for a, b in pairwise(borders)] == clusters


def test_half_of_a_character_is_nowhere() -> None:
    assert located(places("😀a", "utf-16"), 1, 3) is None
    assert located(places("ab", "characters"), 1, 3) is None
    assert located(places("ab", "characters"), 1, 1) is None


def test_surfaces_prove_whatever_their_white_space() -> None:
    assert proven("one\r\ntwo", 0, 8, "one\\ntwo", "characters") == (0, 8)
    assert proven("a\r\nword", 2, 6, "word", "lines") == (3, 7)
    assert proven("a\r\nword", 2, 6, "word", "characters") is None


def test_the_likeliest_counting_cuts_no_word() -> None:
    text = "👨🏻\u200d🚒 firemen drive firetrucks"  # doccano's issue 2290
    assert likeliest([(text, [(22, 32)])], ("utf-16", "characters")) == "utf-16"
    assert likeliest([(text, [(19, 29)])], ("utf-16", "characters")) == "characters"
    assert likeliest([("plain", [(0, 5)])], ("utf-16", "characters")) == "utf-16"


def test_the_countings_that_fit_one_text() -> None:
    order: tuple[Counting, ...] = ("characters", "utf-16", "graphemes")
    assert fitting("😀 Anna met Bob", [(2, 6)], order) == ["characters", "graphemes"]
    assert fitting("😀 Anna met Bob", [(3, 7)], order) == ["utf-16"]
    assert fitting("😀你好", [(1, 2)], order[:1]) == ["characters"]
