"""Findings about labels: the words are in tests/mistakes; here are the rows they name, and what they leave unsaid."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from weitiao.errors import Problem
from weitiao.tasks.label_audit import LabelCounts, audit_labels, unanswerable
from weitiao.tasks.labels import in_natural_order


def counted(*cells: Sequence[str], file: str = "a.csv") -> LabelCounts:
    return LabelCounts.of((labels, file, line) for line, labels in enumerate(cells, start=2))


def found(train: LabelCounts, *, labels: Sequence[str] = (), **options: object) -> list[Problem]:
    space = labels or in_natural_order(train.counts)
    return audit_labels({"train": train}, space, fixed=bool(labels), **options)  # type: ignore[arg-type]


def places(problem: Problem) -> list[str]:
    return [str(row) for row in problem.rows]


JOINED = [("billing;refund",), ("billing",), ("refund",), ("refund;late",), ("late;billing",), ("late",)] * 5


def test_every_row_of_a_rare_or_mistyped_label_is_named() -> None:
    typo, small = found(counted(*[("delivery",), ("service",)] * 30, ("delivrey",), ("service",)))
    assert (typo.code, typo.line, places(typo)) == ("label-typo", 62, ["a.csv:62"])
    assert (small.code, small.line, places(small)) == ("small-class", 62, ["a.csv:62"])
    (small,) = found(counted(*[("x",), ("y",)] * 9, ("neu",), ("odd",), ("neu",)))
    assert str(small) == (
        "a.csv:20: 2 classes have fewer than 5 training rows: neu (2, lines 20, 22), odd (1, line 21); "
        "collect more or merge them"
    )
    assert places(small) == ["a.csv:20: neu", "a.csv:22: neu", "a.csv:21: odd"]


def test_rows_of_another_file_are_shown_with_it() -> None:
    cells = [("x", "a.csv", 2), ("y", "a.csv", 3)] * 5 + [("odd", "a.csv", 12), ("odd", "b.csv", 7)]
    (small,) = found(LabelCounts.of(((label,), file, line) for label, file, line in cells))
    assert str(small).startswith("a.csv:12: 1 class has fewer than 5 training rows: odd (2, lines 12, b.csv:7); ")


def test_a_listed_label_without_rows_has_no_place() -> None:
    (small,) = found(counted(*[("x",), ("y",)] * 9), labels=["x", "y", "z"])
    assert str(small) == "a.csv: 1 class has fewer than 5 training rows: z (0); collect more or merge it"
    assert small.rows == ()


def test_several_labels_in_a_cell_are_one_finding() -> None:
    (problem,) = found(counted(*JOINED))
    assert (problem.code, problem.severity) == ("several-labels", "warning")
    assert str(problem) == (
        "a.csv:2: 'billing;refund' and 2 other labels look like several labels in one cell, parted by ';'; "
        "set task.multi_label=true and task.separator=';'"
    )


@pytest.mark.parametrize(
    ("separator", "parted_by", "settings"),
    [
        (",", "", "set task.multi_label=true"),
        ("|", "", "set task.multi_label=true and task.separator=\"'|'\""),
        ("、", "", "set task.multi_label=true and task.separator='、'"),
        (",", ";", "set task.separator=\"','\""),
        ("；", ",", "set task.separator='；'"),
    ],
)
def test_the_settings_are_those_that_are_missing(separator: str, parted_by: str, settings: str) -> None:
    (problem,) = found(counted(*[(cell.replace(";", separator),) for (cell,) in JOINED]), separator=parted_by)
    assert problem.message.endswith(f"; {settings}")


def test_with_those_settings_nothing_is_left_to_say() -> None:
    assert found(counted(*[tuple(cell.split(";")) for (cell,) in JOINED]), separator=";") == []


def test_what_remains_is_told_of_the_parts() -> None:
    train = counted(*JOINED, ("refnud;billing",), *[("late",)] * 40, ("bililng",), *[("billing",)] * 20)
    test = counted(("late;refund",), ("late;lost",), file="b.csv")
    several, unknown, *typos = audit_labels(
        {"train": train, "test": test}, in_natural_order(train.counts), fixed=False, separator=""
    )
    assert several.code == "several-labels"
    assert str(unknown) == "b.csv:3: label 'lost' (1 row in test) is not among the training labels"
    assert [each.code for each in typos] == ["label-typo", "small-class"]
    assert "bililng (1, line 73), refnud (1, line 32)" in typos[1].message


def test_listed_labels_are_an_error_unless_the_joined_ones_are_listed_too() -> None:
    labels = ["billing", "refund", "late"]
    (problem,) = found(counted(*JOINED), labels=labels)
    assert (problem.code, problem.severity) == ("several-labels", "error")
    meant = [*labels, "billing;refund", "refund;late", "late;billing"]
    assert found(counted(*JOINED), labels=meant) == []


def test_parting_counts_each_row_once() -> None:
    parted = counted(("a;b",), ("b;a",), ("a; a",)).parted(";")
    assert parted.counts == {"a": 3, "b": 2}
    assert parted.places["a"] == [("a.csv", 2), ("a.csv", 3), ("a.csv", 4)]
    assert (parted.rows, parted.most_in_a_row) == (3, 2)


def test_labels_that_a_model_does_not_know_are_one_warning() -> None:
    rows = counted(("pos",), ("postive",), ("meh",), ("meh",))
    assert unanswerable(rows, ["pos", "neg", "postive", "meh"]) == []
    (problem,) = unanswerable(rows, ["positive", "pos", "neg"])
    assert str(problem) == (
        "a.csv:3: 3 of 4 rows have a label that the model does not know, and count as wrong: "
        "'postive' (1; did you mean 'positive'?), 'meh' (2)"
    )
    assert places(problem) == ["a.csv:3: postive", "a.csv:4: meh", "a.csv:5: meh"]
    (one,) = unanswerable(counted(("x", "y"), ("a",)), ["a", "b"])
    assert one.message.startswith("1 of 2 rows has a label that the model does not know, and counts as wrong: 'x' (1)")


def test_many_unknown_labels_are_cut_short() -> None:
    (problem,) = unanswerable(counted(*[(f"label {n}",) for n in range(30)]), ["a", "b"])
    assert problem.message.endswith(", 'label 9' (1) and 20 more")
    assert len(problem.rows) == 30
