"""A few rows with what a graph answered to them where it was made, kept beside it: token ids, no texts.

Integer kernels differ from one instruction set to another (on AVX2 a sum of two products may saturate where VNNI has
room), so on a CPU with other instructions the rows are asked again before anything else is. Without torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from weitiao.machine import stamp
from weitiao.records import Feature, FloatArray, Outputs

PARITY_FILE = "parity.safetensors"
ROWS = 8  # that are kept
RANKED = frozenset({"spans", "links"})  # outputs of candidates, best first: three whole numbers and a score
Candidates = Mapping[tuple[float, ...], float]  # place -> score
Infer = Callable[[Sequence[Feature]], Sequence[Outputs]]


@dataclass(frozen=True, slots=True)
class Parity:
    """What is kept.

    Args:
        features: the rows, each asked alone.
        outputs: what the graph answered.
        tolerance: largest difference of an output that counts as the same.
        machine: where it answered so, as `machine.stamp` says it.
    """

    features: Sequence[Feature]
    outputs: Sequence[Outputs]
    tolerance: float
    machine: Mapping[str, Any]

    @classmethod
    def taken(cls, infer: Infer, features: Sequence[Feature], tolerance: float) -> Parity:
        """The answers of a graph on this machine to the first `ROWS` features."""
        some = features[:ROWS]
        return cls(some, _alone(infer, some), tolerance, stamp())

    def difference(self, infer: Infer) -> float:
        """The largest difference of an output from what is kept."""
        return largest_difference(self.outputs, _alone(infer, self.features))

    @property
    def here(self) -> bool:
        """Whether this machine has the instructions of the one where it was made."""
        return dict(self.machine) == stamp()

    def write(self, folder: Path) -> None:
        """Into a `model/` folder."""
        arrays: dict[str, np.ndarray] = {}
        for row, (feature, outputs) in enumerate(zip(self.features, self.outputs, strict=True)):
            parts = {"input_ids": feature.input_ids, "token_type_ids": feature.token_type_ids}
            arrays |= {f"{row}/{name}": each for name, each in parts.items() if each is not None}
            arrays |= {f"{row}/places/{name}": each for name, each in feature.places.items()}
            arrays |= {f"{row}/outputs/{name}": each for name, each in outputs.items()}
        told = {"tolerance": repr(self.tolerance), "machine": json.dumps(self.machine), "rows": str(len(self.features))}
        save_file({name: np.ascontiguousarray(each) for name, each in arrays.items()}, folder / PARITY_FILE, told)

    @classmethod
    def read(cls, folder: Path) -> Parity | None:
        """What a `model/` folder keeps; None where it keeps nothing."""
        path = folder / PARITY_FILE
        if not path.is_file():
            return None
        with safe_open(path, "numpy") as file:
            told = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - the file is no mapping
        rows = [_of_row(arrays, f"{row}/") for row in range(int(told["rows"]))]
        features = [
            Feature(each["input_ids"], each.get("token_type_ids"), places=_of_row(each, "places/")) for each in rows
        ]
        outputs = [_of_row(each, "outputs/") for each in rows]
        return cls(features, outputs, float(told["tolerance"]), json.loads(told["machine"]))


def largest_difference(expected: Sequence[Outputs], got: Sequence[Outputs]) -> float:
    """Over all outputs of all rows; infinite where one is NaN and the other is not.

    Some outputs are as wide as the longest row of their batch: what both have is compared.
    """
    pairs = [
        (name, value, other[name]) for one, other in zip(expected, got, strict=True) for name, value in one.items()
    ]
    return max((apart(*each) for each in pairs), default=0.0)


def apart(name: str, one: FloatArray, other: FloatArray) -> float:
    """The largest difference of one output of a row; of ranked candidates those of one place are compared."""
    if name in RANKED:
        return _candidates_apart(one, other)
    both = tuple(slice(min(sizes)) for sizes in zip(one.shape, other.shape, strict=True))
    return _numbers_apart(one[both], other[both])


def _candidates_apart(one: FloatArray, other: FloatArray) -> float:
    """Of candidates [K, 4], by their place, for two of nearly one score may change ranks.

    A candidate that only one has counts by how far its score is from being left out by the other: from the least score
    that the other kept, and where that is above 0, from 0, which parts what is an answer from what is none.
    """
    ours, theirs = ({tuple(row[:-1]): float(row[-1]) for row in each if row[0] >= 0} for each in (one, other))
    matched = [_numbers_apart(np.float64(ours[place]), np.float64(theirs[place])) for place in ours.keys() & theirs]
    return max([0.0, *matched, *_beyond(ours, theirs), *_beyond(theirs, ours)])


def _beyond(ours: Candidates, theirs: Candidates) -> Iterator[float]:
    """Of the candidates that only the first have, how far they are from being left out by the second."""
    border = min([0.0, *theirs.values()]) if len(theirs) >= len(ours) else -np.inf
    for place in ours.keys() - theirs.keys():
        yield np.inf if np.isnan(ours[place]) else max(0.0, ours[place] - border)


def _numbers_apart(one: Any, other: Any) -> float:
    """Over two arrays of one shape; equal infinities, which mask what is no answer, are no difference."""
    equal = (one == other) | (np.isnan(one) & np.isnan(other))
    with np.errstate(invalid="ignore"):
        each = np.abs(np.where(equal, 0.0, one - other))
    return float(np.nan_to_num(each, nan=np.inf, posinf=np.inf).max(initial=0.0))


def _alone(infer: Infer, features: Sequence[Feature]) -> list[Outputs]:
    return [infer([each])[0] for each in features]


def _of_row(arrays: Mapping[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(start): each for name, each in arrays.items() if name.startswith(start)}
