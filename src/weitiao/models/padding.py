"""Features in, padded arrays out, without torch: `batch.collate` makes tensors of them, other engines read them.

Notation: B rows, T tokens of the longest row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from weitiao.records import Feature, FloatArray, IntArray, Outputs

BATCH_TOKENS = 2048  # padded tokens of a batch that is only answered
ENOUGH = 4  # a batch is large with a quarter of these; with the next line, 1.02 to 1.4 times the texts a second of
ALIKE = 0.9  # batches that are filled, on the texts of benchmarks/serving.py under ONNX Runtime


def padded_inputs(features: Sequence[Feature], pad_id: int) -> dict[str, IntArray]:
    """Arguments of the backbone, [B, T]: input_ids, attention_mask, and token_type_ids where all features have them."""
    lengths = np.array([len(feature) for feature in features], dtype=np.int64)
    inside = np.arange(int(lengths.max(initial=1)))[None, :] < lengths[:, None]  # [B, T]
    inputs: dict[str, IntArray] = {
        "input_ids": _padded([feature.input_ids for feature in features], inside, pad_id),
        "attention_mask": inside.astype(np.int64),
    }
    types = [feature.token_type_ids for feature in features if feature.token_type_ids is not None]
    if len(types) == len(features):
        inputs["token_type_ids"] = _padded(types, inside, 0)
    return inputs


def padded_places(features: Sequence[Feature]) -> dict[str, IntArray]:
    """Token places of each row's parts, such as {"tokens": [B, U]}, filled with -1."""
    named = features[0].places if features else {}
    return {name: stacked([feature.places[name] for feature in features], -1) for name in named}


def stacked(arrays: Sequence[np.ndarray], fill: int) -> np.ndarray:
    """Arrays of one number of axes as one, each axis padded with `fill` to its longest."""
    shape = np.max([array.shape for array in arrays], axis=0).astype(int) if arrays[0].ndim else ()
    if all(array.shape == tuple(shape) for array in arrays):
        return np.stack(arrays)
    padded = np.full((len(arrays), *shape), fill, dtype=arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[tuple(slice(size) for size in array.shape)] = array
    return padded


def batches_by_length(lengths: Sequence[int], batch_tokens: int, *, alike: float = 0.0) -> list[list[int]]:
    """Rows by falling length, cut into batches of at most `batch_tokens` padded tokens (one row at the least).

    Args:
        lengths: of the rows.
        batch_tokens: rows times the longest of them.
        alike: a batch that is large enough takes rows from this share of its longest on, for another batch costs less
            than much padding; by default any, as where batches are laid end to end and have no padding.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
    batches: list[list[int]] = []
    for row in order:
        if batches:
            batch, longest = batches[-1], lengths[batches[-1][0]]
            large = len(batch) * longest * ENOUGH >= batch_tokens
            if (len(batch) + 1) * longest <= batch_tokens and not (large and lengths[row] < alike * longest):
                batch.append(row)
                continue
        batches.append([row])
    return batches


def outputs_of(row: int, outputs: Mapping[str, FloatArray], token_axes: Mapping[str, int], length: int) -> Outputs:
    """The outputs of one row of a batch, without the padding of their token axes."""
    return {name: _own(value[row], token_axes.get(name, 0), length) for name, value in outputs.items()}


def _own(value: FloatArray, token_axes: int, length: int) -> FloatArray:
    """A row's output without the padding of its token axes; a copy then, so that the batch can go."""
    return value[(slice(length),) * token_axes].copy() if token_axes else value


def _padded(arrays: Sequence[np.ndarray], inside: np.ndarray, fill: int) -> np.ndarray:
    padded = np.full(inside.shape, fill, dtype=np.int64)
    padded[inside] = np.concatenate(arrays)
    return padded
