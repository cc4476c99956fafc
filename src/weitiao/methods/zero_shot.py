"""No training at all: each class is where its own description lies among the texts, or what a pretrained head says.

Under a mean head the weights of a class are the direction of its description's vector, so that the logit of a text is
its cosine with that times `scale`, and its own length (Chang et al. 2008 call it dataless classification). The tasks
`cloze` and `entail` need no weights: their heads are pretrained.

Notation: H hidden, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from weitiao.methods.base import Method
from weitiao.methods.logistic import linear_of, pooled_rows
from weitiao.models.network import Network
from weitiao.records import Feature


class ZeroShot(Method):
    """Nothing learns.

    When to use: there are no labels yet, to see how far the model's own knowledge goes; or as what a first dozen labels
    must beat. Needs: a model made for embeddings, or the task `cloze` or `entail`. Compares: as good as the model and
    the descriptions are; docs/few-labels.md says how to write them.
    """

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        network.requires_grad_(False)

    def settle(self, network: Network, features: Sequence[Feature], stop: Callable[[], bool] = lambda: False) -> None:
        """Make the head of the descriptions, one a class in their order; nothing to do where there are none."""
        if not features:
            return
        pooled = pooled_rows(network, features, stop)  # [C, H]
        linear = linear_of(network)
        with torch.no_grad():
            linear.bias.zero_()
            linear.weight.copy_(F.normalize(pooled, dim=-1) * self.options.scale / pooled.norm(dim=-1).mean())
