"""Logistic regression in one go: the linear layer of a mean head, solved instead of trained by steps.

On frozen features the loss is convex, so that L-BFGS finds its one minimum, the same from any start, with no rate and
no number of epochs to choose. Features are first measured from their mean, in units of their mean distance from it: a
model may put all texts into a narrow cone, and with lengths of 1 the penalty would weigh on what little tells them
apart. Shift and scale are folded back into the layer, and a strength of the penalty means the same for every model.

Notation: N rows, H hidden, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn

from weitiao.errors import Interrupted
from weitiao.messages import _
from weitiao.models.batch import Batch, collate
from weitiao.models.heads.classify import ClassifyHead
from weitiao.models.network import Network
from weitiao.models.padding import BATCH_TOKENS, batches_by_length
from weitiao.records import Feature

ROUNDS = 500  # of L-BFGS at most; a few dozen are usual
GRADIENT = 1e-7  # of the largest entry, at which it ends
SAME = 1e-6  # distance from their mean, as a share of their length, below which features differ by rounding alone


def solve(network: Network, features: Sequence[Feature], cost: float, stop: Callable[[], bool] = lambda: False) -> None:
    """Put the solution into the head of `network`.

    Args:
        network: with a mean head of one linear layer.
        features: rows with targets.
        cost: weight of the rows' losses against half the squared length of the weights, as scikit-learn's `C`.
        stop: whether a signal asks to leave; asked while the features are computed.

    Raises:
        Interrupted: `stop` asked for it.
    """
    pooled = pooled_rows(network, features, stop).double()  # [N, H]
    length, mean = pooled.norm(dim=-1).mean(), pooled.mean(dim=0)  # [], [H]
    pooled -= mean
    scale = pooled.norm(dim=-1).mean().clamp_min(SAME * length + torch.finfo(torch.float32).tiny)
    pooled /= scale
    rows = [replace(each, input_ids=each.input_ids[:1], token_type_ids=None) for each in features]
    batch = collate(rows, network.spec.pad_id)  # for its targets: what a row says is pooled already
    head = _fitted(network.head, pooled, batch, cost)  # type: ignore[arg-type]
    with torch.no_grad():
        linear = linear_of(network)
        weight = linear_in(head).weight / scale
        linear.weight.copy_(weight)
        linear.bias.copy_(linear_in(head).bias - weight @ mean)


def _fitted(head: ClassifyHead, rows: Tensor, batch: Batch, cost: float) -> ClassifyHead:
    """A copy of the head with the weights that are best on `rows`, [N, H]."""
    head = deepcopy(head).double().eval()
    linear = linear_in(head)
    if head.multi_label:  # the head's loss is the mean over the classes, each of which has a regression of its own
        cost *= linear.out_features
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    optimiser = torch.optim.LBFGS(
        linear.parameters(), max_iter=ROUNDS, tolerance_grad=GRADIENT, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = cost * head.loss_of({"logits": linear(rows)}, batch).total + 0.5 * linear.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    linear.requires_grad_(True)
    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return head


def pooled_rows(network: Network, features: Sequence[Feature], stop: Callable[[], bool] = lambda: False) -> Tensor:
    """What a mean head reads of each row, [N, H]; H is that of its layer.

    Raises:
        Interrupted: `stop`, which is asked after each batch, asked for it.
    """
    head: ClassifyHead = network.head  # type: ignore[assignment]
    pooled = torch.zeros(len(features), linear_in(head).in_features)  # [N, H]
    training = network.training
    network.eval()
    with torch.no_grad():
        for rows in batches_by_length([len(feature) for feature in features], BATCH_TOKENS):
            batch = collate([features[row] for row in rows], network.spec.pad_id, rows)
            pooled[rows] = head.pooled(network.hidden(batch), batch)
            if stop():
                raise Interrupted(_("interrupted before fitting; the run is saved"))
    network.train(training)
    return pooled


def linear_of(network: Network) -> nn.Linear:
    """The one layer of a mean head."""
    return linear_in(network.head)  # type: ignore[arg-type]


def linear_in(head: ClassifyHead) -> nn.Linear:
    """Its one layer."""
    return next(module for module in head.layers.modules() if isinstance(module, nn.Linear))
