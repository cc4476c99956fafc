"""Backbone and head as one network: built from a pretrained folder, or loaded from a run.

`build` takes any family that transformers can classify with; the head is the family's own (`stock`) or ours (`mean`).
The network reads a `Batch` and answers with named outputs or a loss; packing, cached frozen layers and fast dropout
happen here, and nowhere else.

Notation: B rows, T tokens, N tokens without padding, H hidden, C classes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers import (
    logging as transformers_logging,
)

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.batch import Batch
from weitiao.models.dropout import use_fast_dropout
from weitiao.models.heads import HEADS, Head, Loss
from weitiao.models.packing import FIRST_TOKEN, NAME, PACKABLE, WORTH_PACKING, Packing, packed_layers, plan_packing
from weitiao.models.stack import Stack, find_stacks, supplied

HEAD_WEIGHTS = "head.safetensors"


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """What stands on the backbone.

    Args:
        head: entry of `HEADS`.
        kind: the family's own class, or mean pooling.
        labels: class names, C of them.
        multi_label, class_weights, label_smoothing, hidden_layers: as in `heads.classify`.
        reinit_layers: top layers to initialise anew.
        dropout: rate everywhere; None for what the config says.
        pad_id: padding token.
        trust_remote_code: run code that comes with the model.
    """

    head: str
    kind: Literal["stock", "mean"]
    labels: Sequence[str]
    multi_label: bool = False
    class_weights: Sequence[float] | None = None
    label_smoothing: float = 0.0
    hidden_layers: Sequence[int] = ()
    reinit_layers: int = 0
    dropout: float | None = None
    pad_id: int = 0
    trust_remote_code: bool = False


class Network(nn.Module):
    """A backbone and a head.

    Attributes:
        frozen_below: layers whose output `Batch.frozen` may bring; set by a method.
        frozen_modules: modules that never train, and so run without dropout; set by a method.
        added: names of the parameters that the pretrained folder lacked.
    """

    def __init__(self, backbone: PreTrainedModel, head: Head, spec: NetworkSpec) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.spec = spec
        self.stacks: list[Stack] = find_stacks(self)
        self.frozen_below = 0
        self.frozen_modules: list[nn.Module] = []
        self.checkpointed = False
        self.added: set[str] = set()

    @property
    def stack(self) -> Stack:
        """The stack that reads the text: the only one, or the encoder's."""
        return self.stacks[0]

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
            module.eval()
        return self

    def head_parameters(self) -> set[str]:
        """Names of the parameters that fine-tuning adds: our head's, the family head's, and what the folder lacked."""
        base = f"backbone.{self.backbone.base_model_prefix}."
        own_head = self.spec.kind == "stock"
        return {
            name
            for name, _parameter in self.named_parameters()
            if not name.startswith("backbone.") or name in self.added or (own_head and not name.startswith(base))
        }

    def before_stack(self) -> dict[str, nn.Module]:
        """Name -> module of what runs before the first layer: the embeddings and what belongs to them."""
        before: dict[str, nn.Module] = {}
        covered = ""
        for name, module in self.backbone.named_modules(prefix="backbone"):
            if name == self.stack.prefix:
                break
            if self.stack.prefix.startswith(name + ".") or (covered and name.startswith(covered + ".")):
                continue
            before[name] = module
            covered = name
        return before

    def checkpoint_gradients(self) -> None:
        """Recompute activations in the backward pass: less memory, about a third more time."""
        self.backbone.gradient_checkpointing_enable({"use_reentrant": False})  # type: ignore[no-untyped-call]
        self.checkpointed = True

    def hidden(self, batch: Batch) -> Tensor:
        """What the backbone returns: [B, T, H], or the logits [B, C] of a stock head."""
        inputs = dict(batch.inputs)
        with ExitStack() as around:
            packing = self._packing(batch)
            if packing is not None:
                first = 0
                if batch.frozen is not None:
                    first = self.frozen_below
                    around.enter_context(supplied(self.stack, first, batch.frozen.to(torch.float32)[None]))
                around.enter_context(packed_layers(self.stack, packing, first, self._narrow()))
                del inputs["attention_mask"]
                inputs["packing"] = packing  # type: ignore[assignment]
            answer = self.backbone(**inputs)
        return answer.logits if self.spec.kind == "stock" else answer.last_hidden_state  # type: ignore[no-any-return]

    def _narrow(self) -> str:
        """Where the last layer may go on with first tokens only, because the head reads nothing else."""
        return FIRST_TOKEN.get(self.backbone.config.model_type, "") if self.spec.kind == "stock" else ""

    def _packing(self, batch: Batch) -> Packing | None:
        rows, longest = batch.inputs["input_ids"].shape
        wasteful = rows * longest > WORTH_PACKING * batch.tokens
        if self.packable and (wasteful or self._narrow() or batch.frozen is not None):
            return plan_packing(batch.lengths)
        return None

    def outputs(self, batch: Batch) -> dict[str, Tensor]:
        """Named arrays with one entry a row."""
        return self.head.outputs(self.hidden(batch), batch)

    def loss(self, batch: Batch) -> Loss:
        """A sum of row losses and its divisor."""
        return self.head.loss(self.hidden(batch), batch)

    def save(self, folder: Path) -> None:
        """Write `save_pretrained`'s layout, and the head's own weights where it has any."""
        with quiet():
            self.backbone.save_pretrained(folder)
        own = {name: value.contiguous() for name, value in self.head.state_dict().items()}  # type: ignore[attr-defined]
        if own:
            save_file(own, folder / HEAD_WEIGHTS)


