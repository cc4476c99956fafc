"""Methods that leave the lower part of the network as pretrained: `freeze` and the linear probe `head`.

The frozen part runs without dropout, so that its output is a function of the text alone and can be computed once and
cached (methods/frozen_cache.py); with and without the cache the same thing is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.methods.base import Method
from weitiao.methods.few_labels import ContrastiveOptions
from weitiao.methods.logistic import solve
from weitiao.methods.options import CacheOptions, FreezeOptions, HeadOptions
from weitiao.models.network import Network
from weitiao.records import Feature


class Freeze(Method):
    """Embeddings and the first k layers stand still.

    When to use: a CPU, or a few hundred to a few thousand labels. Needs: a fraction of full fine-tuning's memory and,
    with the cache, of its time. Compares: a little below full fine-tuning (Lee et al. 2019 find a quarter of the layers
    enough for nine tenths of the gain).
    """

    def __init__(self, options: FreezeOptions) -> None:
        super().__init__(options)
        self.cache = _cache(options)

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        depth = len(network.stack)
        layers = self.options.frozen(depth)
        if not 0 <= layers <= depth:
            raise Refused(
                _("method.layers is {layers}, but the model has {depth} layers; give 0 to {depth}").format(
                    layers=layers, depth=depth
                )
            )
        network.requires_grad_(True)
        _freeze_below(network, layers)


class LinearProbe(Method):
    """Only the new head learns.

    When to use: a first look at data or at a pretrained model, or a few dozen labels. Needs: next to nothing once the
    frozen features are computed. Compares: `benchmarks/methods.py` and `benchmarks/choosing.py` set it beside others.
    """

    def __init__(self, options: HeadOptions | ContrastiveOptions) -> None:
        super().__init__(options)
        self.cache = _cache(options) if isinstance(options, CacheOptions) and options.stepwise else None

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        network.requires_grad_(False)
        _freeze_below(network, len(network.stack))
        new = network.head_parameters()
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name in new)

    def settle(self, network: Network, features: Sequence[Feature], stop: Callable[[], bool] = lambda: False) -> None:
        """Logistic regression on the frozen features, each computed once."""
        solve(network, features, self.options.cost, stop)


def _cache(options: CacheOptions) -> str | None:
    return options.cache_precision if options.cache else None


def _freeze_below(network: Network, layers: int) -> None:
    """Stop gradients and dropout of everything that runs before layer `layers` of the stack."""
    below = network.below(layers)
    for name in below.parameters:
        network.get_parameter(name).requires_grad_(False)
    network.frozen_modules = below.modules
    network.frozen_parameters = below.parameters
    network.frozen_below = layers
