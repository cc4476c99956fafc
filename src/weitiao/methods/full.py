"""Full fine-tuning: every parameter learns."""

from __future__ import annotations

from weitiao.methods.base import Method
from weitiao.models.network import Network


class Full(Method):
    """Every parameter learns.

    When to use: thousands of labels, and time. Needs: memory for weights, gradients and two optimiser moments, 16 bytes
    a parameter. Compares: the best score as a rule, the slowest, and the easiest to over-fit on a few hundred rows.
    """

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        network.requires_grad_(True)
