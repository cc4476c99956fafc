"""Finding things out about a network by running it once: two tokens go through the whole backbone.

Families name and order their modules as they like; what runs, on what, and where its output goes, is the same in all.

Notation: B rows, T tokens.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

IDS = (1, 0)  # any two tokens; falling, so that no numbering of positions or segments looks like them


def probe(network: nn.Module, backbone: PreTrainedModel, *, decodes: bool) -> Any:
    """What the bare model inside `backbone` answers to two tokens, with its graph; nothing of it stays.

    Args:
        network: whose parameters all get a gradient meanwhile, and whose modules are in evaluation mode.
        backbone: the part of it that is run.
        decodes: whether the model has a decoder, which then reads the same tokens.
    """
    ids = torch.tensor([IDS], device=next(backbone.parameters()).device)  # [B, T]
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with everything_learns(network), torch.enable_grad():
        return backbone.base_model(**inputs, **({"decoder_input_ids": ids} if decodes else {}))


@contextmanager
def everything_learns(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, so that nothing random is drawn, and a gradient for every parameter; all put back."""
    modes = [(module, module.training) for module in network.modules()]
    learns = [(parameter, parameter.requires_grad) for parameter in network.parameters()]
    network.eval()
    network.requires_grad_(True)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for parameter, flag in learns:
            parameter.requires_grad_(flag)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Every tensor inside nested mappings and sequences."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from tensors_in(each)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from tensors_in(each)
