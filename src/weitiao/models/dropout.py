"""Dropout with true semantics that is cheap on a CPU.

torch draws dropout masks on a CPU one serial Bernoulli at a time, which costs more than the matrix products around it.
Here the random bits come from SFC64 (Doty-Humphrey 2010, as in numpy) and 16 of them decide each entry: fresh and
independent for every entry of every call, dropped at the asked rate to within 2**-17. Each call takes its seed from
torch's own CPU generator, so `torch.manual_seed`, gradient checkpointing and a resumed run all repeat the same masks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 1 << 16


def random_bits(shape: torch.Size) -> Tensor:
    """Uniform int16 values of the given shape, seeded by one draw from torch's CPU generator."""
    count = shape.numel()
    seed = int(torch.empty((), dtype=torch.int64).random_())
    words = np.random.SFC64(seed).random_raw((count + 3) // 4)
    return torch.from_numpy(words).view(torch.int16)[:count].view(shape)


def threshold(rate: float) -> int:
    """The int16 value below which an entry is dropped."""
    return round(rate * _LEVELS) - _LEVELS // 2


def keep_mask(bits: Tensor, rate: float) -> Tensor:
    """1.0 where an entry is kept and 0.0 where it is dropped; the shape of `bits`, float32.

    Comparing into a float tensor is several times faster on a CPU than multiplying by a boolean one.
    """
    return torch.ge(bits, threshold(rate), out=torch.empty(bits.shape, dtype=torch.float32))


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, hidden: Tensor, rate: float) -> Tensor:
        bits = random_bits(hidden.shape)
        context.save_for_backward(bits)  # 2 bytes an entry; the mask is remade from them
        context.rate = rate
        return keep_mask(bits, rate).mul_(hidden).mul_(1.0 / (1.0 - rate)).to(hidden.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (bits,) = context.saved_tensors
        mask = keep_mask(bits, context.rate)
        return mask.mul_(gradients[0]).mul_(1.0 / (1.0 - context.rate)).to(gradients[0].dtype), None


class FastDropout(nn.Dropout):
    """`nn.Dropout`, faster on a CPU; elsewhere it is `nn.Dropout`."""

    def forward(self, hidden: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return hidden
        if hidden.device.type != "cpu" or self.p >= 1.0:
            return super().forward(hidden)
        return _Dropout.apply(hidden, self.p)  # type: ignore[no-any-return, no-untyped-call]


def use_fast_dropout(module: nn.Module, rate: float | None = None) -> None:
    """Replace every dropout layer inside `module` in place; `rate` overrides every rate, attention's included."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(parent, name, FastDropout(child.p if rate is None else rate))
