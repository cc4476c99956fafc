"""Features in, Outputs out, in order: what training's evaluations, reports and the predictor all run.

Rows of like length go together, up to a number of tokens a batch; the answer of a row does not depend on its neighbours
(beyond float rounding).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from weitiao.models.batch import collate
from weitiao.models.network import Network
from weitiao.models.padding import ALIKE, BATCH_TOKENS, batches_by_length, outputs_of
from weitiao.records import Feature, Outputs

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
            lengths, alike = [len(feature) for feature in features], 0.0 if network.packable else ALIKE
            for rows in batches_by_length(lengths, batch_tokens, alike=alike):
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
                    results[row] = outputs_of(place, outputs, network.head.token_axes, len(features[row]))
    finally:
        network.train(training)
    return results, total / weight if weight else float("nan")
