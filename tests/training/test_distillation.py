"""The objective of distillation: zero at the teacher itself, exact when a step is split, for every kind of head."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.models import families
from weitiao.models.batch import IGNORED, collate
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.records import Feature
from weitiao.tasks import TASKS
from weitiao.training.distillation import SOFT, Distillation

PAIRS = [(0, 0), (1, 1)]


def pair(family: str = "bert", kind: Any = "mean", **options: Any) -> tuple[Network, Network]:
    """A teacher and a student of other weights, in evaluation mode."""
    teacher, student = (families.network(family, kind, seed=seed, **options) for seed in (1, 2))
    return families.lively(teacher).eval(), families.lively(student, 0.2).eval()


@pytest.mark.parametrize(
    ("family", "kind"), [("bert", "mean"), ("bert", "stock"), ("xlnet", "mean"), ("gpt2", "stock")]
)
def test_the_teacher_is_nothing_from_itself(family: str, kind: str) -> None:
    teacher, student = pair(family, kind)
    batch = collate(families.features(family, 5), teacher.spec.pad_id)
    objective = Distillation(teacher, PAIRS, gold=0.0)
    assert float(objective(teacher, batch).total.detach()) == pytest.approx(0.0, abs=1e-5)
    apart = objective.apart(student, batch)
    assert (apart["soft"] > 0).all() and (apart["hidden"] > 0).all()


def test_answers_are_compared_at_the_temperature() -> None:
    teacher, student = pair()
    batch = collate(families.features("bert", 4), teacher.spec.pad_id)
    own, theirs = (each.outputs(batch)["logits"] for each in (student, teacher))
    expected = F.kl_div((own / 3).log_softmax(-1), (theirs / 3).softmax(-1), reduction="none").sum(-1) * 9
    got = Distillation(teacher, PAIRS, temperature=3.0).apart(student, batch)["soft"]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("family", "kind"), [("bert", "mean"), ("bert", "stock"), ("xlnet", "mean"), ("t5", "mean")])
def test_a_row_counts_the_same_alone_and_among_others(family: str, kind: str) -> None:
    teacher, student = pair(family, kind)
    rows = families.features(family, 6)
    rows[2] = replace(rows[2], targets={})  # unlabelled
    objective = Distillation(teacher, PAIRS)
    whole = objective(student, collate(rows, teacher.spec.pad_id))
    parts = [objective(student, collate([row], teacher.spec.pad_id)) for row in rows]
    assert float(whole.weight) == 6 == sum(float(each.weight) for each in parts)
    assert float(whole.total.detach()) == pytest.approx(sum(float(each.total.detach()) for each in parts), rel=1e-4)


@pytest.mark.parametrize(
    ("task", "labels", "options"),
    [("classify", ["a", "b"], {}), ("tag", ["A", "B"], {}), ("tag", ["A", "B"], {"crf": True}),
     ("intent_slot", ["intent:go", "intent:stay", "slot:city"], {})],
)  # fmt: skip
def test_gold_labels_count_the_same_however_a_step_is_split(
    task: str, labels: list[str], options: dict[str, Any]
) -> None:
    own = TASKS[task](TASKS[task].options_model(**options))
    spec = NetworkSpec(own.head, "mean" if task == "intent_slot" else "stock", list(own.classes(labels)),
                       options=dict(own.head_options()), dropout=0.0)  # fmt: skip
    teacher, student = (families.lively(build(families.folder("bert"), spec), spread).eval() for spread in (0.1, 0.2))
    rows = [marked(task, row, number) for number, row in enumerate(families.features("bert", 6))]
    assert len({len(row) for row in rows}) > 2
    objective = Distillation(teacher, PAIRS, gold=3.0)
    whole = objective(student, collate(rows, 0))
    parts = [objective(student, collate([row], 0)) for row in rows]
    assert float(whole.weight) == 6 == sum(float(each.weight) for each in parts)
    assert float(whole.total.detach()) == pytest.approx(sum(float(each.total.detach()) for each in parts), rel=1e-6)


def marked(task: str, row: Feature, number: int) -> Feature:
    """The row with targets of the task, its units all tokens between the first and the last."""
    units = np.arange(1, len(row) - 1)
    labels = np.full(len(row), IGNORED)
    labels[units] = (units + number) % 3
    targets = {
        "classify": {"labels": np.array(number % 2)},
        "tag": {"labels": labels},
        "intent_slot": {"labels": labels, "intents": np.array(number % 2)},
    }[task]
    return replace(row, targets=targets, places={} if task == "classify" else {"tokens": units})


def test_rows_without_a_label_learn_from_the_teacher_alone() -> None:
    teacher, student = pair()
    row = families.features("bert", 1)[0]
    bare = [collate([each], 0) for each in (row, replace(row, targets={}))]
    both = [float(Distillation(teacher, PAIRS)(student, each).total.detach()) for each in bare]
    gold = float(student.loss(bare[0]).total.detach())
    assert both[0] == pytest.approx(both[1] + gold, rel=1e-5) and gold > 0


def test_several_labels_are_odds_of_each() -> None:
    teacher, student = pair(options={"multi_label": True})
    batch = collate([replace(row, targets={}) for row in families.features("bert", 3)], 0)
    objective = Distillation(teacher, PAIRS, temperature=1.0)
    assert objective.kinds == {"logits": "odds"}
    own, theirs = (each.outputs(batch)["logits"] for each in (student, teacher))
    cross = F.binary_cross_entropy_with_logits(own, theirs.sigmoid(), reduction="none")
    entropy = F.binary_cross_entropy_with_logits(theirs, theirs.sigmoid(), reduction="none")
    torch.testing.assert_close(
        objective.apart(student, batch)["soft"], (cross - entropy).mean(-1), atol=1e-5, rtol=1e-4
    )


def test_heads_that_say_what_they_chose_are_left_out() -> None:
    assert {"span", "event", "parse"}.isdisjoint(SOFT)
