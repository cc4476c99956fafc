"""The stack is found in every family, layers are told by parameter name, and known layers are left out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.models.families import FAMILIES, network
from weitiao.models.stack import Stack, find_stacks, supplied

PREFIXES = {
    "bert": "bert.encoder.layer", "distilbert": "distilbert.transformer.layer", "roberta": "roberta.encoder.layer",
    "electra": "electra.encoder.layer", "gpt2": "transformer.h", "llama": "model.layers",
    "t5": "transformer.encoder.block", "bart": "model.encoder.layers", "modernbert": "model.layers",
    "xlm-roberta": "roberta.encoder.layer",
    "deberta-v2": "deberta.encoder.layer", "albert": "albert.encoder.albert_layer_groups",
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_the_stack_that_reads_the_text_comes_first(family: str) -> None:
    net = network(family)
    assert net.stack.prefix == f"backbone.{PREFIXES[family]}"
    assert len(net.stack) == (1 if family == "albert" else 2)
    assert [stack.prefix.replace("decoder", "encoder") for stack in net.stacks] == [
        net.stack.prefix for _each in net.stacks
    ]
    assert len(net.stacks) == (2 if family in {"t5", "bart"} else 1)


def test_depth_is_told_by_name() -> None:
    stack = Stack(nn.ModuleList([nn.Linear(1, 1) for _each in range(12)]), "backbone.encoder.layer")
    assert stack.depth_of("backbone.encoder.layer.0.weight") == 0
    assert stack.depth_of("backbone.encoder.layer.11.weight") == 11
    assert stack.depth_of("backbone.encoder.layernorm.weight") is None
    assert stack.depth_of("backbone.embeddings.weight") is None


def test_lists_inside_layers_and_small_lists_are_no_stacks() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)])

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.heads = nn.ModuleList([nn.Linear(2, 2)])
            self.mixed = nn.ModuleList([nn.Linear(50, 50), nn.GELU()])
            self.layers = nn.ModuleList([Layer(), Layer()])

    assert [stack.prefix for stack in find_stacks(Model())] == ["layers"]


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_supplied_layers_are_left_out_and_put_back(first: int) -> None:
    layers = nn.ModuleList([nn.Linear(4, 4) for _each in range(3)])
    stack, own, known = Stack(layers, "layers"), list(layers), torch.randn(1, 5, 4)
    expected = known if first else torch.zeros(1, 5, 4)
    for layer in own[first:]:
        expected = layer(expected)
    with supplied(stack, first, known):
        hidden = torch.zeros(1, 5, 4)
        for layer in layers:
            hidden = layer(hidden)
    assert torch.equal(hidden, expected)
    with pytest.raises(ZeroDivisionError), supplied(stack, first, known):
        raise ZeroDivisionError
    assert all(left is right for left, right in zip(layers, own, strict=True))
