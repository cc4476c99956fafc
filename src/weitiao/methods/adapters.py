"""What a method learnt, kept apart from the base: a few megabytes that make a fresh base the fine-tuned model again.

    adapter/
      adapter.json           what task.json says, the method with its options, and the base: its reference and digest
      adapter.safetensors    what differs from the base: what learnt, the head, new token rows
      adapter_config.json, adapter_model.safetensors
                             the same as PEFT writes it, where PEFT has the method and transformers the head

The tokenizer is the base's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from weitiao.artifact import ADAPTER_CARD, ADAPTER_WEIGHTS, read_json, replacing_folder, write_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.methods.base import Method, PeftLayout
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.models.weights import weight_files

CARD, WEIGHTS = ADAPTER_CARD, ADAPTER_WEIGHTS
PEFT_CARD, PEFT_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True, slots=True)
class Base:
    """The pretrained model that an adapter belongs to.

    Args:
        name: its reference, as recipes give it.
        sha256: digest of its weight files.
    """

    name: str
    sha256: str

    @classmethod
    def of(cls, name: str, folder: Path) -> Base:
        """The base in a folder."""
        digest = hashlib.sha256()
        for path in weight_files(folder):
            with path.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        return cls(name, digest.hexdigest())


def save(
    tensors: Mapping[str, Tensor], card: Mapping[str, Any], base: Base, folder: Path, *, peft: PeftLayout | None = None
) -> None:
    """Write `adapter/`, whole or not at all; `tensors` are what the method's `adapter` gave, `card` has `method`."""
    with replacing_folder(folder) as beside:
        save_file(dict(tensors), beside / WEIGHTS)
        write_json(beside / CARD, {**card, "base": {"name": base.name, "sha256": base.sha256}})
        if peft is not None:
            save_file(dict(peft.tensors), beside / PEFT_WEIGHTS, metadata={"format": "pt"})
            write_json(beside / PEFT_CARD, {**peft.config, "base_model_name_or_path": base.name})


@dataclass(frozen=True, slots=True)
class Opened:
    """An adapter on its base.

    Args:
        network: as it was trained, in evaluation mode.
        method: by which what was learnt can be folded into the base.
        own: names of the parameters that the adapter brought.
    """

    network: Network
    method: Method
    own: frozenset[str]


def load(folder: Path, base: Path) -> Network:
    """The fine-tuned network, in evaluation mode, from `adapter/` and a fresh base; see `open_adapter`."""
    return open_adapter(folder, base).network


def open_adapter(folder: Path, base: Path, *, sha256: str = "", trust_remote_code: bool = False) -> Opened:
    """The fine-tuned network from `adapter/` and a fresh base.

    Args:
        folder: the adapter.
        base: the pretrained model.
        sha256: the base's digest, where it is known already.
        trust_remote_code: run code that comes with the base.

    Raises:
        Refused: the base is not the one that the adapter was trained on, or the adapter is not whole.
    """
    card = read_json(folder / CARD)
    if (sha256 or Base.of("", base).sha256) != card["base"]["sha256"]:
        message = _("{folder}: the adapter was trained on {name}, and {base} has other weights; give that model")
        raise Refused(message.format(folder=folder, name=card["base"]["name"], base=base))
    told = {"additions": (), "trust_remote_code": trust_remote_code}
    spec = NetworkSpec(**{"labels": card["labels"], **card["network"], **told})
    network = build(base, spec)
    chosen = dict(card["method"])
    name = chosen.pop("name")
    method = METHODS[name](METHOD_OPTIONS[name](**chosen))
    method.ready(network)
    tensors = _whole(folder, load_file(folder / WEIGHTS), network)
    method.adopt(network, tensors)
    return Opened(network.eval(), method, frozenset(tensors))


def _whole(folder: Path, tensors: Mapping[str, Tensor], network: Network) -> Mapping[str, Tensor]:
    """The tensors, once they are known to be those that the network waits for, and no others."""
    new = network.head_parameters() | network.inserted
    expected = {name: each.shape for name, each in network.named_parameters() if each.requires_grad or name in new}
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors or name not in expected or tensors[name].shape != expected[name]:
            message = _("{folder}: '{name}' is missing, strange or of another shape; copy the whole folder again")
            raise Refused(message.format(folder=folder, name=name))
    return tensors
