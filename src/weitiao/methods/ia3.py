"""IA3: keys, values and the inside of the feed-forward parts are scaled, number by number."""

from __future__ import annotations

from peft import IA3Config
from peft.tuners.ia3 import IA3Model

from weitiao.methods.injected import Injected, linear_layers, transposed
from weitiao.methods.peft_options import Ia3Options
from weitiao.methods.targets import keys_and_values, narrowing
from weitiao.models.network import Network


class Ia3(Injected):
    """A factor learns for each number of keys, values and feed-forward insides (Liu et al. 2022, section 3.3).

    When to use: few rows, or an adapter of a few kilobytes a task. Needs: least of all methods that reach every layer.
    Compares: below LoRA as soon as there are a few hundred rows. Where a family makes queries, keys and values in one
    layer (GPT-2, ModernBERT) the queries are scaled too, which changes nothing that scaling keys cannot; where it keeps
    them in other than linear layers (XLNet) only the feed-forward part is.
    """

    options: Ia3Options

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        layers = dict(linear_layers(network))
        keys, inside = keys_and_values(layers.values()), narrowing(layers.values())
        scaled = {name: layer for name, layer in layers.items() if layer in [*keys, *inside]}
        config = IA3Config(
            target_modules=list(scaled),
            feedforward_modules=[name for name, layer in scaled.items() if layer in inside],
            fan_in_fan_out=transposed(scaled),
        )
        self.inject(network, IA3Model, config)
