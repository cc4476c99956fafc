"""Fast dropout is dropout: the right rate, fresh and independent masks, and the right gradient."""

import math

import pytest
import torch

from weitiao.models.dropout import FastDropout, use_fast_dropout


def dropped(rate: float, shape: tuple[int, ...], seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return FastDropout(rate).train()(torch.ones(shape)) == 0


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.5, 0.9])
def test_the_rate_is_right(rate: float) -> None:
    count = 400_000
    share = dropped(rate, (count,), seed=3).double().mean().item()
    assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / count) + 2**-16


def test_kept_entries_are_scaled_so_that_the_mean_stays() -> None:
    torch.manual_seed(0)
    kept = FastDropout(0.25).train()(torch.ones(1000))
    assert sorted(kept.unique().tolist()) == pytest.approx([0.0, 1 / 0.75])


def test_masks_are_fresh_for_every_call_and_independent_of_each_other() -> None:
    torch.manual_seed(0)
    layer = FastDropout(0.5).train()
    masks = torch.stack([layer(torch.ones(20_000)) for _ in range(4)]) > 0
    correlation = torch.corrcoef(masks.double())
    off_diagonal = correlation[~torch.eye(4, dtype=torch.bool)]
    assert off_diagonal.abs().max() < 5 / math.sqrt(20_000)


def test_neighbouring_entries_and_rows_are_independent() -> None:
    mask = dropped(0.1, (300, 400), seed=1).double()
    for left, right in ((mask[:, :-1], mask[:, 1:]), (mask[:-1], mask[1:])):
        pair = torch.corrcoef(torch.stack([left.flatten(), right.flatten()]))
        assert abs(pair[0, 1]) < 5 / math.sqrt(left.numel())


def test_manual_seed_repeats_the_masks() -> None:
    assert torch.equal(dropped(0.3, (50, 50), seed=7), dropped(0.3, (50, 50), seed=7))
    assert not torch.equal(dropped(0.3, (50, 50), seed=7), dropped(0.3, (50, 50), seed=8))


def test_the_gradient_goes_through_the_same_mask() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(64, 32, requires_grad=True)
    output = FastDropout(0.4).train()(hidden)
    output.sum().backward()
    assert hidden.grad is not None
    torch.testing.assert_close(output, hidden.detach() * hidden.grad)


def test_gradient_checkpointing_repeats_the_mask() -> None:
    layer = FastDropout(0.4).train()
    hidden = torch.randn(64, requires_grad=True)
    torch.manual_seed(5)
    output = torch.utils.checkpoint.checkpoint(layer, hidden, use_reentrant=False)
    output.sum().backward()
    assert hidden.grad is not None
    assert torch.equal(hidden.grad == 0, output == 0)


def test_evaluation_and_rate_zero_change_nothing() -> None:
    hidden = torch.randn(10)
    assert FastDropout(0.5).eval()(hidden) is hidden
    assert FastDropout(0.0).train()(hidden) is hidden


def test_every_dropout_layer_is_replaced_in_place() -> None:
    module = torch.nn.Sequential(
        torch.nn.Dropout(0.2), torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout(0.3))
    )
    use_fast_dropout(module)
    rates = [child.p for child in module.modules() if isinstance(child, FastDropout)]
    assert rates == [0.2, 0.3]
    assert not [child for child in module.modules() if type(child) is torch.nn.Dropout]
