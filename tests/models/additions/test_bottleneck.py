"""Where adapters stand, and that a model with new ones answers as its base."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.models.families import FAMILIES, features, lively, network
from weitiao.errors import Refused
from weitiao.models.additions.bottleneck import Bottleneck, residual_outputs
from weitiao.models.inference import infer
from weitiao.models.network import Network

OPTIONS = {"placement": "houlsby", "reduction": 4, "nonlinearity": "gelu"}

# Read in each family's code: what the last layer of each stack adds to the residual, in the order of running.
ADDED = {
    "albert": [["attention.dense", "ffn_output"]],
    "bart": [["self_attn.out_proj", "fc2"], ["self_attn.out_proj", "encoder_attn.out_proj", "fc2"]],
    "bert": [["attention.output.dense", "output.dense"]],
    "deberta-v2": [["attention.output.dense", "output.dense"]],
    "distilbert": [["attention.out_lin", "ffn.lin2"]],
    "electra": [["attention.output.dense", "output.dense"]],
    "gpt2": [["attn.c_proj", "mlp.c_proj"]],
    "llama": [["self_attn.o_proj", "mlp.down_proj"]],
    "modernbert": [["attn.Wo", "mlp.Wo"]],
    "roberta": [["attention.output.dense", "output.dense"]],
    "t5": [["layer.0.SelfAttention.o", "layer.1.DenseReluDense.wo"],
           ["layer.0.SelfAttention.o", "layer.1.EncDecAttention.o", "layer.2.DenseReluDense.wo"]],
    "xlm-roberta": [["attention.output.dense", "output.dense"]],
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_the_residual_is_found_in_every_family(family: str) -> None:
    net = network(family)
    found = residual_outputs(net)
    assert len(found) == sum(len(stack) for stack in net.stacks)
    names = {module: name for name, module in net.named_modules()}
    start = 0
    for stack, expected in zip(net.stacks, ADDED[family], strict=True):
        for index in range(len(stack)):
            prefix = f"{stack.prefix}.{index}."
            inner = "albert_layers.0." if family == "albert" else ""
            assert [names[each] for each in found[start + index]] == [prefix + inner + each for each in expected]
        start += len(stack)


def test_finding_it_leaves_no_trace() -> None:
    net = network("bert", dropout=0.5).train()
    net.requires_grad_(False)
    state = torch.random.get_rng_state()
    residual_outputs(net)
    assert torch.equal(state, torch.random.get_rng_state())
    assert all(module.training for module in net.modules())
    assert not any(value.requires_grad or value.grad is not None for value in net.parameters())
    assert not any(module._forward_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("family", "placement"), [*((family, "houlsby") for family in FAMILIES), ("bert", "pfeiffer"), ("t5", "pfeiffer")]
)
def test_new_adapters_change_nothing_and_no_name(family: str, placement: str) -> None:
    net = lively(network(family))
    rows, names = features(family, 4), [name for name, _parameter in net.named_parameters()]
    sublayers = sum(len(each) for each in residual_outputs(net))
    before = infer(net, rows)
    net.insert("bottleneck", {**OPTIONS, "placement": placement})
    assert [name for name, _parameter in net.named_parameters() if name not in net.inserted] == names
    for first, second in zip(before, infer(net, rows), strict=True):
        np.testing.assert_array_equal(first["logits"], second["logits"])
    count = sum("bottleneck.up.weight" in name for name in net.inserted)
    assert count == (sublayers if placement == "houlsby" else sum(len(stack) for stack in net.stacks))


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_an_adapter_adds_to_what_its_module_gives(family: str) -> None:
    net = lively(network(family))
    module = residual_outputs(net)[0][0]
    before = torch.randn(1, 3, 32)
    plain = module(before)
    net.insert("bottleneck", OPTIONS)
    adapter = module.get_submodule("bottleneck")
    assert isinstance(adapter, Bottleneck)
    with torch.no_grad():
        adapter.up.weight.normal_()
        adapter.up.bias.normal_()
    torch.testing.assert_close(module(before), plain + adapter.up(nn.functional.gelu(adapter.down(plain))))


def test_layers_without_such_modules_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As XLNet's attention, whose output comes from a bare weight."""

    def lonely(net: Network) -> list[list[nn.Module]]:
        return [each[-1:] for each in residual_outputs(net)]

    net = network("bert")
    monkeypatch.setattr("weitiao.models.additions.bottleneck.residual_outputs", lonely)
    with pytest.raises(Refused, match="the layers of the family 'bert' have no linear module before the residual"):
        net.insert("bottleneck", OPTIONS)
    net.insert("bottleneck", {**OPTIONS, "placement": "pfeiffer"})
