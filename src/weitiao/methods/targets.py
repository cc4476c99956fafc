"""The linear layers that a method works on, told from names and shapes, so that `check` and training choose alike.

A layer's place is its name from its stack's own name on, `layer.0.attention.self.query`; what comes before differs
between a model folder and the network built from it. What is known of families is in the three patterns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from weitiao.models.shape import LAYER

ATTENTION = "attention"  # what `targets` says for the layers inside attention
IN_ATTENTION = re.compile(r"atte?n", re.IGNORECASE)
KEYS_AND_VALUES = re.compile(r"\.(k|v|key|value)(_\w+)?$|qkv$|query_key_value$|c_attn$", re.IGNORECASE)
TABLES = re.compile(r"embed|attention_bias")  # weights of two axes that are looked up, not multiplied


@dataclass(frozen=True, slots=True)
class LinearLayer:
    """One linear layer of a stack.

    Args:
        place: see above.
        inputs, outputs: its widths.
        transposed: whether its weight is stored as [inputs, outputs], as GPT-2's are.
    """

    place: str
    inputs: int
    outputs: int
    transposed: bool = False


def stored(tensors: Mapping[str, tuple[int, ...]]) -> list[LinearLayer]:
    """The linear layers among the tensors of a model folder; a bias says which side of the weight is its outputs."""
    found = []
    for name, shape in tensors.items():
        layer = LAYER.match(name)
        if layer is None or len(shape) != 2 or not name.endswith(".weight") or TABLES.search(name):
            continue
        place = name[layer.group(1).rstrip(".").rfind(".") + 1 :].removesuffix(".weight")
        bias = tensors.get(f"{name.removesuffix('weight')}bias", shape[:1])
        transposed = shape[0] != shape[1] and bias == shape[1:]
        found.append(LinearLayer(place, *(shape if transposed else shape[::-1]), transposed))
    return found


def chosen(layers: Iterable[LinearLayer], targets: str | None) -> list[LinearLayer]:
    """Those that `targets` means: all, those inside attention, or those in whose place the pattern is found."""
    pattern = IN_ATTENTION if targets == ATTENTION else re.compile(targets or "")
    return [layer for layer in layers if pattern.search(layer.place)]


def keys_and_values(layers: Iterable[LinearLayer]) -> list[LinearLayer]:
    """Those that make keys or values; where a family makes queries in the same layer, that layer."""
    return [layer for layer in chosen(layers, ATTENTION) if KEYS_AND_VALUES.search(layer.place)]


def narrowing(layers: Iterable[LinearLayer]) -> list[LinearLayer]:
    """Those that lead from the inside of a feed-forward part back to the model's width."""
    return [layer for layer in layers if layer.inputs > layer.outputs and not IN_ATTENTION.search(layer.place)]


def parts(layers: Sequence[LinearLayer]) -> list[str]:
    """Their places inside a layer, each once: `attention.self.query`."""
    return list(dict.fromkeys(re.sub(r"^.*?\.\d+\.", "", layer.place) for layer in layers))
