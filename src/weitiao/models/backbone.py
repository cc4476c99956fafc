"""A pretrained folder as a transformers model: the family's own class with its head, or the bare backbone.

Of an encoder-decoder under a mean head only the encoder is kept; it is written under the names that the whole model
gives it (`part`), so that the folder loads again here and as the family's encoder in plain transformers.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from weitiao.errors import Refused
from weitiao.machine import quota
from weitiao.messages import _
from weitiao.models.heads import HEADS, pretrained
from weitiao.models.packing import NAME
from weitiao.models.quiet import quiet
from weitiao.models.shape import dropout_rates


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What stands on the backbone.

    Args:
        head: entry of `HEADS`.
        kind: the family's own class where the head has one, or mean pooling.
        labels: names of the head's outputs, C of them.
        options: the task's own, for the head.
        class_weights, label_smoothing, hidden_layers: as in `heads.HeadSpec`.
        reinit_layers: top layers to initialise anew.
        dropout: rate everywhere; None for what the config says.
        pad_id: padding token.
        trust_remote_code: run code that comes with the model; never taken from a saved run.
        additions: parts that a method put in, each {"name": entry of `ADDITIONS`, ...its options}.
    """

    head: str
    kind: Literal["stock", "mean"]
    labels: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)
    class_weights: Sequence[float] | None = None
    label_smoothing: float = 0.0
    hidden_layers: Sequence[int] = ()
    reinit_layers: int = 0
    dropout: float | None = None
    pad_id: int = 0
    trust_remote_code: bool = False
    additions: Sequence[Mapping[str, Any]] = ()

    @property
    def stock(self) -> str:
        """transformers' Auto class that the network is; empty for a bare backbone under a head of ours."""
        return HEADS[self.head].stock if self.kind == "stock" else ""


@dataclass(frozen=True, slots=True)
class Backbone:
    """What was opened.

    Args:
        model: the family's class, a bare backbone, or the encoder of an encoder-decoder.
        part: name of that encoder inside the whole model; empty otherwise.
        added: names of the parameters that the folder lacked or had in another shape.
    """

    model: PreTrainedModel
    part: str
    added: frozenset[str]


def open_config(folder: Path, spec: NetworkSpec) -> PretrainedConfig:
    """The folder's config, with the spec's labels (unless the head comes with its own) and dropout.

    Raises:
        Refused: transformers cannot read it, or it needs code that is not trusted.
    """
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=spec.trust_remote_code
        )
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from error
    if not spec.trust_remote_code:
        config.__dict__.pop("auto_map", None)  # what is saved of this network then needs no code either
    if not pretrained(spec.head):
        config.num_labels = len(spec.labels)
        config.id2label = dict(enumerate(spec.labels))
        config.label2id = {label: index for index, label in enumerate(spec.labels)}
        config.problem_type = HEADS[spec.head].problem_type(spec.options)
    if spec.dropout is not None:
        for each in {id(every): every for every in (config, config.get_text_config())}.values():
            for key in dropout_rates(each.to_dict()):
                setattr(each, key, spec.dropout)
    return config


def open_backbone(folder: Path, config: PretrainedConfig, spec: NetworkSpec) -> Backbone:
    """The model of the folder; what it lacks comes from torch's generator. In a container torch keeps to its quota.

    Raises:
        Refused: transformers has no class of this family for the head, or the weights do not load.
    """
    auto = getattr(transformers, spec.stock) if spec.stock else AutoModel
    torch.set_num_threads(min(torch.get_num_threads(), quota() or torch.get_num_threads()))
    if type(config) not in auto._model_mapping and not spec.trust_remote_code:
        raise Refused(no_stock_class(str(folder), config.model_type, auto.__name__))
    try:
        with quiet():
            model, loading = auto.from_pretrained(
                str(folder), output_loading_info=True, **_arguments(auto, config, spec)
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise _unreadable(folder, error) from error
    _set_pad_id(model, spec.pad_id)
    added = frozenset({*loading["missing_keys"], *(name for name, *_shapes in loading["mismatched_keys"])})
    if not spec.stock and config.is_encoder_decoder:
        return _encoder(model, added)
    return Backbone(model, "", added)


def _arguments(auto: Any, config: PretrainedConfig, spec: NetworkSpec) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "config": config, "local_files_only": True, "dtype": torch.float32, "use_safetensors": True,
        "ignore_mismatched_sizes": True, "trust_remote_code": spec.trust_remote_code,
    }  # fmt: skip
    if type(config) not in auto._model_mapping:
        return arguments
    model_class = auto._model_mapping[type(config)]
    model_class = model_class[0] if isinstance(model_class, tuple) else model_class
    arguments["attn_implementation"] = _implementation(model_class)
    if not spec.stock and "add_pooling_layer" in inspect.signature(model_class.__init__).parameters:
        arguments["add_pooling_layer"] = False
    return arguments


def _implementation(model_class: Any) -> str:
    """Our attention where the family goes through transformers' attention interface, else what it has."""
    if getattr(model_class, "_supports_attention_backend", False) and getattr(model_class, "_supports_sdpa", False):
        return NAME
    return "sdpa" if getattr(model_class, "_supports_sdpa", False) else "eager"


def _set_pad_id(model: PreTrainedModel, pad_id: int) -> None:
    """Make the padding of our batches the model's: a decoder's own head finds the last token of a row by it.

    Families that count positions from the padding index keep theirs, which their weights were trained with; they tell
    padding by the mask.
    """
    counted = any(
        "position" in name and isinstance(module, nn.Embedding) and module.padding_idx is not None
        for name, module in model.named_modules()
    )
    if not counted:
        model.config.pad_token_id = pad_id
        model.config.get_text_config().pad_token_id = pad_id


def _encoder(model: PreTrainedModel, added: frozenset[str]) -> Backbone:
    encoder = model.get_encoder()
    part = next(name for name, module in model.named_modules() if module is encoder)
    inside = {f"{part}.{name}" for name in encoder.state_dict()}
    return Backbone(encoder, part, frozenset(name.removeprefix(f"{part}.") for name in added & inside))


def no_stock_class(folder: str, family: str, auto: str) -> str:
    """Says that transformers has no such class of this family."""
    message = _("{folder}: transformers has no {auto} of the family '{family}'").format(
        folder=folder, auto=auto, family=family
    )
    return message + (_("; head: mean works with any backbone") if auto == "AutoModelForSequenceClassification" else "")


def _unreadable(folder: Path, error: Exception) -> Refused:
    return Refused(
        _("{folder}: the model cannot be loaded ({reason})").format(folder=folder, reason=str(error).splitlines()[0])
    )
