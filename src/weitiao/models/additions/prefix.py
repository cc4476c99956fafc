"""Learnt keys and values that every layer attends to beside those of the text (Li and Liang 2021, section 4.2).

Our attention function (models/packing.py) puts them before a text's own, packed or padded; they have no position, and
every token sees them. Which modules attend, and how many heads of what width their keys have, is told by running the
model once.

They are parameters of their own (deep prompts: P-tuning v2, Liu et al. 2022), or what a small network makes of shared
vectors, one a place (Li and Liang 2021, section 4.3): the layers of PEFT's `PrefixEncoder`, whose last one is cut into
a part a layer, so that layers may differ in width and may be recomputed one by one.

Notation: P places, A heads of keys, D width of a head, H hidden, W inner width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.packing import PREFIX, watched
from weitiao.models.probe import probe

if TYPE_CHECKING:
    from weitiao.models.network import Network

SPREAD = 0.02  # standard deviation of new keys and values: BERT's initializer_range


class Prefix(nn.Module):
    """Keys and values of one layer, as they are."""

    def __init__(self, count: int, heads: int, width: int) -> None:
        super().__init__()
        self.key = nn.Parameter(torch.randn(heads, count, width) * SPREAD)  # [A, P, D]
        self.value = nn.Parameter(torch.randn(heads, count, width) * SPREAD)

    def forward(self) -> tuple[Tensor, Tensor]:
        """(keys, values), both [A, P, D]."""
        return self.key, self.value


class Trunk(nn.Module):
    """What the layers of a reparametrised prefix share: [P, W]."""

    def __init__(self, count: int, size: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, size)
        self.inner = nn.Linear(size, width)

    def forward(self) -> Tensor:
        return torch.tanh(self.inner(self.embedding.weight))


class ProjectedPrefix(nn.Module):
    """Keys and values of one layer, projected from the trunk."""

    def __init__(self, trunk: Trunk, heads: int, width: int) -> None:
        super().__init__()
        self._trunk = (trunk,)  # in a tuple, so that it is no child of every layer
        self.heads = heads
        self.outer = nn.Linear(trunk.inner.out_features, 2 * heads * width)

    def forward(self) -> tuple[Tensor, Tensor]:
        """(keys, values), both [A, P, D]."""
        (trunk,) = self._trunk
        both = self.outer(trunk()).unflatten(-1, (2, self.heads, -1))  # [P, 2, A, D]
        key, value = both.permute(1, 2, 0, 3)
        return key, value


def insert(network: Network, *, count: int, width: int = 0) -> None:
    """Put `count` keys and values into every layer.

    Args:
        network: whose layers attend through our function.
        count: P.
        width: W of the network that makes them; 0 for parameters of their own.

    Raises:
        Refused: a layer attends in another way.
    """
    with watched() as keys:
        probe(network, network.backbone, decodes=network.decodes)
    if not all(any(module in keys for module in layer.modules()) for stack in network.stacks for layer in stack.layers):
        message = _("the layers of the family '{family}' do not attend through transformers' attention interface")
        raise Refused(message.format(family=network.backbone.config.model_type))
    device = next(network.backbone.parameters()).device
    trunk = Trunk(count, network.backbone.config.get_text_config().hidden_size, width).to(device) if width else None
    if trunk is not None:
        network.add_module(PREFIX, trunk)
    for module, key in keys.items():
        heads, size = key.shape[1], key.shape[3]
        made = Prefix(count, heads, size) if trunk is None else ProjectedPrefix(trunk, heads, size)
        module.add_module(PREFIX, made.to(device))
