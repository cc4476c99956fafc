"""Options of methods that leave the base as it is and put a part of their own into it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field

from weitiao.messages import _
from weitiao.methods.options import Learning
from weitiao.methods.part_options import FrozenLayersOptions
from weitiao.models.families import attends_by_interface
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import EMBEDDINGS, LAYER, Shape, width_of
from weitiao.recipe import Finding, Recipe

KEYS = re.compile(r"\.(k|key|k_proj|k_lin)\.weight$")  # the projection to keys ...
FUSED = re.compile(r"\.(c_attn|qkv|Wqkv|qkv_proj|query_key_value)\.weight$")  # ... or to queries, keys and values


class AdapterOptions(FrozenLayersOptions):
    """A small network behind each sublayer learns: a few per cent of the parameters, close to full fine-tuning."""

    # at 5e-3 starter:zh-en fell back to the majority: houlsby on waimai_10k, pfeiffer on cic_intent at 8 labels a class
    learning_rate: ClassVar[float] = 2e-3
    placement: Literal["houlsby", "pfeiffer"] = Field(
        default="pfeiffer", description="behind feed-forward parts (pfeiffer), or behind attention too (houlsby)"
    )
    reduction: int = Field(default=16, ge=1, description="hidden width divided by the width of the adapter")
    nonlinearity: Literal["gelu", "relu", "silu", "tanh"] = Field(default="gelu", description="inside the adapter")

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        yield from super().misfits(recipe, folder)
        width = width_of(folder.config)
        if 0 < width < self.reduction:
            message = _("`method.reduction` is {got}, but the model's hidden width is {width}")
            yield Finding("misfit", ("method", "reduction"), message.format(got=self.reduction, width=width))
        if folder.family == "xlnet" and self.placement == "houlsby":
            message = _(
                "the attention of the family '{family}' has no linear module for an adapter to stand behind; "
                "set method.placement=pfeiffer"
            )
            yield Finding("misfit", ("method", "placement"), message.format(family=folder.family))

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        width = max(1, shape.hidden // self.reduction)
        one = 2 * shape.hidden * width + width + shape.hidden
        decoder = shape.depth - shape.stack * shape.repeats
        places = 2 * shape.stack + 3 * decoder if self.placement == "houlsby" else shape.stack + decoder
        return Learning(frozen=0, embeddings=False, cached=False, own=places * one)


class VirtualTokenOptions(FrozenLayersOptions):
    """Base of the options of methods that put virtual tokens into a text."""

    count: int = Field(default=20, ge=1, description="virtual tokens; a text has room for so many less")

    @property
    def positions(self) -> int:
        return self.count


class PromptOptions(VirtualTokenOptions):
    """Virtual tokens before the text learn: next to nothing to keep, and made for very large models."""

    learning_rate: ClassVar[float] = 1e-2  # the only rate tried, on 800 rows of sst2
    text: str | None = Field(
        default=None, min_length=1,
        description="words that the virtual tokens start from, again and again; default: drawn from the vocabulary",
    )  # fmt: skip

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        return Learning(frozen=0, embeddings=False, cached=False, own=self.count * _embedded(shape))


class PTuningOptions(VirtualTokenOptions):
    """Virtual tokens that a small network makes learn (P-tuning, version 1)."""

    learning_rate: ClassVar[float] = 5e-3  # tried beside 1e-3 on other rows of sst2
    encoder: Literal["lstm", "mlp"] = Field(default="mlp", description="the network that makes the virtual tokens")
    width: int = Field(default=128, ge=1, description="of that network")

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        size, width = _embedded(shape), self.width
        if self.encoder == "mlp":
            made = _linear(size, width) + _linear(width, width) + _linear(width, size)
        else:
            cells = 2 * (_gates(size, width) + _gates(2 * width, width))  # two layers in both directions
            made = cells + _linear(2 * width, 2 * width) + _linear(2 * width, size)
        return Learning(frozen=0, embeddings=False, cached=False, own=self.count * size + made)


class PrefixedOptions(FrozenLayersOptions):
    """Base of the options of methods that put keys and values into every layer."""

    count: int = Field(default=20, ge=1, description="learnt keys and values of each layer")

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        yield from super().misfits(recipe, folder)
        if not attends_by_interface(folder.family):
            message = _(
                "`method: {method}` puts keys and values into the attention, which the family '{family}' does not take "
                "from transformers' attention interface; take adapter or lora"
            )
            yield Finding("misfit", ("method",), message.format(method=recipe.method.name, family=folder.family))


class PrefixOptions(PrefixedOptions):
    """Keys and values in every layer learn, made by a small network."""

    learning_rate: ClassVar[float] = 1e-3  # above 5e-3 on some hundred rows of sst2
    width: int = Field(
        default=512, ge=0,
        description="of the network that makes them; 0: parameters of their own, as p_tuning_v2",
    )  # fmt: skip

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        keys = _keys(shape)
        if not self.width:
            return Learning(frozen=0, embeddings=False, cached=False, own=shape.stack * 2 * self.count * keys)
        trunk = self.count * shape.hidden + _linear(shape.hidden, self.width)
        own = trunk + shape.stack * _linear(self.width, 2 * keys)
        return Learning(frozen=0, embeddings=False, cached=False, own=own)


class PTuningV2Options(PrefixedOptions):
    """Keys and values of their own in every layer learn (P-tuning, version 2)."""

    learning_rate: ClassVar[float] = 1e-2  # the only rate tried, on 300 rows of sst2

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        own = shape.stack * 2 * self.count * _keys(shape)
        return Learning(frozen=0, embeddings=False, cached=False, own=own)


def _linear(inputs: int, outputs: int) -> int:
    """Parameters of a linear layer."""
    return inputs * outputs + outputs


def _gates(inputs: int, width: int) -> int:
    """Parameters of one direction of an LSTM layer, with torch's two biases."""
    return 4 * width * (inputs + width + 2)


def _embedded(shape: Shape) -> int:
    """Width of the word embeddings, which is not the hidden width in every family."""
    tables = [
        size
        for name, size in shape.tensors.items()
        if len(size) == 2 and EMBEDDINGS.search(name) and not LAYER.match(name)
    ]
    return max(tables, default=(0, shape.hidden))[1]


def _keys(shape: Shape) -> int:
    """Width of a layer's keys, all heads together."""
    inside = {name: size for name, size in shape.tensors.items() if LAYER.match(name) and len(size) == 2}
    for name, size in inside.items():
        if KEYS.search(name):
            return size[0]
        if FUSED.search(name):
            return (sum(size) - 2 * shape.hidden) // 2  # one side is hidden, the other queries, keys and values
    return shape.hidden
