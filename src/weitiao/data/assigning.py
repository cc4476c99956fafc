"""Which split each loaded row goes to.

Its source's, what its split column says, or a share of the training rows; then the limits of each split.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from weitiao.data.items import Item
from weitiao.data.splitting import split_values, take_sample, take_shares
from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.recipe import SPLITS, DataSpec
from weitiao.records import Record
from weitiao.tables import did_you_mean


class Loaded(NamedTuple):
    """One usable row.

    Args:
        record: what the task read.
        item: what splitting and auditing look at.
        split: the split of its source; empty where the source holds several.
        value: what its split column says; empty where there is none.
    """

    record: Record
    item: Item
    split: str
    value: str


Dropped = tuple[Loaded, str, str]  # row, code, reason


@dataclass(slots=True)
class Assignment:
    """Rows of each split in row order, rows left out on request, and what is wrong."""

    splits: dict[str, list[Loaded]] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def assign(rows: Sequence[Loaded], shares: Mapping[str, float], spec: DataSpec, *, complete: bool) -> Assignment:
    """Put every row into a split or leave it out.

    Args:
        rows: everything that could be read, in order.
        shares: split -> share of the training rows, for dev and test.
        spec: the recipe's `data` block, for `splits`, `limit` and the seed.
        complete: whether every source could be read; otherwise an empty split is no news.
    """
    result = Assignment()
    names = _split_of_values(rows, spec, result)
    pools: dict[str, list[Loaded]] = {split: [] for split in SPLITS}
    for row in rows:
        split = row.split or (names.get(row.value.casefold(), "") if row.value else "train")
        if split:
            pools[split].append(row)
        else:
            reason = _("its split '{value}' is not used").format(value=row.value)
            result.dropped.append((row, "other-split", reason))
    _take_shares(pools, shares, spec, result)
    for split, kept in pools.items():
        if kept:
            result.splits[split] = _limited(kept, split, spec, result)
    if complete:
        result.problems += _empty_splits(result.splits, shares, spec)
    return result


def _split_of_values(rows: Sequence[Loaded], spec: DataSpec, result: Assignment) -> dict[str, str]:
    """Case-folded value of the split column -> split; reports values that nothing explains."""
    names = split_values(spec.splits)
    present = Counter(row.value for row in rows if row.value)
    files = sorted({row.item.file for row in rows if row.value})
    file = files[0] if files else ""
    unknown = [value for value in present if value.casefold() not in names]
    if spec.splits and (present or rows):
        result.problems += _absent_values(spec, sorted(present), file)
        if unknown:
            message = _("rows of these splits are left out, for `data.splits` does not name them: {values}").format(
                values=", ".join(unknown)
            )
            result.problems.append(Problem("unused-splits", message, file=file, severity="note"))
    elif unknown:
        message = _(
            "the split column says {values}; expected train, dev, test or their usual names; map them "
            "under `data.splits`"
        ).format(values=", ".join(f"'{value}'" for value in unknown[:10]))
        result.problems.append(Problem("unknown-split", message, file=file))
    return names


def _absent_values(spec: DataSpec, present: Sequence[str], file: str) -> list[Problem]:
    folded = {value.casefold() for value in present}
    problems = []
    for split, values in spec.splits.items():
        for value in values:
            if value.strip().casefold() not in folded:
                message = _(
                    "`data.splits.{split}` names '{value}', which no row has{hint}; the rows have: {present}"
                ).format(split=split, value=value, hint=did_you_mean(value, list(present)), present=", ".join(present))
                problems.append(Problem("absent-split", message, file=file))
    return problems


def _take_shares(
    pools: dict[str, list[Loaded]], shares: Mapping[str, float], spec: DataSpec, result: Assignment
) -> None:
    """Move shares of the training rows to test, then to dev."""
    asked = [split for split in ("test", "dev") if split in shares]
    for split in asked:
        if pools[split] and split in spec.model_fields_set:
            message = _(
                "`data.{split}` asks for a share, but the data have their own {split} rows; remove one of the two"
            ).format(split=split)
            result.problems.append(Problem("split-twice", message, file=pools[split][0].item.file))
    wanted, train = [split for split in asked if not pools[split]], pools["train"]
    if not wanted:
        return
    taken = take_shares([row.item for row in train], [shares[split] for split in wanted], spec.split_seed)
    for split, rows in zip(wanted, taken, strict=True):
        pools[split] = [train[row] for row in rows]
    gone = {row for rows in taken for row in rows}
    pools["train"] = [row for index, row in enumerate(train) if index not in gone]


def _limited(rows: list[Loaded], split: str, spec: DataSpec, result: Assignment) -> list[Loaded]:
    limit = spec.limit.get(split)
    if limit is None or limit >= len(rows):
        return rows
    kept = set(take_sample([row.item for row in rows], limit, spec.split_seed))
    reason = _("over the limit of {limit} rows of {split}").format(limit=limit, split=split)
    result.dropped += [(row, "over-limit", reason) for index, row in enumerate(rows) if index not in kept]
    return [row for index, row in enumerate(rows) if index in kept]


def _empty_splits(splits: Mapping[str, list[Loaded]], shares: Mapping[str, float], spec: DataSpec) -> list[Problem]:
    """Splits that the recipe asks for and that have no row."""
    problems = []
    only_measured = spec.train is None and spec.file is None and bool(splits.get("test"))
    if not splits.get("train") and not only_measured:
        problems.append(Problem("empty-split", _("no row is left to train on")))
    for split in ("dev", "test"):
        if split in splits:
            continue
        if split in shares and splits.get("train"):
            message = _(
                "a share of {share:g}% for {split} gets no row, for all rows belong together; give {split} "
                "rows of its own"
            ).format(share=100 * shares[split], split=split)
            problems.append(Problem("empty-split", message))
        elif split in spec.limit:
            message = _("`data.limit.{split}` is set, but there is no {split} split").format(split=split)
            problems.append(Problem("no-split", message))
    return problems
