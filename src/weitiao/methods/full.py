"""Full fine-tuning: every parameter learns."""

from __future__ import annotations

from weitiao.methods.options import FullOptions
from weitiao.models.network import Network


class Full:
    """Every parameter learns.

    When to use: thousands of labels, and time. Needs: memory for weights, gradients and two optimiser moments, 16 bytes
    a parameter. Compares: the best score as a rule, the slowest, and the easiest to over-fit on a few hundred rows.
    """

    cache = None

    def __init__(self, options: FullOptions) -> None:
        self.options = options

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        network.requires_grad_(True)

    def after_step(self, network: Network, step: int) -> None:
        """Nothing to do."""
