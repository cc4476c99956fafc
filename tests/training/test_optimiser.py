"""Which parameter learns how fast, what is decayed, and what clipping does to the gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.models.families import network as made_network
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.models.tiny import FAMILIES, tiny
from weitiao.training.optimiser import OptimiserSpec, clip, make_optimiser, undecayed_names

LABELS = ("bad", "good", "so-so")


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    folder = tiny(request.param, tmp_path_factory.mktemp("model") / request.param, layers=2)
    return build(folder, NetworkSpec("classify", "stock", LABELS))


def groups_of(network: Network, spec: OptimiserSpec) -> dict[str, dict[str, Any]]:
    """The group of each parameter by its name."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = make_optimiser(network, spec).param_groups
    return {names[id(parameter)]: group for group in groups for parameter in group["params"]}


def test_every_parameter_learns_once_and_biases_and_norms_are_not_decayed(network: Network) -> None:
    found = groups_of(network, OptimiserSpec(weight_decay=0.1))
    assert set(found) == {name for name, _parameter in network.named_parameters()}
    for name, parameter in network.named_parameters():
        thin = parameter.ndim < 2  # biases and norms are vectors, whatever a family calls them
        if name.endswith("bias") or (thin and "norm" in name.lower()) or (thin and ".ln_" in name):
            assert found[name]["weight_decay"] == 0, name
        if parameter.ndim >= 2 and not name.endswith("bias"):
            assert found[name]["weight_decay"] == 0.1, name


def test_layers_learn_the_slower_the_lower_they_are(network: Network) -> None:
    spec = OptimiserSpec(learning_rate=1e-3, layer_decay=0.5)
    rates = {name: group["lr"] for name, group in groups_of(network, spec).items()}
    depth = len(network.stack)
    for name, rate in rates.items():
        layers = [found for stack in network.stacks if (found := stack.depth_of(name)) is not None]
        if name in network.head_parameters():
            assert rate == 1e-3, name
        elif layers:
            assert rate == pytest.approx(1e-3 * 0.5 ** (depth - 1 - layers[0])), name
    below = [rates[name] for name in rates if any(name.startswith(f"{each}.") for each in network.before_stack())]
    assert below
    assert below == pytest.approx([1e-3 * 0.5**depth] * len(below))


def test_the_head_has_a_rate_of_its_own(network: Network) -> None:
    rates = {name: group["peak"] for name, group in groups_of(network, OptimiserSpec(head_learning_rate=7e-3)).items()}
    assert {rates[name] for name in network.head_parameters()} == {7e-3}
    assert {rate for name, rate in rates.items() if name not in network.head_parameters()} == {5e-5}


def test_what_does_not_learn_is_in_no_group(network: Network) -> None:
    frozen = next(iter(network.before_stack()))
    module: nn.Module = network.get_submodule(frozen)
    try:
        module.requires_grad_(False)
        assert not any(name.startswith(f"{frozen}.") for name in groups_of(network, OptimiserSpec()))
    finally:
        module.requires_grad_(True)


def test_undecayed_names_are_found_by_the_kind_of_the_module() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.RMSNorm(3), nn.Embedding(4, 3))
    assert undecayed_names(module) == {"0.bias", "1.weight", "1.bias", "2.weight"}


@pytest.mark.parametrize(("limit", "after"), [(None, 5.0), (10.0, 5.0), (1.0, 1.0), (0.5, 0.5)])
def test_clipping_scales_all_gradients_to_one_norm(limit: float | None, after: float) -> None:
    grads = [torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])]
    assert clip(grads, limit) == pytest.approx(5.0)
    assert float(torch.cat([each.flatten() for each in grads]).norm()) == pytest.approx(after, rel=1e-5)
    assert grads[0][0] / grads[1][0, 0] == pytest.approx(0.75)


def test_gradients_that_are_not_finite_are_left_as_they_are() -> None:
    grads = [torch.tensor([float("inf")]), torch.tensor([1.0])]
    assert clip(grads, 1.0) == float("inf")
    assert grads[1].item() == 1.0


@pytest.mark.parametrize(("method", "scale"), [("ia3", "ia3_l"), ("lora", "lora_magnitude_vector")])
def test_scales_are_not_drawn_to_zero(method: str, scale: str) -> None:
    net = made_network("bert")
    options = METHOD_OPTIONS[method](**({"dora": True} if method == "lora" else {}))
    METHODS[method](options).apply(net, 10)
    found = {name: each["weight_decay"] for name, each in groups_of(net, OptimiserSpec(weight_decay=0.1)).items()}
    assert {each for name, each in found.items() if scale in name} == {0}
    assert 0.1 in found.values()
