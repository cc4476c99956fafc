"""The rules of `method: auto`: which method a situation gives, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weitiao.methods.auto import PATIENCE, RULES, Situation, propose

KNOWN = ("contrastive", "freeze", "full", "head", "lora")


def situation(**changes: Any) -> Situation:
    plain: dict[str, Any] = {
        "task": "classify", "rows": 4000, "labels_a_class": 2000, "embedding": False, "seconds": 60.0,
    }  # fmt: skip
    return Situation(**{**plain, **changes})


def first(**changes: Any) -> tuple[str, str]:
    taken = next(propose(situation(**changes), KNOWN))
    return taken.method, taken.reason


def test_many_labels_and_enough_time_train_everything() -> None:
    reason = "to train every parameter takes about 1 min 00 s, and there are 1 h 00 min"
    assert first() == ("full", reason)


@pytest.mark.parametrize(("labels", "method"), [(8, "contrastive"), (16, "contrastive"), (17, "full")])
def test_few_labels_and_an_embedding_model_learn_from_pairs(labels: int, method: str) -> None:
    taken, reason = first(labels_a_class=labels, embedding=True)
    assert taken == method
    assert (reason == f"{labels} labels a class are at most 16, and the model is an embedding model") is (labels <= 16)


def test_pairs_of_labels_need_an_embedding_model_and_classes() -> None:
    assert first(labels_a_class=8)[0] == "full"
    assert first(labels_a_class=8, embedding=True, task="tag")[0] == "full"


def test_pairs_that_would_take_too_long_are_passed_over() -> None:
    assert first(labels_a_class=8, embedding=True, times={"contrastive": PATIENCE + 1})[0] == "full"
    assert first(labels_a_class=8, embedding=True, times={"contrastive": PATIENCE})[0] == "contrastive"
    assert first(labels_a_class=8, embedding=True, times={"contrastive": 90.0}, allowed=60.0)[0] == "full"


def test_time_decides_where_labels_are_many() -> None:
    assert first(seconds=PATIENCE + 1)[0] == "freeze"
    assert first(seconds=PATIENCE + 1, allowed=2 * PATIENCE)[0] == "full"
    assert first(seconds=200.0, allowed=120.0) == (
        "freeze",
        "to train every parameter would take about 3 min 20 s, and there are 2 min 00 s",
    )


def test_a_method_that_is_not_there_is_passed_over() -> None:
    taken = next(propose(situation(labels_a_class=8, embedding=True), ("freeze", "full")))
    assert taken.method == "full"


def test_some_rule_always_fits() -> None:
    assert RULES[-1].fits(situation(labels_a_class=0, rows=0, seconds=1e9))


def test_the_page_shows_every_rule_as_it_is(repository: Path) -> None:
    page = (repository / "docs" / "choosing.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 6]
    shown = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]
    assert shown == [
        [
            f"`{rule.method}`",
            "any" if rule.labels is None else f"at most {rule.labels}",
            ", ".join(sorted(rule.tasks)) or "all",
            "an embedding model" if rule.embedding else "any",
            "full would take too long" if rule.slow else "its own plan fits" if rule.within else "any",
        ]
        for rule in RULES
    ]
    assert f"{PATIENCE / 60:.0f} minutes" in page
