"""How much the loss of labelled rows asks for each head, feed-forward channel and layer.

Heads and channels: the expected size of the loss's gradient by a mask that stands at 1 (heads: Michel et al. 2019,
section 4.1; channels: the same first-order Taylor term, Molchanov et al. 2017, section 2.2). Layers: the loss of the
network without the layer, one after the other, each time the one that is missed least.

Notation: G groups of inputs of a module that stand or fall together, R rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from weitiao.compression.shrinking import keep_layers, without_layer
from weitiao.models.batch import Batch, collate
from weitiao.models.network import Network
from weitiao.models.padding import batches_by_length
from weitiao.records import Feature

ROWS = 32  # rows that are compared with each other, where the loss compares rows


@contextmanager
def masked(modules: Sequence[nn.Module], masks: Sequence[Tensor]) -> Iterator[None]:
    """While this is open, what each module reads is multiplied by its mask, [G], each entry for as many features."""

    def hook(mask: Tensor) -> Any:
        return lambda _module, args: (args[0] * mask.repeat_interleave(args[0].shape[-1] // len(mask)), *args[1:])

    with ExitStack() as around:
        for module, mask in zip(modules, masks, strict=True):
            around.enter_context(module.register_forward_pre_hook(hook(mask)))
        yield


def by_gradient(
    network: Network, modules: Sequence[nn.Module], groups: int, features: Sequence[Feature]
) -> list[Tensor]:
    """Importance of the `groups` of inputs of each module, [G] each: the mean over rows of |d loss / d mask|."""
    masks = [torch.ones(groups, requires_grad=True) for _module in modules]
    total = [torch.zeros(groups) for _module in modules]
    with masked(modules, masks), torch.enable_grad():
        for batch in _steps(network, features):
            loss = network.loss(batch)
            if not loss.weight:
                continue
            found = torch.autograd.grad(loss.total / loss.weight, masks, allow_unused=True)
            for sum_, gradient in zip(total, found, strict=True):
                sum_ += 0.0 if gradient is None else gradient.abs()
    return total


def loss_of(network: Network, features: Sequence[Feature]) -> float:
    """The mean loss over the rows with a target."""
    total, weight = 0.0, 0.0
    with torch.inference_mode():
        for rows in _many(network, features):
            loss = network.loss(collate([features[row] for row in rows], network.spec.pad_id, rows))
            total, weight = total + float(loss.total), weight + float(loss.weight)
    return total / weight if weight else float("nan")


def drop_layers(network: Network, count: int, features: Sequence[Feature], *, fixed: int) -> list[dict[str, Any]]:
    """Take `count` layers out, each time the one without which the loss is lowest; what was found, one entry a layer.

    Args:
        fixed: layers at the bottom that must stay.
    """
    places = list(range(len(network.stack)))  # of the layers that are left, as they were counted at first
    rounds = []
    for _round in range(count):
        losses = {}
        for index in range(fixed, len(places)):
            with without_layer(network, index):
                losses[index] = loss_of(network, features)
        least = min(losses, key=lambda index: losses[index])
        rounds.append(
            {"removed": places[least], "loss_without": {str(places[index]): loss for index, loss in losses.items()}}
        )
        del places[least]
        keep_layers(network, [index for index in range(len(network.stack)) if index != least])
    return rounds


def _steps(network: Network, features: Sequence[Feature]) -> Iterator[Batch]:
    """Row by row, since a mean of sizes is wanted; several at once where the loss compares rows."""
    step = ROWS if network.coupled else 1
    for start in range(0, len(features), step):
        yield collate(features[start : start + step], network.spec.pad_id)


def _many(network: Network, features: Sequence[Feature]) -> list[list[int]]:
    if network.coupled:
        return [list(range(start, min(start + ROWS, len(features)))) for start in range(0, len(features), ROWS)]
    return batches_by_length([len(feature) for feature in features], 2048)
