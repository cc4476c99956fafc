"""Unstructured magnitude pruning: the smallest weights of each linear layer become zero.

Without recovery training, each layer for itself (Han et al. 2015, section 3; "layer-wise" in Gale et al. 2019). The
embeddings and the head are left alone. Dense kernels multiply zeros like any number, so nothing gets faster, and the
file is as long as before: what shrinks is what zip makes of it.

Notation: O outputs, I inputs of a linear layer.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from weitiao.compression.base import Facts, Source, Step
from weitiao.models.network import Network
from weitiao.models.saving import save_model
from weitiao.models.weights import weight_files

CHUNK = 1 << 22  # bytes read at a time


class Sparsify(Step):
    """See the module; options are `SparsifyOptions`."""

    def run(self, source: Source, target: Path) -> Facts:
        network = source.network()
        matrices = list(linear_weights(network))
        zeros = sum(zero_smallest(weight, self.options.share) for weight in matrices)
        save_model(network, source.card, target, base=source.folder, tokenizer=source.tokenizer)
        return {
            "zeros": zeros,
            "weights": sum(weight.numel() for weight in matrices),
            "matrices": len(matrices),
            "bytes": sum(path.stat().st_size for path in weight_files(target)),
            "bytes_zip": zipped(target),
            "bytes_zip_before": zipped(source.folder),
        }


def linear_weights(network: Network) -> Iterator[Tensor]:
    """The weight of every linear layer in the network's stacks, each [O, I], or [I, O] of families that store it so."""
    for stack in network.stacks:
        for module in stack.layers.modules():
            if isinstance(module, nn.Linear | Conv1D):
                yield module.weight


def zero_smallest(weight: Tensor, share: float) -> int:
    """Set the `share` of the weights that is nearest to zero to zero; how many of them are zero now."""
    with torch.no_grad():
        flat = weight.view(-1)  # [O * I]
        flat[flat.abs().topk(round(share * len(flat)), largest=False, sorted=False).indices] = 0.0
    return int((weight == 0).sum())


def zipped(folder: Path) -> int:
    """Bytes of a folder's weights once compressed as zip does it (DEFLATE at its usual level)."""
    total = 0
    for path in weight_files(folder):
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        with path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                total += len(packer.compress(chunk))
        total += len(packer.flush())
    return total
