"""The size of a pretrained model in the numbers that cost time and memory, told from its config and weight headers.

Families name the same things differently; what a config does not say is taken from the shapes of the tensors.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEPTH = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers")
DECODER_DEPTH = ("num_decoder_layers", "decoder_layers")
WIDTH = ("hidden_size", "d_model", "n_embd", "dim")
INNER = ("intermediate_size", "d_ff", "d_inner", "n_inner", "hidden_dim", "encoder_ffn_dim", "ffn_dim")
HEADS = ("num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads")
OTHER_HEADS = re.compile(r"^(cls|lm_head|qa_outputs|vocab_\w+|generator_\w+|classifier|score|pre_classifier)\.")
EMBEDDINGS = re.compile(r"(embed|\bwte\b|\bwpe\b|\bshared\b)")
DECODER = re.compile(r"(^|\.)decoder\.")
LAYER = re.compile(r"^(.*?\.)(\d+)\.")
RATES = re.compile(r"drop(out|$|_)|pdrop")  # config keys that are dropout rates ...
LAYERS_DROPPED = re.compile(r"layer_?drop|drop_path")  # ... and those that leave out whole layers, which are not


@dataclass(frozen=True, slots=True)
class Shape:
    """What a pass through the model costs.

    Args:
        depth: layers that a token passes, encoder and decoder together.
        stack: stored layers of the stack that reads the text, which is what methods count.
        repeats: how often a token passes each of them; 1 but where layers are shared (ALBERT).
        hidden: width.
        inner: width inside the feed-forward part.
        heads: attention heads.
        layer: parameters of one layer.
        layers: parameters of all layers that are stored (shared ones once).
        embeddings: parameters of the lookup tables.
        other: the rest: norms, pooler.
        tensors: name -> shape of every stored tensor, heads of pretraining left out.
    """

    depth: int
    stack: int
    repeats: int
    hidden: int
    inner: int
    heads: int
    layer: float
    layers: int
    embeddings: int
    other: int
    tensors: Mapping[str, tuple[int, ...]] = field(default_factory=dict, compare=False)

    @property
    def total(self) -> int:
        """Parameters of the backbone."""
        return self.layers + self.embeddings + self.other


def shape_of(config: Mapping[str, Any], parameters: Mapping[str, tuple[int, ...]], *, decoder: bool = True) -> Shape:
    """The shape of a model folder: its config and name -> shape of its tensors.

    Args:
        decoder: whether the decoder of an encoder-decoder takes part; under a head of ours it does not.
    """
    if config.get("is_encoder_decoder") and not decoder:
        config = {**config, "is_encoder_decoder": False}
        parameters = {name: shape for name, shape in parameters.items() if not DECODER.search(name)}
    inside = config.get("text_config")
    settings: Mapping[str, Any] = inside if isinstance(inside, Mapping) else config
    sizes = {name: math.prod(shape) for name, shape in parameters.items() if not OTHER_HEADS.match(name)}
    in_layers = {name: size for name, size in sizes.items() if LAYER.match(name)}
    embeddings = sum(
        size
        for name, size in sizes.items()
        if name not in in_layers and EMBEDDINGS.search(name) and len(parameters[name]) == 2
    )
    stored = len({found.groups() for name in in_layers if (found := LAYER.match(name))})
    layers = sum(in_layers.values())
    hidden = _first(settings, WIDTH)
    depth = depth_of(config) or stored or 1
    stack = stack_depth_of(config) or depth
    return Shape(
        depth=depth,
        stack=stack,
        repeats=depth // stack if _shared(settings) else 1,
        hidden=hidden,
        inner=_first(settings, INNER) or 4 * hidden,
        heads=_first(settings, HEADS) or 1,
        layer=layers / max(stored, 1),
        layers=layers,
        embeddings=embeddings,
        other=sum(sizes.values()) - layers - embeddings,
        tensors={name: tuple(parameters[name]) for name in sizes},
    )


def depth_of(config: Mapping[str, Any]) -> int:
    """Layers of the model, encoder and decoder together; 0 where the config does not say."""
    inside = config.get("text_config")
    settings: Mapping[str, Any] = inside if isinstance(inside, Mapping) else config
    decoder = _first(settings, DECODER_DEPTH) if settings.get("is_encoder_decoder") else 0
    return _first(settings, DEPTH) + decoder


def stack_depth_of(config: Mapping[str, Any]) -> int:
    """Layers of the stack that reads the text, which is what `freeze` and `reinit_layers` count; shared ones once."""
    inside = config.get("text_config")
    settings: Mapping[str, Any] = inside if isinstance(inside, Mapping) else config
    return _shared(settings) or _first(settings, DEPTH)


def width_of(config: Mapping[str, Any]) -> int:
    """Numbers in the vector of a token; 0 where the config does not say."""
    inside = config.get("text_config")
    return _first(inside if isinstance(inside, Mapping) else config, WIDTH)


def dropout_rates(config: Mapping[str, Any]) -> dict[str, float]:
    """Key -> rate of every dropout rate that the config gives."""
    return {
        key: float(value)
        for key, value in config.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and RATES.search(key)
        and not LAYERS_DROPPED.search(key)
    }


def _shared(settings: Mapping[str, Any]) -> int:
    """Stored groups of layers that are gone through again and again; 0 in families that share none."""
    return _first(settings, ("num_hidden_groups",))


def _first(settings: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((int(value) for name in names if isinstance(value := settings.get(name), int) and value > 0), 0)
