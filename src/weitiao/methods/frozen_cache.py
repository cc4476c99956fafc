"""The output of the frozen layers, computed once and kept on disk, memory-mapped.

One file holds [N, H] numbers, all tokens of all features end to end; reading a row is a page fault. fp16 halves the
file and rounds to 11 bits; `benchmarks/frozen_cache.py` measures what that does to the score.

Notation: N tokens of all features, H hidden.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from weitiao.artifact import read_json, replacing, write_json
from weitiao.errors import Interrupted
from weitiao.messages import _
from weitiao.models.batch import collate
from weitiao.models.network import Network
from weitiao.models.padding import BATCH_TOKENS, batches_by_length
from weitiao.records import Feature

DTYPES: dict[str, np.dtype[Any]] = {"fp16": np.dtype(np.float16), "fp32": np.dtype(np.float32)}
_BLOCK = 1 << 20  # bytes written at once where the system cannot reserve


class FrozenCache:
    """Rows -> output of the frozen layers.

    Args:
        network: with `frozen_below` set; only packable networks can be cached.
        features: all rows of one split.
        path: file of the cache; made, whole or not at all, if it is missing, torn or of something else.
        precision: 'fp16' or 'fp32'.
        stop: whether a signal asks to leave; asked after each batch.

    Raises:
        StorageFull: the disk has no room for it; nothing of it is left.
        Interrupted: `stop` asked for it; nothing of it is left.
    """

    def __init__(
        self,
        network: Network,
        features: Sequence[Feature],
        path: Path,
        precision: str,
        *,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        lengths = np.array([len(feature) for feature in features], dtype=np.int64)
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        shape = (int(lengths.sum()), int(network.backbone.config.get_text_config().hidden_size))
        dtype = DTYPES[precision]
        about: dict[str, Any] = {
            "key": _key(network, features, precision),
            "bytes": shape[0] * shape[1] * dtype.itemsize,
        }
        note = path.with_suffix(".json")
        if not (
            note.is_file() and path.is_file() and read_json(note) == about and path.stat().st_size == about["bytes"]
        ):
            with replacing(path) as beside:
                _reserve(beside, about["bytes"])
                self._fill(network, features, np.memmap(beside, dtype=dtype, mode="r+", shape=shape), stop)
            write_json(note, about)
        self._values = np.memmap(path, dtype=dtype, mode="r", shape=shape)

    def __call__(self, rows: Sequence[int]) -> Tensor:
        """[N', H] of the given rows, end to end."""
        return torch.from_numpy(np.concatenate([self._values[self._starts[row] : self._ends[row]] for row in rows]))

    def _fill(self, network: Network, features: Sequence[Feature], values: Any, stop: Callable[[], bool]) -> None:
        for rows in batches_by_length([len(feature) for feature in features], BATCH_TOKENS):
            batch = collate([features[row] for row in rows], network.spec.pad_id, rows)
            hidden = _below(network, batch).numpy()
            start = 0
            for row in rows:
                count = len(features[row])
                values[self._starts[row] : self._ends[row]] = hidden[start : start + count]
                start += count
            if stop():
                raise Interrupted(_("interrupted before fitting; the run is saved"))
        values.flush()


def _reserve(path: Path, size: int) -> None:
    """A file of `size` bytes that the disk has room for: a write into a hole of a mapped file on a full disk kills."""
    with path.open("wb") as stream:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(stream.fileno(), 0, size)
            return
        for start in range(0, size, _BLOCK):
            stream.write(bytes(min(_BLOCK, size - start)))


class _ReachedError(Exception):
    """Carries the hidden states out of a forward pass that need not go on."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


def _below(network: Network, batch: Any) -> Tensor:
    """Output of the last frozen layer, [N, H]."""

    def stop(_layer: nn.Module, _args: Any, output: Any) -> None:
        hidden = output[0] if isinstance(output, tuple) else output
        raise _ReachedError(hidden)

    handle = network.stack.layers[network.frozen_below - 1].register_forward_hook(stop, prepend=True)
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            network.hidden(batch)
    except _ReachedError as reached:
        hidden = reached.hidden
        return hidden[0] if hidden.shape[0] == 1 and len(batch.rows) != 1 else _rows(hidden, batch)
    finally:
        handle.remove()
        network.train(training)
    raise RuntimeError("the frozen layers were not run")


def _rows(hidden: Tensor, batch: Any) -> Tensor:
    """[B, T, H] -> [N, H]."""
    inside = batch.inputs["attention_mask"].bool()
    return hidden[inside]


def _key(network: Network, features: Sequence[Feature], precision: str) -> str:
    """Digest of everything the cached numbers depend on."""
    digest = hashlib.sha256(f"{precision} {network.frozen_below}".encode())
    for name in network.frozen_parameters:
        digest.update(network.get_parameter(name).detach().numpy(force=True).tobytes())
    for feature in features:
        digest.update(np.ascontiguousarray(feature.input_ids).tobytes())
        digest.update(
            b"|" if feature.token_type_ids is None else np.ascontiguousarray(feature.token_type_ids).tobytes()
        )
    return digest.hexdigest()
