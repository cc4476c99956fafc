"""LoRA and its variants: rsLoRA, DoRA, PiSSA, and a base of 4 or 8 bits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig
from peft.tuners.lora import LoraLayer, LoraModel
from torch import Tensor

from weitiao.methods.base import PeftLayout
from weitiao.methods.injected import NAME, Injected, linear_layers, tensors_of, transposed
from weitiao.methods.peft_options import LoraOptions
from weitiao.methods.quantised import is_quantised, quantise, restored
from weitiao.methods.targets import chosen
from weitiao.models.network import Network


class Lora(Injected):
    """Beside each weight W a product B A of rank r learns, scaled by alpha / r (Hu et al. 2021, section 4.1).

    When to use: by default where full fine-tuning is too slow or too large, or many tasks share one base. Needs: the
    base, and gradients and moments of a few hundredths of it. Compares: near full fine-tuning where all linear layers
    take part (Dettmers et al. 2023, section 4). rsLoRA scales by alpha / sqrt(r) (Kalajdzievski 2023), which keeps high
    ranks learning; DoRA learns each output's length apart (Liu et al. 2024, section 4.1), somewhat better at low ranks
    and slower; PiSSA starts from the principal components (Meng et al. 2024, section 3) and learns faster at first.
    """

    options: LoraOptions

    def apply(self, network: Network, total_steps: int) -> None:  # noqa: ARG002
        if self.options.base_bits is not None:
            quantise(network, self.options.base_bits)
        self._put_in(network, self.options.rank, self._scale, pissa=self.options.init == "pissa")
        self._start: Mapping[str, Tensor] = {}
        if self.options.init == "pissa":
            factors = tensors_of(network, "lora_A") | tensors_of(network, "lora_B")
            self._start = {name: each.detach().clone() for name, each in factors.items()}

    def ready(self, network: Network) -> None:
        if self.options.init != "pissa":
            self.apply(network, 1)
            return
        self._start = {}
        self._put_in(network, 2 * self.options.rank, self._scale, pissa=False)

    @property
    def _scale(self) -> float:
        rank = self.options.rank
        return self.options.alpha / (math.sqrt(rank) if self.options.rslora else rank)

    def _put_in(self, network: Network, rank: int, scale: float, *, pissa: bool) -> None:
        layers = dict(linear_layers(network))
        wanted = chosen(layers.values(), self.options.targets)
        layers = {name: layer for name, layer in layers.items() if layer in wanted}
        config = LoraConfig(
            r=rank, lora_alpha=scale * rank, lora_dropout=self.options.dropout, use_dora=self.options.dora,  # type: ignore[arg-type]
            init_lora_weights="pissa" if pissa else True, target_modules=list(layers),
            fan_in_fan_out=transposed(layers),
        )  # fmt: skip
        self.inject(network, LoraModel, config)

    def adapter(self, network: Network) -> Mapping[str, Tensor]:
        return {name: self._from_base(name, value) for name, value in super().adapter(network).items()}

    def _from_base(self, name: str, value: Tensor) -> Tensor:
        """A factor as it stands beside the unchanged base: B A - B0 A0 is [B, -B0] [A; A0], of rank 2 r.

        So PiSSA's share of the base need not be taken out again, which no two machines do to the same bits.
        """
        start = self._start.get(name)
        if start is None:
            return value
        is_first = f".lora_A.{NAME}." in name
        return torch.cat([value, start], 0) if is_first else torch.cat([value, -start], 1)

    def peft_layout(self, network: Network) -> PeftLayout | None:
        layout = super().peft_layout(network)
        if layout is None or not self._start:
            return layout
        own = {_in_peft(name): name for name in self._start}
        tensors = {
            name: self._from_base(own[name], value) if name in own else value for name, value in layout.tensors.items()
        }
        twice = {"r": 2 * self.options.rank, "lora_alpha": 2 * self._scale * self.options.rank}
        return PeftLayout({**layout.config, **twice, "init_lora_weights": True}, tensors)

    def finish(self, network: Network) -> None:
        if self.options.base_bits is None:
            super().finish(network)
            return
        with torch.no_grad():
            for name, module in list(network.backbone.named_modules()):
                if isinstance(module, LoraLayer):
                    network.backbone.set_submodule(name, _merged(module))
                elif is_quantised(module) and not name.endswith(".base_layer"):
                    network.backbone.set_submodule(name, restored(module))
        for left in ("peft_config", f"is_loaded_in_{self.options.base_bits}bit"):
            delattr(network.backbone, left)


def _merged(layer: Any) -> torch.nn.Linear:
    """The layer as an ordinary one, with what was learnt added."""
    base = layer.get_base_layer()
    plain: torch.nn.Linear = restored(base) if is_quantised(base) else base
    if NAME in layer.lora_variant:  # DoRA
        plain.weight.data = layer.lora_variant[NAME].merge_safe(layer, NAME, plain.weight.data)
    else:
        plain.weight.data += layer.get_delta_weight(NAME)
    return plain


def _in_peft(name: str) -> str:
    """Name of a factor in PEFT's own files."""
    return f"base_model.model.{name.removeprefix('backbone.')}".replace(f".{NAME}.", ".")
