"""Gradual unfreezing: when each part begins to learn, and that it does not learn before."""

from __future__ import annotations

import pytest
import torch

from tests.models.families import FAMILIES, features, network
from tests.training.fits import weights
from weitiao.methods.gradual import Gradual, starts
from weitiao.methods.part_options import GradualOptions
from weitiao.models.batch import collate
from weitiao.models.network import Network

STEPS = 12


def learning(net: Network) -> set[str]:
    return {name for name, value in net.named_parameters() if value.requires_grad}


@pytest.mark.parametrize("kind", ["stock", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_goes_down_layer_by_layer(family: str, kind: str) -> None:
    net = network(family, kind)  # type: ignore[arg-type]
    method = Gradual(GradualOptions(every=0.125))
    method.apply(net, 80)
    everything = {name for name, _value in net.named_parameters()}
    assert learning(net) == everything  # the optimiser is made of what learns now
    layers = [f"{stack.prefix}.{index}." for stack in net.stacks for index in range(len(stack))]
    embedded = set(net.below(0).parameters)
    above = {name for name in everything if not name.startswith(tuple(layers))} - embedded
    for count in range(len(layers) + 1):
        method.before_step(net, 10 * count)
        unfrozen = tuple(layers[len(layers) - count :])
        assert learning(net) - embedded == above | {name for name in everything if name.startswith(unfrozen)} - embedded
        assert not learning(net) & {name for name in embedded if not name.startswith(unfrozen)}
    method.before_step(net, 10 * (len(layers) + 1))
    assert learning(net) == everything


def test_by_default_everything_learns_by_half_of_it() -> None:
    assert starts(14, GradualOptions().share(12), 200)[-1] == 100
    assert starts(4, GradualOptions().share(2), 1) == [0, 0, 0, 0]
    assert starts(4, 0.1, 100) == [0, 10, 20, 30]


def test_what_does_not_learn_yet_does_not_move() -> None:
    net = network("bert").train()
    method = Gradual(GradualOptions())
    method.apply(net, STEPS)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.1)
    start = weights(net)
    for step in range(STEPS):
        method.before_step(net, step)
        frozen = {name for name, value in net.named_parameters() if not value.requires_grad}
        net.loss(collate(features("bert"), net.spec.pad_id)).total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
        assert all(torch.equal(value, start[name]) for name, value in net.named_parameters() if name in frozen)
    assert not frozen
    assert not any(torch.equal(value, start[name]) for name, value in net.named_parameters())
