"""Backbone and head as one network: built from a pretrained folder, or loaded from a run.

`build` takes any family of transformers; the head is the family's own class (`stock`) or ours, on the bare backbone.
The network reads a `Batch` and answers with named outputs or a loss; packing, cached frozen layers and fast dropout
happen here, and nowhere else.

Notation: B rows, T tokens, N tokens without padding, H hidden, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from weitiao.artifact import read_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.additions import ADDITIONS
from weitiao.models.additions.virtual_tokens import VirtualTokens, find_embedding
from weitiao.models.backbone import NetworkSpec as NetworkSpec
from weitiao.models.backbone import open_backbone, open_config
from weitiao.models.batch import Batch
from weitiao.models.below import Below, find_below
from weitiao.models.dropout import use_fast_dropout
from weitiao.models.heads import HEADS, Head, HeadSpec, Loss, pretrained
from weitiao.models.packing import FIRST_TOKEN, NAME, PACKABLE, WORTH_PACKING, Packing, packed_layers, plan_packing
from weitiao.models.quiet import quiet
from weitiao.models.rounded import PARTS, load_rounded, rounded_modules, save_rounded
from weitiao.models.stack import Stack, find_stacks, supplied
from weitiao.models.weights import WEIGHTS

HEAD_WEIGHTS = "head.safetensors"
ADDED_WEIGHTS = "additions.safetensors"


class Network(nn.Module):
    """A backbone and a head.

    Attributes:
        frozen_below: layers whose output `Batch.frozen` may bring; set by a method.
        frozen_modules: modules that run without dropout, each for itself; set by a method.
        frozen_parameters: names of the parameters below `frozen_below`; set by a method.
        added: names of the parameters that the pretrained folder lacked.
        inserted: names of the parameters of `spec.additions`.
        part: name of the backbone inside the whole model, where it is an encoder-decoder's encoder; else empty.
        folder: where the backbone, and its tokenizer, were opened.
        virtual: learnt tokens that stand among a text's, where a method put them in.
    """

    def __init__(self, backbone: PreTrainedModel, head: Head, spec: NetworkSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.spec = spec
        self.stacks: list[Stack] = find_stacks(self)
        self.frozen_below = 0
        self.frozen_modules: Sequence[nn.Module] = ()
        self.frozen_parameters: Sequence[str] = ()
        self.checkpointed = False
        self.added: set[str] = set()
        self.inserted: set[str] = set()
        self.part = ""
        self.folder = Path()
        self.virtual: Sequence[VirtualTokens] = ()  # a child of the embeddings, and of nothing else

    @property
    def stack(self) -> Stack:
        """The stack that reads the text: the only one, or the encoder's."""
        return self.stacks[0]

    @property
    def decodes(self) -> bool:
        """Whether the backbone has a decoder beside its encoder."""
        return bool(self.backbone.config.is_encoder_decoder) and not self.part

    @property
    def packable(self) -> bool:
        """Whether batches may be laid end to end."""
        config = self.backbone.config
        return (
            config.model_type in PACKABLE
            and len(self.stacks) == 1
            and _attention(config) == NAME
            and not self.checkpointed
        )

    def train(self, mode: bool = True) -> Network:
        """As in torch, but frozen modules stay in evaluation mode."""
        super().train(mode)
        for module in self.frozen_modules:
            module.training = False
        return self

    @property
    def coupled(self) -> bool:
        """Whether the loss compares all rows of a step with each other, so that a step cannot be split."""
        return bool(getattr(self.head, "coupled", False))

    def files(self, max_length: int) -> Mapping[str, Any]:
        """Name -> JSON that other libraries look for beside the weights; `max_length`: tokens of a text at most."""
        own = getattr(self.head, "files", None)
        return {} if own is None else own(max_length)

    def head_parameters(self) -> set[str]:
        """Names of the parameters that fine-tuning adds: our head's, the family head's, and what the folder lacked."""
        base = f"backbone.{self.backbone.base_model_prefix}."
        own_head = bool(self.spec.stock) and not pretrained(self.spec.head)
        return {
            name
            for name, _parameter in self.named_parameters()
            if name.startswith("head.")
            or name in self.added
            or (own_head and name.startswith("backbone.") and not name.startswith(base))
        }

    def insert(self, name: str, options: Mapping[str, Any]) -> None:
        """Put in a part that fine-tuning adds; with new weights, from torch's generator."""
        before = {each for each, _parameter in self.named_parameters()}
        ADDITIONS[name](self, **options)
        self.inserted |= {each for each, _parameter in self.named_parameters()} - before
        self.spec = replace(self.spec, additions=[*self.spec.additions, {"name": name, **options}])
        use_fast_dropout(self)

    def below(self, layers: int) -> Below:
        """What runs before layer `layers` of the stack: with 0 the embeddings and what belongs to them."""
        return find_below(self, self.backbone, self.stack, layers)

    @cached_property
    def _before(self) -> dict[str, nn.Module]:
        owners = dict.fromkeys(name.rpartition(".")[0] for name in self.below(0).parameters)
        return {name: self.get_submodule(name) for name in owners if not self.stack.prefix.startswith(name + ".")}

    def before_stack(self) -> dict[str, nn.Module]:
        """Name -> module of what has parameters and runs before the first layer; found once."""
        return self._before

    @cached_property
    def rows_first(self) -> bool:
        """Whether words are looked up as [B, T]; else as [T, B], as XLNet does."""
        return find_embedding(self)[1]

    def checkpoint_gradients(self) -> None:
        """Recompute activations in the backward pass: less memory, about a third more time."""
        backbone = self.backbone
        # the second name is deprecated where there is the first
        enable = getattr(backbone, "activation_checkpointing_enable", None) or backbone.gradient_checkpointing_enable
        enable({"use_reentrant": False})
        self.checkpointed = True

    def hidden(self, batch: Batch) -> Tensor:
        """What the backbone returns: [B, T, H], or what the head reads of the family's own class, such as [B, C]."""
        if not self.virtual:
            return self._run(batch)
        (virtual,) = self.virtual
        widened = virtual.widened(batch)
        with virtual.standing():
            hidden = self._run(widened)
        of_tokens = hidden.ndim == 3 and hidden.shape[1] == widened.inputs["input_ids"].shape[1]
        return virtual.without(hidden) if of_tokens else hidden

    def _run(self, batch: Batch) -> Tensor:
        inputs = dict(batch.inputs)
        with ExitStack() as around:
            packing = self._packing(batch)
            if packing is not None:
                first = 0
                if batch.frozen is not None:
                    first = self.frozen_below
                    around.enter_context(supplied(self.stack, first, batch.frozen.to(torch.float32)[None]))
                around.enter_context(packed_layers(self.stack, packing, first, self.narrow))
                del inputs["attention_mask"]
                inputs["packing"] = packing  # type: ignore[assignment]
            if hasattr(self.head, "around"):
                around.enter_context(self.head.around(self.backbone, batch))
            answer = self.backbone(**inputs)
        hidden: Tensor = self.head.read(answer) if self.spec.stock else answer.last_hidden_state
        return hidden

    @property
    def narrow(self) -> str:
        """The module of the last layer that may go on with first tokens only, because the head reads nothing else.

        Empty where there is none, and where all layers are frozen: their output is cached for every token.
        """
        if not (self.spec.stock and self.head.first_token) or self.frozen_below == len(self.stack):
            return ""
        return FIRST_TOKEN.get(self.backbone.config.model_type, "")

    def _packing(self, batch: Batch) -> Packing | None:
        if not self.packable:
            return None
        rows, longest = batch.inputs["input_ids"].shape
        wasteful = rows * longest > WORTH_PACKING * batch.tokens
        return plan_packing(batch.lengths) if wasteful or self.narrow or batch.frozen is not None else None

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        """Named arrays with one entry a row."""
        return self.head.outputs(self.hidden(batch), batch)

    def loss(self, batch: Batch) -> Loss:
        """A sum of row losses and its divisor."""
        batch = batch.repeated(getattr(self.head, "views", 1))
        return self.head.loss(self.hidden(batch), batch)

    def save(self, folder: Path) -> None:
        """Write `save_pretrained`'s layout, and the head's own weights where it has any."""
        with quiet():
            self._save_backbone(folder)
        own = {name: value.contiguous() for name, value in self.head.state_dict().items()}  # type: ignore[attr-defined]
        if own:
            save_file(own, folder / HEAD_WEIGHTS)
        inserted = {name: self.get_parameter(name).detach().contiguous() for name in sorted(self.inserted)}
        if inserted:
            save_file(inserted, folder / ADDED_WEIGHTS)
        save_rounded(self, folder)

    def _save_backbone(self, folder: Path) -> None:
        apart = self.inserted | {f"{name}.{part}" for name, _each in rounded_modules(self) for part in PARTS}
        state = {
            name: value.contiguous()
            for name, value in self.backbone.state_dict().items()
            if f"backbone.{name}" not in apart
        }
        if not self.part:
            self.backbone.save_pretrained(folder, state_dict=state if apart else None)
            return
        self.backbone.config.save_pretrained(folder)
        tensors = {f"{self.part}.{name}": value for name, value in state.items()}
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def build(folder: Path, spec: NetworkSpec) -> Network:
    """A network from a pretrained folder; new weights come from torch's generator, so seed it first.

    Raises:
        Refused: transformers has no class of this family for the head, or the weights do not load.
    """
    config = open_config(folder, spec)
    opened = open_backbone(folder, config, spec)
    network = Network(opened.model, _head(config, spec), replace(spec, additions=()))
    network.added = {f"backbone.{name}" for name in opened.added}
    network.part = opened.part
    network.folder = folder
    if pretrained(spec.head) and network.added:
        message = _(
            "{folder}: its weights lack '{name}', a part of the pretrained head; name a folder that has it whole"
        )
        raise Refused(message.format(folder=folder, name=min(network.added).removeprefix("backbone.")))
    _reinitialise(network, spec.reinit_layers)
    use_fast_dropout(network)
    for addition in spec.additions:
        options = dict(addition)
        network.insert(options.pop("name"), options)
    return network


