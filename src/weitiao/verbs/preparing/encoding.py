"""Records to Features for every split, and what that shows: lengths, and what truncation cuts off.

`train` encodes every row; `check` only counts tokens, of every row up to 2 MB of text, above that of a seeded sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from weitiao.recipe import SPLITS
from weitiao.records import Feature, Record
from weitiao.tasks import Task
from weitiao.text import WIDEST, TokenCounter, Tokenizer
from weitiao.verbs.planning.cost import Lengths
from weitiao.verbs.planning.plan import Measured

ALL_BELOW = 2_000_000  # bytes of text up to which `check` tokenises every row
SAMPLE_SEED = 17
SHORTEST = 5  # tokens that `training.max_length` may say


@dataclass(frozen=True, slots=True)
class Encoded:
    """What tokenising gave.

    Args:
        features: split -> Features of all its records; empty where tokens were only counted.
        cut: split -> indices of its records that lose tokens; empty where only a sample was tokenised.
        measured: lengths and cuts for the plan.
        seen: rows that were tokenised.
        rows: rows there are.
        lost: split -> its tokenised records with gold that no window holds whole, and how many were tokenised.
    """

    features: Mapping[str, Sequence[Feature]]
    cut: Mapping[str, Sequence[int]]
    measured: Measured
    seen: int
    rows: int
    lost: Mapping[str, tuple[Sequence[Record], int]]


def length_limit(wanted: int | None, tokenizer: Tokenizer, taken: int = 0) -> int:
    """Tokens a text is cut to: the recipe's, else the model's limit and at most 512.

    Args:
        wanted: the recipe's.
        tokenizer: which knows the model's limit.
        taken: positions of the model that are not there for the text.
    """
    limit = max(tokenizer.max_length - taken, SHORTEST) if tokenizer.max_length else 0
    return min(wanted or WIDEST, limit or wanted or WIDEST)


def encode_splits(
    task: Task[Any, Any],
    records: Mapping[str, Sequence[Record]],
    tokenizer: Tokenizer,
    labels: Sequence[str],
    *,
    max_length: int,
    full: bool,
) -> Encoded:
    """Encode every split; not `full`, only count its tokens, above `ALL_BELOW` those of a sample."""
    tokenizer = tokenizer if full else TokenCounter.of(tokenizer)
    rows = sum(len(each) for each in records.values())
    share = 1.0 if full else min(1.0, ALL_BELOW / max(_bytes(task, records), 1))
    rng = np.random.default_rng(SAMPLE_SEED)
    features: dict[str, Sequence[Feature]] = {}
    cut: dict[str, Sequence[int]] = {}
    lengths: dict[str, Lengths] = {}
    cuts: dict[str, Lengths] = {}
    truncated: dict[str, int] = {}
    lost: dict[str, tuple[Sequence[Record], int]] = {}
    seen = 0
    for split in (name for name in SPLITS if name in records):
        chosen = _sample(records[split], share, rng)
        found = task.encode(chosen, tokenizer, labels, max_length)
        seen += len(chosen)
        if full:
            features[split] = found
        shortened = sorted({feature.group for feature in found if feature.cut})
        if share >= 1.0:
            cut[split] = shortened
        lost[split] = [chosen[group] for group in sorted({each.group for each in found if each.lost})], len(chosen)
        times = len(records[split]) / max(len(chosen), 1)
        truncated[split] = round(times * len(shortened))
        lengths[split], cuts[split] = _measured(found, round(times * len(found)), rng)
    counts = {split: len(records[split]) for split in lengths}
    measured = Measured(counts, lengths, cuts, truncated, max_length, seen < rows)
    return Encoded(features, cut, measured, seen, rows, lost)


def _bytes(task: Task[Any, Any], records: Mapping[str, Sequence[Record]]) -> int:
    texts = "".join(task.surface(record) for each in records.values() for record in each)
    return len(texts.encode("utf-8", "replace"))


def _sample(records: Sequence[Record], share: float, rng: np.random.Generator) -> Sequence[Record]:
    if share >= 1.0:
        return records
    count = max(1, round(share * len(records)))
    return [records[index] for index in np.sort(rng.choice(len(records), count, replace=False))]


def _measured(features: Sequence[Feature], wanted: int, rng: np.random.Generator) -> tuple[Lengths, Lengths]:
    """Lengths and cuts of all features; a sample is drawn from until it has as many as all rows would give."""
    lengths = np.fromiter((len(feature) for feature in features), dtype=np.int64, count=len(features))
    cuts = np.fromiter((feature.cut for feature in features), dtype=np.int64, count=len(features))
    if len(features) >= wanted:
        return lengths, cuts
    drawn = rng.integers(0, len(features), wanted)
    return lengths[drawn], cuts[drawn]
