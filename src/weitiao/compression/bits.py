"""The step `bits`: the weights of all linear layers in 8 or 4 bits, and of the word embeddings if asked.

When to use: where disk or memory is short, decoders above all, whose layers are most of them. Needs: nothing but the
model. Compares: `int8` of an ONNX graph rounds what goes through the layers too and is faster; this one is slower than
floats, for the weights are made floats again at each use, and rounds less: the arithmetic is float32.

The result opens in weitiao, not in plain transformers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from weitiao.compression.base import Facts, Source, Step
from weitiao.compression.refitting import rows_of, some_of
from weitiao.errors import Refused
from weitiao.models.inference import infer
from weitiao.models.network import Network
from weitiao.models.rounded import ROUNDED_WEIGHTS, round_module
from weitiao.models.saving import save_model
from weitiao.models.weights import weight_files
from weitiao.records import Feature

ROUNDS, TEXTS = 5, 64  # of the timing


class Bits(Step):
    """See the module; options are `BitsOptions`."""

    def run(self, source: Source, target: Path) -> Facts:
        whole, network = source.network(), source.network()
        names = list(self._names(network))
        error, size = 0.0, 0.0
        for name in names:
            module = network.get_submodule(name)
            made = round_module(module, self.options.bits, self.options.group)
            weight = module.weight.T if isinstance(module, Conv1D) else module.weight
            assert isinstance(weight, torch.Tensor)
            error += float((made.weight - weight).detach().square().sum())
            size += float(weight.detach().square().sum())
            network.set_submodule(name, made)
        save_model(network, source.card, target, base=source.folder, tokenizer=source.tokenizer)
        features = _timed(source)
        return {
            "bits": self.options.bits,
            "layers": len(names),
            "error": (error / size) ** 0.5 if size else 0.0,
            "bytes": sum(path.stat().st_size for path in (*weight_files(target), target / ROUNDED_WEIGHTS)),
            "bytes_before": sum(path.stat().st_size for path in weight_files(source.folder)),
            "milliseconds": milliseconds([whole, network.eval()], features) if features else None,
            "rounds": ROUNDS,
            "texts": len(features),
        }

    def _names(self, network: Network) -> Iterator[str]:
        """Layers to round: those of the stacks, and the table of the words."""
        for stack in network.stacks:
            for name, module in stack.layers.named_modules(prefix=stack.prefix):
                if isinstance(module, nn.Linear | Conv1D):
                    yield name
        if self.options.embeddings:
            table = network.backbone.get_input_embeddings().weight
            yield from (
                name
                for name, each in network.named_modules()
                if isinstance(each, nn.Embedding) and each.weight is table
            )


def _timed(source: Source) -> Sequence[Feature]:
    """Texts to time both networks on; none where the run's files are gone."""
    try:
        rows = rows_of(source, "dev") or rows_of(source, "train")
    except Refused:
        return ()
    return some_of(rows, TEXTS) if rows is not None else ()


def milliseconds(networks: Sequence[Network], features: Sequence[Feature]) -> list[float]:
    """Of each network the time a text takes, in turns, so that what else the machine does meets all alike."""
    spent: list[list[float]] = [[] for _network in networks]
    for _round in range(ROUNDS):
        for network, times in zip(networks, spent, strict=True):
            began = time.perf_counter()
            infer(network, features)
            times.append((time.perf_counter() - began) * 1000 / max(len(features), 1))
    return [median(each) for each in spent]