def load(folder: Path, *, trust_remote_code: bool = False) -> Network:
    """The network of a saved run, in evaluation mode; `folder` is the run's `model/`.

    Args:
        trust_remote_code: run code that comes with the model. What the folder itself says about it is not obeyed.

    Raises:
        Refused: a tensor is missing or of another shape, or the model needs code that is not trusted.
    """
    if not trust_remote_code and "auto_map" in read_json(folder / "config.json"):
        raise Refused(
            _(
                "{folder}: the model comes with code of its own, which is not run; "
                "if you trust where it is from, load it with trust_remote_code=True"
            ).format(folder=folder)
        )
    saved = read_json(folder / "task.json")
    options = {"labels": saved["labels"], **saved["network"], "trust_remote_code": trust_remote_code}
    network = build(folder, NetworkSpec(**options))
    network.added -= load_rounded(network, folder)
    if network.added:
        raise _incomplete(folder, min(network.added))
    _load_head(network, folder)
    _load_additions(network, folder)
    return network.eval()


def _load_head(network: Network, folder: Path) -> None:
    """Our head's own weights, whole."""
    weights = folder / HEAD_WEIGHTS
    expected = network.head.state_dict()  # type: ignore[attr-defined]
    found = load_file(weights) if weights.is_file() else {}
    for name, tensor in expected.items():
        if name not in found or found[name].shape != tensor.shape:
            raise _incomplete(folder, f"head.{name}")
    network.head.load_state_dict({name: found[name] for name in expected})  # type: ignore[attr-defined]


