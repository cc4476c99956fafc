"""bf16: a training step under autocast, with dropout and packing, stays close to the same step in fp32."""

from __future__ import annotations

import pytest
import torch

from tests.models.families import features, gradients_of, network
from weitiao.models.batch import collate
from weitiao.models.network import Network


def step(net: Network, *, bf16: bool) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one step, as the loop takes it: forward under autocast, backward outside."""
    batch = collate(features("bert"), net.spec.pad_id)
    assert net._packing(batch) is not None
    net.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = net.loss(batch)
    (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
    return float((loss.total / loss.weight).detach()), gradients_of(net)


def angle(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> float:
    """Cosine between all gradients, as one vector."""
    assert left.keys() == right.keys()
    one, other = (torch.cat([each[name].flatten() for name in left]) for each in (left, right))
    return float(torch.cosine_similarity(one, other, dim=0))


@pytest.mark.parametrize("kind", ["stock", "mean"])
def test_a_step_in_bf16_is_close_to_one_in_fp32(kind: str) -> None:
    net = network("bert", kind, dropout=0.0).train()  # type: ignore[arg-type]
    exact, gradients = step(net, bf16=False)
    rounded, again = step(net, bf16=True)
    assert rounded == pytest.approx(exact, rel=0.02)
    assert angle(again, gradients) > 0.99
    assert all(value.dtype == torch.float32 for value in again.values())


@pytest.mark.parametrize("kind", ["stock", "mean"])
def test_with_dropout_too(kind: str) -> None:
    """The masks are other ones, so gradients are compared over the mean of many steps."""
    net = network("bert", kind, dropout=0.1).train()  # type: ignore[arg-type]
    sums: list[dict[str, torch.Tensor]] = []
    for bf16 in (False, True):
        torch.manual_seed(0)
        steps = [step(net, bf16=bf16) for _each in range(24)]
        assert all(torch.isfinite(torch.tensor(loss)) for loss, _gradients in steps)
        assert all(bool(value.isfinite().all()) for _loss, each in steps for value in each.values())
        sums.append({name: sum(each[name] for _loss, each in steps) for name in steps[0][1]})  # type: ignore[misc]
    assert angle(sums[1], sums[0]) > 0.9
