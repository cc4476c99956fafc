"""Frozen linear layers in 4 or 8 bits (bitsandbytes), and back: the base of QLoRA (Dettmers et al. 2023, section 3).

The weights are rounded, the arithmetic is not: every product is taken in fp32 with the weights that the bits stand for.
So what is merged into those weights answers as what was trained, on any machine.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from weitiao.errors import MissingExtra
from weitiao.models.network import Network


def quantise(network: Network, bits: int) -> None:
    """Keep the weights of all linear layers in the stacks in so many bits, but those that the family needs whole.

    Raises:
        MissingExtra: bitsandbytes is not installed.
    """
    whole = set(network.backbone._keep_in_fp32_modules or ())  # T5 casts its activations to this weight's type
    for stack in network.stacks:
        for name, module in list(stack.layers.named_modules()):
            if type(module) is nn.Linear and not whole & set(name.split(".")):
                stack.layers.set_submodule(name, _rounded(module, bits))
    setattr(network.backbone, f"is_loaded_in_{bits}bit", True)  # what PEFT asks


def restored(layer: Any) -> nn.Linear:
    """An ordinary layer with the weights that the bits stand for."""
    weight = _weight(layer)
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=layer.bias is not None)
    plain.weight = nn.Parameter(weight, requires_grad=False)
    if layer.bias is not None:
        plain.bias = layer.bias
    return plain


def is_quantised(module: nn.Module) -> bool:
    """Whether `quantise` made it."""
    return type(module).__name__ in {"Linear4Bits", "Linear8Bits"}


def _weight(layer: Any) -> Tensor:
    if type(layer).__name__ == "Linear4Bits":
        import bitsandbytes

        return bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state).float()
    whole = layer.weight.CB if layer.state.CB is None else layer.state.CB  # they move at the first pass
    scale = layer.weight.SCB if layer.state.SCB is None else layer.state.SCB
    return whole.float() * (scale[:, None] * (1.0 / 127.0))  # type: ignore[no-any-return]


def _rounded(layer: nn.Linear, bits: int) -> nn.Module:
    made = _kinds()[bits](layer.in_features, layer.out_features, bias=layer.bias is not None)
    how: dict[str, Any] = {"quant_type": "nf4"} if bits == 4 else {"has_fp16_weights": False}
    made.weight = type(made.weight)(layer.weight.data, requires_grad=False, **how)
    made.bias = layer.bias
    rounded: nn.Module = made.to(layer.weight.device)  # rounds
    return rounded


@cache
def _kinds() -> dict[int, Any]:
    """bitsandbytes' layers, always in training mode: in evaluation mode they also round what goes through them."""
    try:
        import bitsandbytes
    except ImportError as error:
        raise MissingExtra("bitsandbytes", "quantized") from error

    class Linear4Bits(bitsandbytes.nn.Linear4bit):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
            super().__init__(inputs, outputs, bias, compute_dtype=torch.float32, quant_type="nf4")

        def train(self, mode: bool = True) -> Linear4Bits:  # noqa: ARG002
            return super().train(True)  # type: ignore[no-any-return]

    class Linear8Bits(bitsandbytes.nn.Linear8bitLt):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, outputs: int, bias: bool) -> None:
            super().__init__(inputs, outputs, bias, has_fp16_weights=False)

        def train(self, mode: bool = True) -> Linear8Bits:  # noqa: ARG002
            return super().train(True)  # type: ignore[no-any-return]

    return {4: Linear4Bits, 8: Linear8Bits}
