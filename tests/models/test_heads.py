"""The classification losses are torch's own, divided by the same numbers; rows without a target weigh nothing."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.heads.classify import LIGHTEST, ClassifyHead, mean_pool
from weitiao.records import SECOND

WEIGHTS = torch.tensor([0.5, 2.0, 7.0])


def batch_of(labels: Tensor, known: list[bool] | None = None) -> Batch:
    weight = torch.tensor([float(each) for each in known or [True] * len(labels)])
    return Batch({}, {"labels": labels}, weight, torch.ones(len(labels), dtype=torch.int64), range(len(labels)))


def mean_loss(head: ClassifyHead, logits: Tensor, batch: Batch) -> Tensor:
    loss = head.loss(logits, batch)
    return loss.total / loss.weight


@pytest.fixture
def logits() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(6, 3, requires_grad=True)


SINGLE = torch.tensor([0, 2, 1, 1, 0, 2])
MULTI = torch.tensor([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 0, 1]], dtype=torch.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_single_label_is_cross_entropy(logits: Tensor, weights: Tensor | None, smoothing: float) -> None:
    head = ClassifyHead(3, class_weights=weights, label_smoothing=smoothing)
    expected = nn.CrossEntropyLoss(weight=weights, label_smoothing=smoothing)(logits, SINGLE)
    torch.testing.assert_close(mean_loss(head, logits, batch_of(SINGLE)), expected)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_multi_label_is_binary_cross_entropy_with_weights_on_the_positives(
    logits: Tensor, weights: Tensor | None
) -> None:
    head = ClassifyHead(3, multi_label=True, class_weights=weights)
    expected = nn.BCEWithLogitsLoss(pos_weight=weights)(logits, MULTI)
    torch.testing.assert_close(mean_loss(head, logits, batch_of(MULTI)), expected)


def test_a_class_that_every_row_has_still_learns(logits: Tensor) -> None:
    """Balanced weights are negatives / positives, which is 0 for such a class."""
    head = ClassifyHead(3, multi_label=True, class_weights=torch.tensor([0.0, 1.0, 1.0]))
    head.loss(logits, batch_of(torch.ones(6, 3))).total.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and (logits.grad[:, 0] < 0).all()
    assert head.class_weights is not None and head.class_weights.tolist() == pytest.approx([LIGHTEST, 1.0, 1.0])


@pytest.mark.parametrize(("multi_label", "labels"), [(False, SINGLE), (True, MULTI)])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_rows_without_target_weigh_nothing(
    logits: Tensor, weights: Tensor | None, labels: Tensor, multi_label: bool
) -> None:
    head = ClassifyHead(3, multi_label=multi_label, class_weights=weights)
    known = [True, False, True, True, False, True]
    some = head.loss(logits, batch_of(labels, known))
    alone = head.loss(logits[known], batch_of(labels[known]))
    torch.testing.assert_close((some.total, some.weight), (alone.total, alone.weight))
    none = head.loss(logits, Batch({}, {}, torch.zeros(6), torch.ones(6, dtype=torch.int64), range(6)))
    assert (float(none.total.detach()), float(none.weight)) == (0.0, 0.0)


def test_mean_pooling_reads_real_tokens_only() -> None:
    hidden = torch.tensor([[[1.0], [3.0], [100.0]], [[2.0], [4.0], [9.0]]])
    inputs = {"attention_mask": torch.tensor([[1, 1, 0], [1, 1, 1]])}
    batch = Batch(inputs, {}, torch.zeros(2), torch.tensor([2, 3]), range(2))
    assert mean_pool(hidden, batch).tolist() == [[2.0], [5.0]]


def test_hidden_layers_have_their_widths_and_the_initial_spread() -> None:
    torch.manual_seed(0)
    head = ClassifyHead(3, pooled_size=64, hidden_layers=(48, 16), dropout=0.3, initializer_range=0.05)
    linears = [module for module in head.layers.modules() if isinstance(module, nn.Linear)]
    assert [(each.in_features, each.out_features) for each in linears] == [(64, 48), (48, 16), (16, 3)]
    assert float(linears[0].weight.detach().std()) == pytest.approx(0.05, rel=0.05)
    assert [module.p for module in head.layers.modules() if isinstance(module, nn.Dropout)] == [0.3, 0.3, 0.3]


def test_a_pair_is_read_together_and_apart() -> None:
    """The mean of all tokens, the distance of both texts' means, and their product, whatever the padding holds."""
    torch.manual_seed(0)
    head = ClassifyHead(3, pooled_size=4, pair=True).eval()
    hidden = torch.randn(2, 7, 4)
    ends, second = [7, 5], torch.tensor([[3, 6], [2, 4]])
    mask = torch.arange(7)[None] < torch.tensor(ends)[:, None]
    batch = Batch(
        {"attention_mask": mask.long()}, {}, torch.ones(2), torch.tensor(ends), (0, 1), places={SECOND: second}
    )
    read = head.pooled(hidden, batch)
    for row, (end, (begins, behind)) in enumerate(zip(ends, second.tolist(), strict=True)):
        first, last = hidden[row, :begins].mean(0), hidden[row, begins:behind].mean(0)
        whole = torch.cat([hidden[row, :end].mean(0), (first - last).abs(), first * last])
        torch.testing.assert_close(read[row], whole)
    torch.testing.assert_close(head.outputs(hidden, batch)["logits"], head.layers(read))
    hidden[1, 5:] = 9.0
    torch.testing.assert_close(head.pooled(hidden, batch), read)
