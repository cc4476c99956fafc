"""The loss of intents and slots is the sum of torch's own, and neither padding nor neighbours change a row's share."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads import HeadSpec
from weitiao.models.heads.intent_slot import IntentSlotHead

CLASSES = ["intent:a", "intent:b", "intent:c", "O", "B-s", "I-s"]
TAGS = torch.tensor([[IGNORED, 0, 1, 2, IGNORED], [IGNORED, 1, IGNORED, IGNORED, IGNORED]])
LENGTHS = torch.tensor([5, 3])


def head_of(classes: list[str], **options: float) -> IntentSlotHead:
    torch.manual_seed(0)
    return IntentSlotHead.of(HeadSpec(classes, size=4, dropout=0.0, initializer_range=1.0, **options))


def batch_of(intents: Tensor, rows: slice = slice(None), padded: int = 5) -> Batch:
    tags = nn.functional.pad(TAGS, (0, padded - 5), value=IGNORED)[rows]
    mask = torch.arange(padded)[None] < LENGTHS[rows, None]
    targets = {"labels": tags, "intents": intents[rows]}
    return Batch({"attention_mask": mask.long()}, targets, torch.ones(len(tags)), LENGTHS[rows], range(len(tags)))


@pytest.fixture
def hidden() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(2, 5, 4)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_sum_of_both_cross_entropies(hidden: Tensor, smoothing: float) -> None:
    head, gold = head_of(CLASSES, label_smoothing=smoothing), torch.tensor([2, 0])
    batch = batch_of(gold)
    found = head.outputs(hidden, batch)
    each = nn.CrossEntropyLoss(label_smoothing=smoothing)
    expected = (
        each(found["intents"], gold)
        + (each(found["logits"][0, 1:4], TAGS[0, 1:4]) + each(found["logits"][1, 1:2], TAGS[1, 1:2])) / 2
    )
    loss = head.loss(hidden, batch)
    torch.testing.assert_close(loss.total / loss.weight, expected)
    torch.testing.assert_close(found["intents"][1], head.intents(hidden[1, :3].mean(0)))


def test_several_intents_are_independent(hidden: Tensor) -> None:
    head = head_of([each.replace("intent:", "intents:") for each in CLASSES])
    gold = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    batch = batch_of(gold)
    found = head.outputs(hidden, batch)
    chances = torch.sigmoid(found["intents"])
    expected = -torch.log(torch.where(gold > 0, chances, 1 - chances)).sum()
    tags = nn.functional.cross_entropy(found["logits"][0, 1:4], TAGS[0, 1:4])
    tags += nn.functional.cross_entropy(found["logits"][1, 1:2], TAGS[1, 1:2])
    loss = head.loss(hidden, batch)
    torch.testing.assert_close(loss.total, expected + tags)
    assert float(loss.weight) == 2


def test_rows_alone_and_together_with_more_padding_are_the_same(hidden: Tensor) -> None:
    head, gold = head_of(CLASSES), torch.tensor([2, 0])
    wide = nn.functional.pad(hidden, (0, 0, 0, 3), value=7.0)
    together = head.loss(wide, batch_of(gold, padded=8))
    alone = [head.loss(hidden[row : row + 1], batch_of(gold, slice(row, row + 1))) for row in range(2)]
    torch.testing.assert_close(together.total, alone[0].total + alone[1].total)
    assert float(together.weight) == sum(float(each.weight) for each in alone)


def test_without_targets_it_weighs_nothing(hidden: Tensor) -> None:
    batch = batch_of(torch.tensor([2, 0]))
    loss = head_of(CLASSES).loss(hidden, Batch(batch.inputs, {}, torch.zeros(2), LENGTHS, range(2)))
    assert (loss.total.item(), loss.weight.item()) == (0.0, 0.0)
