"""One warning a kind and split, with the count and both places."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from weitiao.data import Item, audit


def items(file: str, *rows: tuple[str, str]) -> list[Item]:
    return [Item(file, line, surface, answer) for line, (surface, answer) in enumerate(rows, start=2)]


LONG = "the delivery arrived two hours late and the soup was cold"


def test_clean_splits_have_no_findings() -> None:
    assert audit({"train": items("a", ("one", "x"), ("two", "y")), "test": items("b", ("three", "x"))}) == []
    assert audit({}) == []
    assert audit({"train": []}) == []


def test_within_a_split() -> None:
    found = audit({"train": items("a.csv", ("Good!", "x"), ("good", "x"), ("good.", "y"), ("bad", "y"), ("GOOD", "y"))})
    assert [(each.code, each.severity) for each in found] == [
        ("duplicate-rows", "warning"),
        ("conflicting-labels", "warning"),
    ]
    assert str(found[0]) == "a.csv:3: 2 rows of train repeat an earlier row; the first repeats a.csv:2"
    assert str(found[1]) == "a.csv:4: 1 text of train occurs with different labels: 'y' here, 'x' at a.csv:2"
    assert [str(row) for row in found[0].rows] == ["a.csv:3: see a.csv:2", "a.csv:6: see a.csv:4"]
    assert [str(row) for row in found[1].rows] == [
        "a.csv:4: 'y' here, 'x' there; see a.csv:2",
        "a.csv:6: 'y' here, 'x' there; see a.csv:2",
    ]


def test_leaks_exact_and_near_and_conflicts_across() -> None:
    train = items("a.csv", (LONG, "x"), ("good", "x"), ("fine", "x"))
    test = items("b.csv", ("new", "x"), (LONG + "!", "x"), (LONG.replace("soup", "sour"), "y"), ("Fine", "y"))
    problems = audit({"train": train, "test": test})
    assert {each.code: str(each) for each in problems} == {
        "conflicting-labels-across": "b.csv:5: 1 row of test has a label that train gives its text nowhere: "
        "'y' here, 'x' at a.csv:4",
        "exact-leak": "b.csv:3: 2 of 4 rows of test are also in train; the first is at a.csv:2",
        "near-duplicate-leak": "b.csv:4: 1 of 4 rows of test is nearly the same as a row of train: "
        "a.csv:2 (Jaccard 0.91)",
    }
    assert {each.code: [str(row) for row in each.rows] for each in problems} == {
        "conflicting-labels-across": ["b.csv:5: 'y' here, 'x' there; see a.csv:4"],
        "exact-leak": ["b.csv:3: see a.csv:2", "b.csv:5: see a.csv:4"],
        "near-duplicate-leak": ["b.csv:4: Jaccard 0.91; see a.csv:2"],
    }


def test_every_pair_of_splits_is_compared() -> None:
    near = LONG.replace("soup", "sour")
    found = audit(
        {
            "train": items("a", ("one", "x")),
            "dev": items("b", (LONG, "x")),
            "test": items("c", (near, "x"), ("one", "x")),
        }
    )
    assert [(each.code, each.file, each.line) for each in found] == [
        ("exact-leak", "c", 3),
        ("near-duplicate-leak", "c", 2),
    ]
    assert "a row of dev" in found[1].message


WORDS = st.sampled_from(["one", "One!", "two", "three", "two?", LONG, LONG + "x"])


@given(st.lists(st.tuples(WORDS, st.sampled_from("xyz")), max_size=12), st.lists(st.tuples(WORDS, st.just("x"))))
def test_a_finding_is_at_its_first_row_and_counts_all_of_them(
    train: list[tuple[str, str]], test: list[tuple[str, str]]
) -> None:
    known = {item.place for item in [*items("a", *train), *items("b", *test)]}
    for found in audit({"train": items("a", *train), "test": items("b", *test)}):
        assert (found.file, found.line) == (found.rows[0].file, found.rows[0].line)
        assert {row.twin for row in found.rows} | {f"{row.file}:{row.line}" for row in found.rows} <= known
        assert all(row.twin != f"{row.file}:{row.line}" for row in found.rows)
        if found.code != "conflicting-labels":  # which counts texts
            assert found.message.startswith(f"{len(found.rows)} ")
