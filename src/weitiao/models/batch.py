"""Features in, one padded tensor batch out.

Notation: B rows, T tokens of the longest row, N = sum of the rows' lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from weitiao.models.padding import padded_inputs, padded_places, stacked
from weitiao.records import Feature

IGNORED = -100  # target of a place that teaches nothing; torch's cross-entropy leaves it out


@dataclass(frozen=True, slots=True)
class Batch:
    """What the network reads.

    Args:
        inputs: arguments of the backbone: input_ids [B, T], attention_mask [B, T], token_type_ids [B, T] where it takes
        them.
        targets: arrays of the head, such as {"labels": [B]} or [B, T], filled with `IGNORED`; a row without target has
        weight 0.
        weight: [B], 1.0 for rows with a target and 0.0 for others.
        lengths: real tokens of each row, [B].
        rows: index of each row among the features, [B].
        frozen: output of the frozen lower layers, [N, H], rows one after the other, where it was cached.
        places: token places of each row's parts, such as {"tokens": [B, U]}, filled with -1.
    """

    inputs: Mapping[str, Tensor]
    targets: Mapping[str, Tensor]
    weight: Tensor
    lengths: Tensor
    rows: Sequence[int]
    frozen: Tensor | None = field(default=None)
    places: Mapping[str, Tensor] = field(default_factory=dict)

    def repeated(self, times: int) -> Batch:
        """The same rows `times` times, one copy behind the other: dropout then gives several views of each."""
        if times == 1:
            return self

        def again(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {name: torch.cat([each] * times) for name, each in tensors.items()}

        return Batch(
            again(self.inputs),
            again(self.targets),
            self.weight.repeat(times),
            self.lengths.repeat(times),
            list(self.rows) * times,
            None if self.frozen is None else torch.cat([self.frozen] * times),
            again(self.places),
        )

    def taken(self, rows: Sequence[int]) -> Batch:
        """Some of the rows, as wide as all of them."""
        return Batch(
            {name: each[rows] for name, each in self.inputs.items()},
            {name: each[rows] for name, each in self.targets.items()},
            self.weight[rows],
            self.lengths[rows],
            [self.rows[row] for row in rows],
            places={name: each[rows] for name, each in self.places.items()},
        )

    @property
    def tokens(self) -> int:
        """Real tokens, padding not counted."""
        return int(self.lengths.sum())


def collate(features: Sequence[Feature], pad_id: int, rows: Sequence[int] | None = None) -> Batch:
    """Pad `features` on the right into a `Batch`."""
    lengths = torch.tensor([len(feature) for feature in features], dtype=torch.int64)  # [B]
    inputs = {name: torch.from_numpy(each) for name, each in padded_inputs(features, pad_id).items()}
    places = {name: torch.from_numpy(each) for name, each in padded_places(features).items()}
    targets, weight = _targets(features)
    rows = list(rows if rows is not None else range(len(features)))
    return Batch(inputs, targets, weight, lengths, rows, places=places)


def _targets(features: Sequence[Feature]) -> tuple[dict[str, Tensor], Tensor]:
    """Stack the targets, padded with `IGNORED`; a row without any is filled with zeros and weighs nothing."""
    weight = torch.tensor([1.0 if feature.targets else 0.0 for feature in features])
    example = next((feature.targets for feature in features if feature.targets), None)
    if example is None:
        return {}, weight
    found = {
        name: torch.from_numpy(stacked([feature.targets.get(name, _nothing(array)) for feature in features], IGNORED))
        for name, array in example.items()
    }
    return found, weight


def _nothing(array: np.ndarray) -> np.ndarray:
    """Stands in for the target of a row without one: a zero, zeros, or no tokens at all."""
    ragged = array.ndim and np.issubdtype(array.dtype, np.integer)
    return np.zeros((0,) * array.ndim if ragged else array.shape, dtype=array.dtype)
