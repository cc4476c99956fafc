"""Frozen parts stand still and run without dropout; the rest learns."""

import pytest
import torch
from torch import nn

from tests.models.families import FAMILIES, features, network
from weitiao.errors import Refused
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.methods.freeze import Freeze, LinearProbe
from weitiao.methods.options import FreezeOptions, HeadOptions
from weitiao.models.batch import collate


@pytest.mark.parametrize("kind", ["stock", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", [name for name in METHODS if name != "zero_shot"])  # of which nothing learns
def test_what_learns_moves_and_what_is_frozen_does_not(name: str, family: str, kind: str) -> None:
    net = network(family, kind, dropout=0.1)  # type: ignore[arg-type]
    METHODS[name](METHOD_OPTIONS[name]()).apply(net, 5)
    before = {key: value.detach().clone() for key, value in net.named_parameters()}
    optimiser = torch.optim.SGD([value for value in net.parameters() if value.requires_grad], lr=1.0)
    rows = features(family)
    net.train()
    for _step in range(3):
        loss = net.loss(collate(rows, net.spec.pad_id))
        (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
    for key, value in net.named_parameters():
        moved = not torch.equal(value, before[key])
        if not value.requires_grad:
            assert not moved, key
        elif not key.endswith(KEY_BIASES):
            assert moved, key


# A softmax does not see a constant, so the gradient of keys' biases is zero but for rounding.
KEY_BIASES = ("key.bias", "k_lin.bias", "k_proj.bias")

# What a reader of each family's code finds between the tokens and the first layer of the stack that reads the text.
EMBEDDED = {
    "bert": {"embeddings"}, "distilbert": {"embeddings"}, "roberta": {"embeddings"}, "modernbert": {"embeddings"},
    "electra": {"embeddings", "embeddings_project"}, "albert": {"embeddings", "encoder.embedding_hidden_mapping_in"},
    "deberta-v2": {"embeddings", "encoder.rel_embeddings", "encoder.LayerNorm"},
    "gpt2": {"wte", "wpe"}, "llama": {"embed_tokens"}, "t5": {"embed_tokens"},
    "bart": {"embed_tokens", "embed_positions", "layernorm_embedding"},
}  # fmt: skip


@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_freeze_stops_what_runs_before_the_layer_and_nothing_else(family: str, layers: int) -> None:
    net = network(family, "mean")
    depth = min(layers, len(net.stack))  # ALBERT's layers are one and the same
    Freeze(FreezeOptions(layers=depth)).apply(net, 1)
    lists = [f"{net.stack.prefix.removeprefix('backbone.')}.{index}" for index in range(depth)]
    expected = tuple(f"backbone.{part}." for part in [*EMBEDDED[family], *lists])
    got = {name for name, value in net.named_parameters() if not value.requires_grad}
    assert got == {name for name, _value in net.named_parameters() if name.startswith(expected)}
    assert all(any(name.startswith(prefix) for name in got) for prefix in expected)


@pytest.mark.parametrize("kind", ["stock", "mean"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", [Freeze(FreezeOptions(layers=1)), LinearProbe(HeadOptions())])
def test_the_frozen_part_runs_without_dropout(method: Freeze | LinearProbe, family: str, kind: str) -> None:
    net = network(family, kind, dropout=0.5)  # type: ignore[arg-type]
    method.apply(net, 1)
    net.train()
    reached: list[torch.Tensor] = []
    net.stack.layers[net.frozen_below - 1].register_forward_hook(
        lambda _layer, _args, output: reached.append(output[0] if isinstance(output, tuple) else output)
    )
    batch = collate(features(family), net.spec.pad_id)
    net.outputs(batch)
    once = len(reached)  # ALBERT goes through its layer again and again
    net.outputs(batch)
    assert all(torch.equal(first, second) for first, second in zip(reached[:once], reached[once:], strict=True))


def test_what_learns_above_the_frozen_part_has_its_dropout() -> None:
    net = network("bert", dropout=0.5)
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    batch = collate(features("bert"), net.spec.pad_id)
    net.train()
    rates = {module.p for module in net.stack.layers[1].modules() if isinstance(module, nn.Dropout) and module.training}
    assert rates == {0.5}
    assert not torch.equal(net.outputs(batch)["logits"], net.outputs(batch)["logits"])


def test_finding_what_is_below_leaves_no_trace() -> None:
    net = network("bert", dropout=0.5).train()
    net.get_parameter("backbone.classifier.bias").requires_grad_(False)
    net.backbone.get_submodule("bert.pooler").eval()
    state = torch.random.get_rng_state()
    before = [module.training for module in net.modules()], [value.requires_grad for value in net.parameters()]
    net.below(1)
    assert before == ([module.training for module in net.modules()], [v.requires_grad for v in net.parameters()])
    assert torch.equal(state, torch.random.get_rng_state())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_freeze_covers_embeddings_and_the_first_layers() -> None:
    net = network("bert")
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    learns = {name for name, value in net.named_parameters() if value.requires_grad}
    assert all(".layer.1." in name or "pooler" in name or "classifier" in name for name in learns)
    assert any("pooler" in name for name in learns)


def test_more_layers_than_the_model_has_are_refused() -> None:
    with pytest.raises(Refused, match=r"method\.layers is 9, but the model has 2 layers; give 0 to 2"):
        Freeze(FreezeOptions(layers=9)).apply(network("bert"), 1)