def build(folder: Path, spec: NetworkSpec) -> Network:
    """A network from a pretrained folder; new weights come from torch's generator, so seed it first.

    Raises:
        Refused: transformers cannot classify with this family, or the weights do not load.
    """
    config = _config(folder, spec)
    with quiet():
        backbone, added = _backbone(folder, config, spec)
    network = Network(backbone, _head(config, spec), spec)
    network.added = {f"backbone.{name}" for name in added}
    _reinitialise(network, spec.reinit_layers)
    use_fast_dropout(network)
    return network


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars, and its warning that a new head is untrained: training it is what we do."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def load(folder: Path) -> Network:
    """The network of a saved run, in evaluation mode; `folder` is the run's `model/`."""
    saved = json.loads((folder / "task.json").read_text("utf-8"))
    spec = NetworkSpec(labels=saved["labels"], **saved["network"])
    network = build(folder, spec)
    weights = folder / HEAD_WEIGHTS
    if weights.is_file():
        network.head.load_state_dict(load_file(weights))  # type: ignore[attr-defined]
    return network.eval()


def _config(folder: Path, spec: NetworkSpec) -> PretrainedConfig:
    config: PretrainedConfig = AutoConfig.from_pretrained(
        str(folder), local_files_only=True, trust_remote_code=spec.trust_remote_code
    )
    config.num_labels = len(spec.labels)
    config.id2label = dict(enumerate(spec.labels))
    config.label2id = {label: index for index, label in enumerate(spec.labels)}
    config.problem_type = "multi_label_classification" if spec.multi_label else "single_label_classification"
    if config.pad_token_id is None:
        config.pad_token_id = spec.pad_id
    if spec.dropout is not None:
        for key, value in config.to_dict().items():
            if re.search(r"drop(out|$|_)|pdrop", key) and isinstance(value, float):
                setattr(config, key, spec.dropout)
    return config


def _backbone(folder: Path, config: PretrainedConfig, spec: NetworkSpec) -> tuple[PreTrainedModel, set[str]]:
    """The backbone, and the names of the parameters that the folder did not have or had in another shape."""
    auto = AutoModelForSequenceClassification if spec.kind == "stock" else AutoModel
    if type(config) not in auto._model_mapping:
        raise Refused(
            _(
                "{folder}: transformers cannot classify with a {family} model; head: mean works with any backbone"
            ).format(folder=folder, family=config.model_type)
        )
    arguments: dict[str, Any] = {
        "config": config, "local_files_only": True, "dtype": torch.float32, "use_safetensors": True,
        "ignore_mismatched_sizes": True, "attn_implementation": _implementation(auto._model_mapping[type(config)]),
        "trust_remote_code": spec.trust_remote_code,
    }  # fmt: skip
    if spec.kind == "mean" and config.model_type in PACKABLE - {"electra", "distilbert"}:
        arguments["add_pooling_layer"] = False
    try:
        model, loading = auto.from_pretrained(str(folder), output_loading_info=True, **arguments)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise Refused(
            _("{folder}: the weights cannot be loaded ({reason})").format(folder=folder, reason=reason)
        ) from error
    added = {*loading["missing_keys"], *(name for name, *_shapes in loading["mismatched_keys"])}
    if spec.kind == "mean" and config.is_encoder_decoder:
        return model.get_encoder(), set()
    return model, added


def _implementation(model_class: Any) -> str:
    """Our attention where the family goes through transformers' attention interface, else what it has."""
    if isinstance(model_class, tuple):
        model_class = model_class[0]
    if getattr(model_class, "_supports_attention_backend", False) and getattr(model_class, "_supports_sdpa", False):
        return NAME
    return "sdpa" if getattr(model_class, "_supports_sdpa", False) else "eager"


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
    return HEADS[spec.head](  # type: ignore[no-any-return]
        len(spec.labels),
        multi_label=spec.multi_label,
        class_weights=None if spec.class_weights is None else torch.tensor(spec.class_weights),
        label_smoothing=spec.label_smoothing,
        pooled_size=text_config.hidden_size if spec.kind == "mean" else None,
        hidden_layers=spec.hidden_layers,
        dropout=rate,
        initializer_range=getattr(text_config, "initializer_range", 0.02),
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
