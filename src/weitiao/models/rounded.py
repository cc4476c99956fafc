"""Linear layers and lookup tables whose weights are kept in 8 or 4 bits, and made floats again where they are used.

Weights are rounded in groups of neighbouring inputs, each to evenly spaced values from its smallest to its largest one
(affine, group-wise: Dettmers and Zettlemoyer 2023, section 3). The arithmetic stays float32, so an answer does not
depend on its neighbours in a batch. They stand in a file of their own beside the other weights; plain transformers
does not read it.

Notation: O rows of a weight (outputs, or words), I columns, G groups of a row, K columns of a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

ROUNDED_WEIGHTS = "rounded.safetensors"
PARTS = ("codes", "low", "step")


class Rounded(nn.Module):
    """A weight [O, I] as whole numbers.

    Args:
        codes: [O, G, K] of 8 bits, or [O, G, K / 2], two of 4 bits in a byte.
        low, step: [O, G], the value of code 0 and from one code to the next; in half precision.
        columns: I; the last group is filled up.
    """

    codes: Tensor
    low: Tensor
    step: Tensor

    def __init__(self, codes: Tensor, low: Tensor, step: Tensor, columns: int, bits: int) -> None:
        super().__init__()
        self.columns, self.bits = columns, bits
        for name, value in zip(PARTS, (codes, low, step), strict=True):
            self.register_buffer(name, value)

    @property
    def weight(self) -> Tensor:
        """What the codes stand for, [O, I]."""
        return floats(self.codes, self.low, self.step, self.bits)[:, : self.columns]


class RoundedLinear(Rounded):
    """A linear layer of such a weight."""

    bias: nn.Parameter | None

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., I] -> [..., O]."""
        return F.linear(hidden, self.weight, self.bias)


class RoundedEmbedding(Rounded):
    """A lookup table of such a weight: only the rows that are asked for become floats."""

    def forward(self, ids: Tensor) -> Tensor:
        """[B, T] -> [B, T, I]."""
        flat = ids.flatten()
        rows = floats(self.codes[flat], self.low[flat], self.step[flat], self.bits)[:, : self.columns]
        return rows.view(*ids.shape, -1)


def rounded_parts(weight: Tensor, bits: int, group: int) -> tuple[Tensor, Tensor, Tensor]:
    """(codes, low, step) of a weight [O, I]."""
    rows, columns = weight.shape
    filled = F.pad(weight.detach().float(), (0, -columns % group), mode="replicate" if columns % group else "constant")
    grouped = filled.view(rows, -1, group)  # [O, G, K]
    most = 2**bits - 1
    low = grouped.amin(-1).half()
    step = ((grouped.amax(-1) - low.float()) / most).half()  # [O, G]
    scale = step.float().masked_fill(step == 0, 1.0)  # all values of the group are its smallest
    codes = ((grouped - low.float()[..., None]) / scale[..., None]).round().clamp(0, most).to(torch.uint8)
    return (codes if bits == 8 else codes[..., 0::2] | (codes[..., 1::2] << 4)), low, step


def floats(codes: Tensor, low: Tensor, step: Tensor, bits: int) -> Tensor:
    """[O, G, ...] -> [O, G * K]."""
    whole = codes if bits == 8 else torch.stack([codes & 15, codes >> 4], -1).flatten(-2)  # [O, G, K]
    return torch.addcmul(low.float()[..., None], whole.float(), step.float()[..., None]).flatten(1)


def round_module(module: nn.Module, bits: int, group: int) -> Rounded:
    """The same layer, rounded; of GPT-2's linear layers the weight is [I, O]."""
    weight: Tensor = module.weight.T if isinstance(module, Conv1D) else module.weight  # type: ignore[assignment]
    return _module(module, *rounded_parts(weight.contiguous(), bits, group), bits)


def _module(module: nn.Module, codes: Tensor, low: Tensor, step: Tensor, bits: int) -> Rounded:
    """The rounded layer that stands for `module`, whose bias it takes over."""
    if isinstance(module, nn.Embedding):
        return RoundedEmbedding(codes, low, step, module.embedding_dim, bits)
    columns = module.nx if isinstance(module, Conv1D) else module.in_features
    made = RoundedLinear(codes, low, step, int(columns), bits)  # type: ignore[arg-type]
    made.bias = module.bias  # type: ignore[assignment]
    return made


def rounded_modules(network: nn.Module) -> Iterator[tuple[str, Rounded]]:
    """Name and module of each rounded layer."""
    return ((name, each) for name, each in network.named_modules() if isinstance(each, Rounded))


def save_rounded(network: nn.Module, folder: Path) -> None:
    """Write the rounded weights, if there are any."""
    modules = dict(rounded_modules(network))
    if modules:
        tensors = {f"{name}.{part}": getattr(each, part) for name, each in modules.items() for part in PARTS}
        bits = next(iter(modules.values())).bits
        save_file(tensors, folder / ROUNDED_WEIGHTS, metadata={"bits": str(bits)})


def load_rounded(network: nn.Module, folder: Path) -> set[str]:
    """Put the folder's rounded layers in the place of those that were built; names of their weights."""
    if not (folder / ROUNDED_WEIGHTS).is_file():
        return set()
    with safe_open(folder / ROUNDED_WEIGHTS, "pt") as stored:
        bits = int(stored.metadata()["bits"])
        names = sorted({key.rpartition(".")[0] for key in stored.keys()})  # noqa: SIM118 - no mapping
        for name in names:
            codes, low, step = (stored.get_tensor(f"{name}.{part}") for part in PARTS)
            network.set_submodule(name, _module(network.get_submodule(name), codes, low, step, bits))
    return {f"{name}.weight" for name in names}
