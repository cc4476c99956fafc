"""What a method learnt, kept apart from the base: a few megabytes that make a fresh base the fine-tuned model again.

    adapter/
      adapter.json           what task.json says, the method with its options, and the base: its reference and digest
      adapter.safetensors    what differs from the base: what learnt, the head, new token rows

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

from weitiao.artifact import read_json, replacing_folder, write_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.methods import METHOD_OPTIONS, METHODS
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.models.weights import weight_files

CARD, WEIGHTS = "adapter.json", "adapter.safetensors"


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


def save(tensors: Mapping[str, Tensor], card: Mapping[str, Any], base: Base, folder: Path) -> None:
    """Write `adapter/`, whole or not at all; `tensors` are what the method's `adapter` gave, `card` has `method`."""
    with replacing_folder(folder) as beside:
        save_file(dict(tensors), beside / WEIGHTS)
        write_json(beside / CARD, {**card, "base": {"name": base.name, "sha256": base.sha256}})


def load(folder: Path, base: Path) -> Network:
    """The fine-tuned network, in evaluation mode, from `adapter/` and a fresh base.

    Raises:
        Refused: the base is not the one that the adapter was trained on, or the adapter is not whole.
    """
    card = read_json(folder / CARD)
    if Base.of("", base).sha256 != card["base"]["sha256"]:
        message = _("{folder}: the adapter was trained on {name}, and {base} has other weights; give that model")
        raise Refused(message.format(folder=folder, name=card["base"]["name"], base=base))
    spec = NetworkSpec(**{"labels": card["labels"], **card["network"], "additions": ()})
    network = build(base, spec)
    chosen = dict(card["method"])
    name = chosen.pop("name")
    method = METHODS[name](METHOD_OPTIONS[name](**chosen))
    method.apply(network, 1)
    method.adopt(network, _whole(folder, load_file(folder / WEIGHTS), network))
    return network.eval()


def _whole(folder: Path, tensors: Mapping[str, Tensor], network: Network) -> Mapping[str, Tensor]:
    """The tensors, once everything that the base lacks is known to be among them."""
    for name in sorted(network.head_parameters() | network.inserted):
        if name not in tensors:
            message = _("{folder}: the saved weights lack '{name}'; copy the whole folder again, or train again")
            raise Refused(message.format(folder=folder, name=name))
    return tensors
