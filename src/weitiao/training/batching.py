"""Which rows make up each optimiser step: a pure function of lengths, settings, seed and epoch.

`batch_size` rows a step never changes; a token budget only cuts a step into micro-batches. Features of one record
(windows, pairs) always share a step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from weitiao.records import Feature, IntArray

Order = Literal["grouped", "random", "given"]
POOL_STEPS = 50  # steps' worth of shuffled rows that are sorted together; transformers' grouping uses the same


def epoch_steps(features: Sequence[Feature], batch_size: int, order: Order, seed: int, epoch: int) -> list[list[int]]:
    """Feature indices of each step of one epoch; every feature once.

    'grouped' shuffles the records, sorts pools of `POOL_STEPS` steps by length, cuts them into steps and shuffles the
    steps.
    """
    records = _members(features)
    lengths = np.array([max(len(features[index]) for index in members) for members in records])
    rng = np.random.default_rng([seed, epoch])
    places: IntArray = np.arange(len(records)) if order == "given" else rng.permutation(len(records))
    if order == "grouped":
        pool = batch_size * POOL_STEPS
        pools = [places[start : start + pool] for start in range(0, len(places), pool)]
        places = np.concatenate([part[np.argsort(-lengths[part], kind="stable")] for part in pools])
    steps = [places[start : start + batch_size] for start in range(0, len(places), batch_size)]
    if order == "grouped":
        steps = [steps[index] for index in rng.permutation(len(steps))]
    return [[index for place in step for index in records[place]] for step in steps]


def steps_per_epoch(features: Sequence[Feature], batch_size: int) -> int:
    """Optimiser steps of one epoch."""
    return -(-len(_members(features)) // batch_size)


def _members(features: Sequence[Feature]) -> list[list[int]]:
    """Feature indices of each record, in order."""
    members: dict[int, list[int]] = {}
    for index, feature in enumerate(features):
        members.setdefault(feature.group, []).append(index)
    return list(members.values())


def micro_batches(step: Sequence[int], lengths: Sequence[int], token_budget: int) -> Iterator[list[int]]:
    """Cut a step into micro-batches of at most `token_budget` real tokens (one row at least), longest rows first."""
    ordered = sorted(step, key=lambda row: -lengths[row])
    part: list[int] = []
    tokens = 0
    for row in ordered:
        if part and tokens + lengths[row] > token_budget:
            yield part
            part, tokens = [], 0
        part.append(row)
        tokens += lengths[row]
    if part:
        yield part
