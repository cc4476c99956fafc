"""Labels: order, distance, suggestions, suspicions."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.tasks.labels import (
    SEPARATORS,
    edit_distance,
    in_natural_order,
    joined_labels,
    look_alikes,
    nearest,
    parts_of,
    suspected_typos,
)


@lru_cache(maxsize=100_000)
def by_definition(left: str, right: str) -> int:
    """Restricted Damerau-Levenshtein, written as its recurrence."""
    if not left or not right:
        return len(left) + len(right)
    costs = [
        by_definition(left[:-1], right) + 1,
        by_definition(left, right[:-1]) + 1,
        by_definition(left[:-1], right[:-1]) + (left[-1] != right[-1]),
    ]
    if len(left) > 1 and len(right) > 1 and left[-1] == right[-2] and left[-2] == right[-1]:
        costs.append(by_definition(left[:-2], right[:-2]) + 1)
    return min(costs)


@settings(max_examples=200, deadline=None)
@given(st.text("abc", max_size=6), st.text("abc", max_size=6), st.integers(0, 4))
def test_edit_distance_equals_its_definition_up_to_the_limit(left: str, right: str, limit: int) -> None:
    assert edit_distance(left, right, limit) == min(by_definition(left, right), limit + 1)


@pytest.mark.parametrize(
    ("label", "known", "guess"),
    [
        ("POSITVE", ["NEG", "POS"], "POS"),
        ("POSITVE", ["NEGATIVE", "POSITIVE"], "POSITIVE"),
        ("positive", ["NEGATIVE", "POSITIVE"], "POSITIVE"),
        ("ＰＯＳ", ["NEG", "POS"], "POS"),
        ("PSO", ["NEG", "POS"], "POS"),
        ("体玉", ["体育", "财经"], "体育"),
        ("体", ["体育", "财经"], "体育"),
        ("5", ["1", "4"], None),
        ("class 3", ["class 1", "class 2"], None),
        ("a", ["apple", "ant"], None),
        ("ca", ["card", "cash"], None),
        ("meh", ["NEG", "POS"], None),
        ("", ["NEG"], None),
        ("x", [], None),
    ],
)
def test_nearest(label: str, known: list[str], guess: str | None) -> None:
    assert nearest(label, known) == guess


@pytest.mark.parametrize(
    ("counts", "found"),
    [
        ({"POSITIVE": 20, "POSITVE": 1}, [("POSITVE", "POSITIVE")]),
        ({"POSITIVE": 19, "POSITVE": 1}, []),
        ({"delivery": 200, "deliverey": 3, "devilery": 2}, [("deliverey", "delivery"), ("devilery", "delivery")]),
        ({"step 1": 100, "step 2": 1}, []),
        ({"POS": 100, "POZ": 1}, []),
        ({"positive": 100, "negative": 1}, []),
        ({"服务态度差": 40, "服务太度差": 1}, [("服务太度差", "服务态度差")]),
        ({"好评": 290, "差评": 280, "好坪": 1, "差平": 2}, [("好坪", "好评"), ("差平", "差评")]),
        ({"好评": 290, "差评": 280, "好评价": 1, "评好": 1}, [("好评价", "好评"), ("评好", "好评")]),
        ({"好评": 290, "差评": 280, "中评": 1}, []),
        ({"好评": 290, "差评": 3}, []),
        ({"好评": 39, "好坪": 2}, []),
        ({"一级": 100, "二级": 1}, []),
        ({"A类": 100, "B类": 1}, []),
        ({"好": 100, "好评": 1}, []),
    ],
)
def test_suspected_typos(counts: dict[str, int], found: list[tuple[str, str]]) -> None:
    assert suspected_typos(counts) == found


def test_look_alikes() -> None:
    assert look_alikes(["Pos", "neg", " pos", "ＰＯＳ", "ne"]) == [["Pos", " pos", "ＰＯＳ"]]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("a1B 2.-", max_size=4), max_size=8))
def test_natural_order_depends_on_the_set_alone(labels: list[str]) -> None:
    ordered = in_natural_order(labels)
    assert ordered == in_natural_order([*reversed(labels), *labels])
    assert sorted(ordered) == sorted(set(labels))


def test_numbers_order_by_value() -> None:
    assert in_natural_order([str(n) for n in range(12, -3, -1)]) == [str(n) for n in range(-2, 13)]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_labels_that_are_several_are_told_by_their_parts(separator: str) -> None:
    joined = [f"a{separator}b", f"b {separator} c", f"c{separator}a{separator}"]
    labels = ["a", "b", "c", *joined]
    assert joined_labels(labels, labels) == (separator, joined)
    assert joined_labels(labels, labels, parted_by=separator)[1] == []
    assert joined_labels(labels[:-1], labels)[1] == []
    assert joined_labels(joined, joined)[1] == []


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["C", "C+", "C++", "A+", "A"],
        ["sport/ball", "sport/run", "money/bank", "sport"],
        ["a, or what one calls it", "b, more or less", "c, at last", "a"],
        ["good;", "bad;", "meh;", "good", "bad"],
    ],
)
def test_labels_that_only_hold_a_separator_are_single(labels: list[str]) -> None:
    assert joined_labels(labels, labels)[1] == []


def test_parts() -> None:
    assert parts_of(" a ;b;; a;", ";") == ["a", "b"]