def _load_additions(network: Network, folder: Path) -> None:
    """What the method put in, whole."""
    weights = folder / ADDED_WEIGHTS
    found = load_file(weights) if network.inserted and weights.is_file() else {}
    for name in sorted(network.inserted):
        parameter = network.get_parameter(name)
        if name not in found or found[name].shape != parameter.shape:
            raise _incomplete(folder, name)
        parameter.data.copy_(found[name])


def _incomplete(folder: Path, name: str) -> Refused:
    return Refused(
        _(
            "{folder}: the saved weights lack '{name}', or have it in another shape; copy the whole folder again, "
            "or train again"
        ).format(folder=folder, name=name)
    )


def _attention(config: PretrainedConfig) -> str:
    return str(getattr(config, "_attn_implementation", ""))


def _head(config: PretrainedConfig, spec: NetworkSpec) -> Head:
    text_config = config.get_text_config()
    rate = next(
        (
            value
            for key in ("classifier_dropout", "hidden_dropout_prob", "dropout", "resid_pdrop", "dropout_rate")
            if isinstance(value := getattr(text_config, key, None), float)
        ),
        0.0,
    )
    return HEADS[spec.head].of(  # type: ignore[no-any-return]
        HeadSpec(
            spec.labels,
            size=None if spec.stock else text_config.hidden_size,
            options=spec.options,
            class_weights=None if spec.class_weights is None else torch.tensor(spec.class_weights),
            label_smoothing=spec.label_smoothing,
            hidden_layers=spec.hidden_layers,
            dropout=rate,
            initializer_range=getattr(text_config, "initializer_range", 0.02),
            told=config.id2label or {},
        )
    )


def _reinitialise(network: Network, count: int) -> None:
    """Give the top `count` layers new weights, as the family initialises them (Zhang et al. 2021, section 4.1)."""
    layers = list(network.stack.layers)
    if count > len(layers):
        raise Refused(
            _("model.reinit_layers is {count}, but the model has {layers} layers").format(
                count=count, layers=len(layers)
            )
        )
    for layer in layers[len(layers) - count :]:
        for module in layer.modules():
            if hasattr(module, "_is_hf_initialized"):
                del module._is_hf_initialized
            for parameter in module.parameters(recurse=False):
                parameter.__dict__.pop("_is_hf_initialized", None)
        layer.apply(network.backbone._init_weights)
