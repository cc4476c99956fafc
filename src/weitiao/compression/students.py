"""The student that distillation starts from: some of the teacher's layers, or all of it cut narrower.

Layers are taken at even steps from the top down, as DistilBERT's are (Sanh et al. 2019, section 3), so that the
student's layer j is to give what the teacher's at the end of its step gives. A narrower student has heads of the same
width, fewer of them, and the first entries of each axis of the teacher's tensors, or new weights.

Notation: H hidden, L layers of the teacher, S of the student.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from weitiao.compression.base import Source
from weitiao.compression.layout import Layout, layout_of
from weitiao.compression.shrinking import keep_layers
from weitiao.models.network import Network, build
from weitiao.models.shape import HEADS, INNER, WIDTH

FUSED = ("c_attn", "Wqkv")  # linear layers that make queries, keys and values, one behind the other
HEAD_KEYS = (*HEADS, "num_key_value_heads", "decoder_attention_heads")
INNER_KEYS = (*INNER, "decoder_ffn_dim")


def chosen_layers(depth: int, count: int, *, first: bool = False) -> list[int]:
    """Which of L layers the S of a student are; `first`: the lowest must be among them."""
    places = [(place + 1) * depth // count - 1 for place in range(count)]
    return [0, *places[1:]] if first else places


def student_of(source: Source, layers: int | None, width: int | None, *, new: bool) -> tuple[Network, list[int]]:
    """The student, and of each of its layers the teacher's that it is to equal.

    Args:
        layers: how many it has; half of the teacher's by default.
        width: H of the student; the teacher's by default.
        new: whether a narrower student starts from new weights.
    """
    network = source.network()
    layout = layout_of(network.backbone.config.get_text_config().to_dict())
    depth = len(network.stack)
    default = depth if width is not None else max(1, depth // 2)
    first = layout is not None and layout.first_differs
    kept = chosen_layers(depth, layers or default, first=first)
    if len(kept) < depth:
        keep_layers(network, kept)
    if width is not None:
        assert layout is not None  # refused otherwise
        network = narrower(network, width, layout, new=new)
    return network, chosen_layers(depth, len(kept))


def narrower(network: Network, width: int, layout: Layout, *, new: bool) -> Network:
    """The network at another width, with a head of its own."""
    config = copy.deepcopy(network.backbone.config)
    was = next(int(getattr(config, key)) for key in WIDTH if key in config.to_dict())
    for keys in (WIDTH, HEAD_KEYS, INNER_KEYS):
        for key in keys:
            value = config.to_dict().get(key)
            if isinstance(value, int):
                setattr(config, key, width if keys == WIDTH else max(1, value * width // was))
    kind: Any = type(network.backbone)
    made = kind._from_config(config, attn_implementation=network.backbone.config._attn_implementation)
    if not new:
        _cut(made, network.backbone, layout)
    bare = Network(made, network.head, replace(network.spec, reinit_layers=0))
    bare.part = network.part
    with TemporaryDirectory() as folder:
        bare.save(Path(folder))
        student = build(Path(folder), network.spec)
    student.added, student.folder = set(), network.folder
    if not new:
        _cut_head(student, network)
    return student


def _cut(made: nn.Module, teacher: nn.Module, layout: Layout) -> None:
    """Put the first entries of each axis of the teacher's tensors into the smaller ones."""
    theirs = teacher.state_dict()
    with torch.no_grad():
        for name, tensor in made.state_dict().items():
            if name in theirs and theirs[name].ndim == tensor.ndim:
                owner = name.rpartition(".")[0]
                blocks = 3 if owner.endswith(FUSED) else layout.halves if owner.endswith(layout.inner) else 1
                axis = tensor.ndim - 1 if isinstance(made.get_submodule(owner), Conv1D) else 0  # of the outputs
                parts = zip(tensor.chunk(blocks, axis), theirs[name].chunk(blocks, axis), strict=True)
                for part, whole in parts:
                    part.copy_(_first(whole, part.shape))


def _first(tensor: Tensor, shape: Sequence[int]) -> Tensor:
    """The first entries of each axis."""
    return tensor[tuple(slice(size) for size in shape)]


def _cut_head(student: Network, teacher: Network) -> None:
    """The same for a head of ours, whose shapes follow the width."""
    head: Any = student.head
    theirs: dict[str, Tensor] = teacher.head.state_dict()  # type: ignore[attr-defined]
    with torch.no_grad():
        for name, tensor in head.state_dict().items():
            tensor.copy_(_first(theirs[name], tensor.shape))
