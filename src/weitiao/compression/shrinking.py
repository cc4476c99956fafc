"""Taking layers, feed-forward channels and attention heads out of a network: its tensors become smaller.

What is kept is named by its places; the config says what is left, so that what is saved opens as any model does.

Notation: H hidden, I channels of a feed-forward part, A heads, D width of a head, K kept ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from weitiao.compression.layout import Heads, Layout, depth_keys
from weitiao.models.network import Network


def keep_layers(network: Network, kept: Sequence[int]) -> None:
    """Leave the layers at `kept` of the stack that reads the text."""
    own = list(network.stack.layers)
    types = getattr(_config(network), "layer_types", None)
    _set_layers(network, [own[index] for index in kept], types and [types[index] for index in kept])


@contextmanager
def without_layer(network: Network, index: int) -> Iterator[None]:
    """The network without one layer, as long as this is open."""
    own, types = list(network.stack.layers), getattr(_config(network), "layer_types", None)
    keep_layers(network, [each for each in range(len(own)) if each != index])
    try:
        yield
    finally:
        _set_layers(network, own, types)


def _set_layers(network: Network, layers: Sequence[nn.Module], types: Sequence[str] | None) -> None:
    held, config = network.stack.layers, _config(network)
    held._modules.clear()
    held.extend(layers)
    for index, layer in enumerate(layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                setattr(module, "layer_idx", index)  # noqa: B010 - a plain number, which torch's types do not know
    if types is not None:  # before the number of layers: the config compares both
        config.layer_types = list(types)
    for key in depth_keys(config.to_dict()):
        setattr(config, key, len(layers))


def keep_channels(network: Network, layout: Layout, kept: Sequence[Tensor]) -> None:
    """Leave, in each layer, the channels at `kept`, each [K]."""
    for layer, places in zip(network.stack.layers, kept, strict=True):
        for name in layout.inner:
            made: Any = layer.get_submodule(name)
            width = _outputs(made) // layout.halves
            _keep_outputs(made, torch.cat([places + half * width for half in range(layout.halves)]))
        _keep_inputs(layer.get_submodule(layout.outer), places)
    setattr(_config(network), layout.key, len(kept[0]))


def keep_heads(network: Network, heads: Heads, kept: Sequence[Tensor]) -> None:
    """Leave, in each layer, the groups of heads at `kept`, each [K]; a group is the heads that share a key."""
    config = _config(network)
    count, width = getattr(config, heads.key), getattr(config, heads.width)
    groups = getattr(config, heads.groups) if heads.groups else count
    left = len(kept[0])
    for layer, places in zip(network.stack.layers, kept, strict=True):
        module: Any = layer.get_submodule(heads.attention)
        shared = _spread(places, width)  # [K * D]
        own = _spread(places, width * count // groups)
        _keep_outputs(module.get_submodule(heads.queries), own)
        _keep_outputs(module.get_submodule(heads.keys), shared)
        _keep_outputs(module.get_submodule(heads.values), shared)
        _keep_inputs(module.get_submodule(heads.output), own)
        if heads.bias and (table := getattr(module, heads.bias, None)) is not None:
            table.weight = nn.Parameter(table.weight.detach()[:, places].clone())  # [buckets, K]
            table.embedding_dim = left
        if hasattr(module, "n_heads"):
            module.n_heads, module.inner_dim = left, left * width
    setattr(config, heads.width, width)
    setattr(config, heads.key, left * count // groups)
    if heads.groups:
        setattr(config, heads.groups, left)


def _spread(places: Tensor, width: int) -> Tensor:
    """[K] -> [K * width]: the features of the heads at these places."""
    return (places[:, None] * width + torch.arange(width)).flatten()


def _config(network: Network) -> Any:
    return network.backbone.config.get_text_config()


def _outputs(linear: Any) -> int:
    return int(linear.nf if isinstance(linear, Conv1D) else linear.out_features)


def _keep_outputs(linear: Any, places: Tensor) -> None:
    """Leave some outputs of a linear layer, in place; GPT-2's weights are [inputs, outputs]."""
    weight = linear.weight.detach()
    linear.weight = nn.Parameter((weight[:, places] if isinstance(linear, Conv1D) else weight[places]).clone())
    if linear.bias is not None:
        linear.bias = nn.Parameter(linear.bias.detach()[places].clone())
    setattr(linear, "nf" if isinstance(linear, Conv1D) else "out_features", len(places))


def _keep_inputs(linear: Any, places: Tensor) -> None:
    """Leave some inputs of a linear layer, in place."""
    weight = linear.weight.detach()
    linear.weight = nn.Parameter((weight[places] if isinstance(linear, Conv1D) else weight[:, places]).clone())
    setattr(linear, "nx" if isinstance(linear, Conv1D) else "in_features", len(places))
