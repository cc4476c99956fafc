"""What the methods with PEFT's layers share: the layers are put around linear layers in place, trained, and merged.

No PeftModel stands around the network: the backbone stays what packing, heads and saving know. Between `apply` and
`finish` a linear layer's own weight is called `base_layer.weight`; afterwards it has its name back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTuner
from peft.utils.save_and_load import get_peft_model_state_dict
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from weitiao.methods.base import Method, PeftLayout
from weitiao.methods.targets import LinearLayer
from weitiao.models.dropout import use_fast_dropout
from weitiao.models.network import Network

NAME = "default"  # of the adapter inside PEFT's layers, and what PEFT calls it where nothing is said
TASKS = {  # transformers' Auto class -> what PEFT calls the task
    "AutoModelForQuestionAnswering": "QUESTION_ANS",
    "AutoModelForSequenceClassification": "SEQ_CLS",
    "AutoModelForTokenClassification": "TOKEN_CLS",
}


class Injected(Method):
    """A method of PEFT's tuner layers."""

    tuner: BaseTuner

    def inject(self, network: Network, tuner: type[BaseTuner], config: Any) -> None:
        """Put the layers in, freeze the base and let the head learn."""
        new = {id(network.get_parameter(name)) for name in network.head_parameters()}
        self.tuner = tuner(network.backbone, config, NAME)
        use_fast_dropout(network)
        for parameter in network.parameters():
            parameter.requires_grad_(parameter.requires_grad or id(parameter) in new)

    def finish(self, network: Network) -> None:  # noqa: ARG002
        with torch.no_grad():
            self.tuner.merge_and_unload()

    def peft_layout(self, network: Network) -> PeftLayout | None:
        if not network.spec.stock:
            return None
        saved = get_peft_model_state_dict(self.tuner, adapter_name=NAME, save_embedding_layers=False)
        tensors = {f"base_model.{name}": value for name, value in saved.items()}
        head = network.head_parameters()
        for name in head:
            tensors[f"base_model.model.{name.removeprefix('backbone.')}"] = network.get_parameter(name).detach()
        config = {
            **self.tuner.peft_config[NAME].to_dict(),
            "inference_mode": True,
            "modules_to_save": sorted({_owner(network, name) for name in head}),
            "task_type": TASKS.get(network.spec.stock),
        }
        plain = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
        return PeftLayout(plain, {name: value.contiguous() for name, value in tensors.items()})


def linear_layers(network: Network) -> Iterator[tuple[str, LinearLayer]]:
    """(name inside the backbone, layer) of every linear layer in the stacks."""
    for stack in network.stacks:
        above = stack.prefix.rpartition(".")[0] + "."
        for name, module in stack.layers.named_modules(prefix=stack.prefix):
            place = name.removeprefix(above)
            if isinstance(module, Conv1D):
                inputs, outputs = module.weight.shape
                layer = LinearLayer(place, inputs, outputs, transposed=True)
            elif isinstance(module, nn.Linear):
                layer = LinearLayer(place, module.in_features, module.out_features)
            else:
                continue
            yield name.removeprefix("backbone."), layer


def transposed(layers: Mapping[str, LinearLayer]) -> bool:
    """Whether the layers store their weights as [inputs, outputs]."""
    return any(layer.transposed for layer in layers.values())


def tensors_of(network: Network, part: str) -> dict[str, Tensor]:
    """Name -> parameter of the factors whose name has `part`, such as lora_A."""
    return {name: each for name, each in network.named_parameters() if f".{part}.{NAME}" in name}


def _owner(network: Network, name: str) -> str:
    """Module that PEFT is to save for a parameter of the head: the whole head, or the base's layer that is new."""
    inside = name.removeprefix("backbone.")
    base = network.backbone.base_model_prefix
    return inside.rpartition(".")[0] if inside.startswith(f"{base}.") else inside.partition(".")[0]
