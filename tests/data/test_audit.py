"""One warning a kind and split, with the count and both places."""

from __future__ import annotations

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


def test_leaks_exact_and_near_and_conflicts_across() -> None:
    train = items("a.csv", (LONG, "x"), ("good", "x"), ("fine", "x"))
    test = items("b.csv", ("new", "x"), (LONG + "!", "x"), (LONG.replace("soup", "sour"), "y"), ("Fine", "y"))
    found = {each.code: str(each) for each in audit({"train": train, "test": test})}
    assert found == {
        "conflicting-labels-across": "b.csv:5: 1 row of test has a label that train gives its text nowhere: "
        "'y' here, 'x' at a.csv:4",
        "exact-leak": "b.csv:3: 2 of 4 rows of test are also in train; the first is at a.csv:2",
        "near-duplicate-leak": "b.csv:4: 1 of 4 rows of test is nearly the same as a row of train: "
        "a.csv:2 (Jaccard 0.91)",
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
