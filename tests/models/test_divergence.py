"""How far apart two answers are, of every head that says so: nothing where they agree, and a sum over rows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads import HEADS, HeadSpec

ROWS, TOKENS = 4, 5
TAGS = torch.tensor([[0, 1, 2, 1, IGNORED], [2, IGNORED, 0, IGNORED, IGNORED], [1, 1, 1, 1, 1], [0, 0, 0, IGNORED, 2]])
LABELS, SEVERAL = torch.tensor([0, 2, 1, 0]), torch.tensor([[1.0, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]])
INTENTS = ["intent:a", "intent:b", "O", "B-s", "I-s"]
UNEVEN = torch.tensor([1.0, 3.0, 0.5])
Case = tuple[str, HeadSpec, dict[str, tuple[int, ...]], dict[str, Tensor]]
ROW, TOKEN, POINT = {"logits": (3,)}, {"logits": (TOKENS, 3)}, {"start": (TOKENS,), "end": (TOKENS,)}
CASES: list[Case] = [
    ("classify", HeadSpec("abc"), ROW, {"labels": LABELS}),
    ("classify", HeadSpec("abc", class_weights=UNEVEN), ROW, {"labels": LABELS}),
    ("classify", HeadSpec("abc", options={"multi_label": True}), ROW, {"labels": SEVERAL}),
    ("relate", HeadSpec("abc", size=4), ROW, {"labels": LABELS}),
    ("tag", HeadSpec("abc"), TOKEN, {"labels": TAGS}),
    ("tag", HeadSpec("abc", class_weights=UNEVEN), TOKEN, {"labels": TAGS}),
    ("intent_slot", HeadSpec(INTENTS, size=4), {"intents": (2,), **TOKEN}, {"intents": LABELS % 2, "labels": TAGS}),
    ("answer", HeadSpec("se"), POINT, {"start": LABELS, "end": LABELS}),
    ("score", HeadSpec("s", options={"loss": "mse"}), {"logits": (1,)}, {"score": LABELS.float()}),
    ("score", HeadSpec("s", options={"loss": "bce"}), {"logits": (1,)}, {"score": SEVERAL[:, 0]}),
]


def batch_of(targets: dict[str, Tensor], rows: slice = slice(None)) -> Batch:
    lengths = torch.tensor([5, 4, 5, 5])[rows]
    weight = torch.tensor([1.0, 1.0, 0.0 if "start" in targets else 1.0, 1.0])[rows]
    return Batch({}, {name: each[rows] for name, each in targets.items()}, weight, lengths, range(len(lengths)))


@pytest.mark.parametrize(("name", "spec", "outputs", "targets"), CASES)
def test_it_is_a_sum_over_rows_and_nothing_where_both_agree(
    name: str, spec: HeadSpec, outputs: dict[str, tuple[int, ...]], targets: dict[str, Tensor]
) -> None:
    torch.manual_seed(0)
    head: Any = HEADS[name].of(spec)
    first, second = ({key: torch.randn(ROWS, *size) for key, size in outputs.items()} for _pass in range(2))
    whole = head.divergence(first, second, batch_of(targets))
    assert whole > 0.01
    assert head.divergence(first, first, batch_of(targets)) == 0
    torch.testing.assert_close(head.divergence(second, first, batch_of(targets)), whole)
    parts = []
    for row in range(ROWS):
        one, other = ({key: each[row : row + 1] for key, each in found.items()} for found in (first, second))
        parts.append(head.divergence(one, other, batch_of(targets, slice(row, row + 1))))
    torch.testing.assert_close(sum(parts), whole)


@pytest.mark.parametrize(
    ("name", "spec", "outputs", "targets"), [each for each in CASES if each[0] in ("tag", "intent_slot", "answer")]
)
def test_what_no_target_asks_for_takes_no_part(
    name: str, spec: HeadSpec, outputs: dict[str, tuple[int, ...]], targets: dict[str, Tensor]
) -> None:
    """Padding, tokens that open no unit, and rows without a target."""
    torch.manual_seed(0)
    head: Any = HEADS[name].of(spec)
    first, second = ({key: torch.randn(ROWS, *size) for key, size in outputs.items()} for _pass in range(2))
    changed = {key: each.clone() for key, each in second.items()}
    if name in ("tag", "intent_slot"):
        changed["logits"][TAGS == IGNORED] = 9.0
    else:
        changed["start"][1, 4:] = 9.0
        changed["end"][2] = 9.0
    batch = batch_of(targets)
    torch.testing.assert_close(head.divergence(first, changed, batch), head.divergence(first, second, batch))
