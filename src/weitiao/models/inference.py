"""Features in, Outputs out, in order: what training's evaluations, reports and the predictor all run.

Rows of like length go together, up to a number of tokens a batch; the answer of a row does not depend on its neighbours
(beyond float rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from weitiao.models.batch import collate
from weitiao.models.network import Network
from weitiao.records import Feature, FloatArray, Outputs

BATCH_TOKENS = 2048


Frozen = Callable[[Sequence[int]], Tensor]


def infer(
    network: Network, features: Sequence[Feature], *, batch_tokens: int = BATCH_TOKENS, frozen: Frozen | None = None
) -> list[Outputs]:
    """The network's outputs for each feature, in their order.

    Args:
        network: left in the mode it was in.
        features: any number.
        batch_tokens: padded tokens a batch.
        frozen: rows -> cached output of the frozen layers, [N, H].
    """
    return infer_with_loss(network, features, batch_tokens=batch_tokens, frozen=frozen)[0]


def infer_with_loss(
    network: Network, features: Sequence[Feature], *, batch_tokens: int = BATCH_TOKENS, frozen: Frozen | None = None
) -> tuple[list[Outputs], float]:
    """As `infer`, and the mean loss over the features with a target (NaN without any, or where it compares rows)."""
    results: list[Outputs] = [{}] * len(features)
    total, weight = 0.0, 0.0
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for rows in batches_by_length([len(feature) for feature in features], batch_tokens):
                batch = collate([features[row] for row in rows], network.spec.pad_id, rows)
                if frozen is not None:
                    batch = replace(batch, frozen=frozen(rows))
                hidden = network.hidden(batch)
                if not network.coupled:
                    loss = network.head.loss(hidden, batch)
                    total, weight = total + float(loss.total), weight + float(loss.weight)
                outputs = {
                    name: value.float().numpy(force=True) for name, value in network.head.outputs(hidden, batch).items()
                }
                for place, row in enumerate(rows):
                    results[row] = {
                        name: _own(value[place], network.head.token_axes.get(name, 0), len(features[row]))
                        for name, value in outputs.items()
                    }
    finally:
        network.train(training)
    return results, total / weight if weight else float("nan")


def _own(value: FloatArray, token_axes: int, length: int) -> FloatArray:
    """A row's output without the padding of its token axes; a copy then, so that the batch can go."""
    return value[(slice(length),) * token_axes].copy() if token_axes else value


def batches_by_length(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Rows by falling length, cut into batches of at most `batch_tokens` padded tokens (one row at the least)."""
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
    batches: list[list[int]] = []
    for row in order:
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches
