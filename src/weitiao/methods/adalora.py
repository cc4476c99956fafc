"""AdaLoRA: ranks are given to the layers in which they matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import AdaLoraConfig
from peft.tuners.adalora import AdaLoraModel
from torch import Tensor

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.methods.injected import NAME, Injected, linear_layers, tensors_of, transposed
from weitiao.methods.peft_options import AdaLoraOptions
from weitiao.methods.targets import chosen
from weitiao.models.network import Network

AVERAGES = {"importance": "exp_avg_ipt", "uncertainty": "exp_avg_unc"}  # in a checkpoint -> in PEFT's allocator


class AdaLora(Injected):
    """Beside each weight a product P E Q learns, E diagonal, whose least important entries are cut (Zhang et al. 2023).

    When to use: where LoRA's rank has to be small, and training is long enough for three phases. Needs: LoRA's memory
    at the initial rank, and two more numbers a parameter for the importances. Compares: as LoRA at the same final rank,
    better where layers differ in what they need; slower to learn, because E starts at zero.

    Until `tinit` of the steps all ranks are whole, then they are cut by a cubic schedule (equation 12); the last
    `tfinal` of the steps train what is left. A direction's importance is smoothed |weight x gradient| times its
    uncertainty (equations 8 to 11).
    """

    options: AdaLoraOptions

    def apply(self, network: Network, total_steps: int) -> None:
        """Raises Refused where the steps leave none between which ranks could be cut."""
        if total_steps < 2:
            raise Refused(
                _(
                    "`method: adalora` cuts ranks between steps, and there is {steps}; train longer, or take lora"
                ).format(steps=total_steps)
            )
        last = min(max(1, round(self.options.tfinal * total_steps)), total_steps - 1)
        self._cut_until = total_steps - last
        layers = dict(linear_layers(network))
        wanted = chosen(layers.values(), self.options.targets)
        layers = {name: layer for name, layer in layers.items() if layer in wanted}
        config = AdaLoraConfig(
            init_r=self.options.init_rank, target_r=self.options.target_rank, lora_alpha=self.options.alpha,  # type: ignore[arg-type]
            lora_dropout=self.options.dropout, beta1=self.options.beta1, beta2=self.options.beta2,
            orth_reg_weight=self.options.orth_reg_weight, total_step=total_steps, tfinal=last,
            tinit=min(round(self.options.tinit * total_steps), self._cut_until - 1), target_modules=list(layers),
            fan_in_fan_out=transposed(layers),
        )  # fmt: skip
        self.inject(network, AdaLoraModel, config)
        self._kept: dict[str, list[bool]] = {}
        self._settled = False

    def ready(self, network: Network) -> None:
        self.apply(network, 2)  # the schedule is over; any will do

    @property
    def _allocator(self) -> Any:
        """PEFT's RankAllocator."""
        return self.tuner.rankallocator

    def add_penalty(self, network: Network) -> None:
        """Mean distance of P' P and Q Q' from the identity (section 3.1; PEFT takes the norm, not its square)."""
        if not self.options.orth_reg_weight:
            return
        rows = [*tensors_of(network, "lora_A").values(), *(p.T for p in tensors_of(network, "lora_B").values())]
        distances = [torch.linalg.matrix_norm(each @ each.T - torch.eye(len(each))) for each in rows]
        (self.options.orth_reg_weight * torch.stack(distances).mean()).backward()  # type: ignore[no-untyped-call]

    def after_step(self, network: Network, step: int) -> None:
        if step < self._cut_until:
            kept = self._allocator.update_and_allocate(network.backbone, step)[1]
        elif not self._settled:
            kept = self._allocator.update_and_allocate(network.backbone, step, force_mask=True)[1]
            self._settled = True
            self._allocator.reset_ipt()
        else:
            kept = None
            self._allocator.mask_using_rank_pattern(network.backbone, self._kept)
        self._kept = kept or self._kept

    @property
    def formed(self) -> bool:
        """Whether all is cut that will be: an earlier model, often the better one, would end above its rank."""
        return self._settled

    def state(self) -> Mapping[str, Tensor]:
        kept = {f"kept.{name}": torch.tensor(each) for name, each in self._kept.items()}
        averages = {
            f"{name}.{parameter}": value
            for name, attribute in AVERAGES.items()
            for parameter, value in getattr(self._allocator, attribute).items()
        }
        return {**kept, **averages, "settled": torch.tensor(self._settled)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self._kept = {name.removeprefix("kept."): each.tolist() for name, each in state.items() if "kept." in name[:5]}
        self._settled = bool(state["settled"])
        self._allocator.reset_ipt()
        for name, attribute in AVERAGES.items():
            average = getattr(self._allocator, attribute)
            for key, value in state.items():
                if key.startswith(f"{name}."):
                    average[key.removeprefix(f"{name}.")] = value
        self._allocator.ipt = dict.fromkeys(self._allocator.exp_avg_ipt)  # remade at the next step

    def facts(self, network: Network) -> Mapping[str, Any]:
        end = f".lora_E.{NAME}"
        names = [name for name, _parameter in network.backbone.named_parameters() if name.endswith(end)]
        ranks = {name: sum(self._kept[name]) if name in self._kept else self.options.init_rank for name in names}
        return {"ranks": {name.removesuffix(end): rank for name, rank in ranks.items()}}
