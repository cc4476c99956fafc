"""Seeded shares, samples and folds that never leak.

Rows move in units: rows of one group and rows whose folded surfaces are equal stay together. Within each answer the
units are ordered by a hash of seed and content, so a split does not depend on the order of the file, on numpy's version
or on which other rows there are; quotas a stratum are rounded by largest remainders.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from weitiao.data.dedup import fold
from weitiao.data.items import Item
from weitiao.errors import Refused
from weitiao.messages import _

POOLED = 0.1  # share of the rows in strata of one unit above which those are one stratum (multi-label combinations)


class _Unit(NamedTuple):
    """Rows that stay together, ordered among others by `key`."""

    key: bytes
    rows: tuple[int, ...]


def take_share(items: Sequence[Item], share: float, seed: int) -> list[int]:
    """Indices, ascending, of a stratified share of the items; no group or surface is on both sides.

    An answer that only one unit has stays out of the share, so that the rest can learn it.
    """
    return take_shares(items, (share,), seed)[0]


def take_shares(items: Sequence[Item], shares: Sequence[float], seed: int) -> list[list[int]]:
    """One share after the other, each of what those before it have left."""
    units = _units(items, seed)
    taken = []
    for share in shares:
        rows = _share(units, items, share)
        gone = set(rows)
        units = [unit for unit in units if unit.rows[0] not in gone]  # a share takes whole units
        taken.append(rows)
    return taken


def take_nested(items: Sequence[Item], shares: Sequence[float], seed: int) -> list[list[int]]:
    """Growing shares, each with all rows of those before it; indices ascending, and a share of 1 is every row.

    Args:
        items: the rows.
        shares: of all rows, ascending.
        seed: of the order in which rows come in.
    """
    below = [share for share in shares if share < 1]
    parts = [(share - before) / (1 - before) for before, share in zip([0.0, *below], below, strict=False)]
    rows: list[int] = []
    nested = []
    for taken in take_shares(items, parts, seed):
        rows = sorted([*rows, *taken])
        nested.append(rows)
    return nested + [list(range(len(items)))] * (len(shares) - len(below))


def _share(units: Sequence[_Unit], items: Sequence[Item], share: float) -> list[int]:
    strata = _strata(units, items)
    total = max(round(share * _rows(units)), 1)
    quotas = _quotas([_rows(each) for each in strata], total)
    left: list[list[_Unit]] = []
    taken: list[int] = []
    for stratum, quota in zip(strata, quotas, strict=True):
        rows, rest = _fill(stratum, quota)
        taken += rows
        left.append(rest)
    taken += _top_up(left, total - len(taken))
    return sorted(taken or _smallest(strata))


def take_sample(items: Sequence[Item], count: int, seed: int) -> list[int]:
    """Indices, ascending, of a stratified sample of exactly `count` items (all of them where there are fewer)."""
    if count >= len(items):
        return list(range(len(items)))
    strata: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        strata[item.answer].append(index)
    folded = fold([item.surface for item in items])
    groups = [sorted(rows, key=lambda row: (_hash(seed, folded[row]), row)) for _answer, rows in sorted(strata.items())]
    quotas = _quotas([len(rows) for rows in groups], count)
    return sorted(row for rows, quota in zip(groups, quotas, strict=True) for row in rows[:quota])


def take_balanced(items: Sequence[Item], kinds: Sequence[str], count: int, seed: int) -> list[int]:
    """Indices, ascending, of about `count` items, as many of each kind as there are; units are taken whole.

    A kind that has fewer leaves its places to the others.

    Args:
        items: the rows.
        kinds: the kind of each row, such as its label.
        count: rows wanted; all of them where there are no more.
        seed: of the choice inside a kind.
    """
    strata: dict[str, list[_Unit]] = defaultdict(list)
    for unit in sorted(_units(items, seed), key=lambda each: each.key):
        strata[kinds[unit.rows[0]]].append(unit)
    taken: list[int] = []
    smallest_first = sorted(strata.items(), key=lambda each: (_rows(each[1]), each[0]))
    for place, (_kind, units) in enumerate(smallest_first):
        quota = (count - len(taken)) / (len(smallest_first) - place)
        rows: list[int] = []
        for unit in units:
            if len(rows) + len(unit.rows) <= round(quota):
                rows += unit.rows
        taken += rows
    return sorted(taken)


def folds(items: Sequence[Item], k: int, seed: int) -> list[list[int]]:
    """Indices of the rows that each of `k` folds holds out; stratified, and no group or surface is in two folds.

    Raises:
        Refused: there are fewer units than folds.
    """
    units = _units(items, seed)
    if len(units) < k:
        raise Refused(
            _("{k} folds need at least {k} different texts or groups; got {count}").format(k=k, count=len(units))
        )
    held: list[list[int]] = [[] for _fold in range(k)]
    for stratum in _strata(units, items):
        counts = [0] * k
        for unit in sorted(stratum, key=lambda each: -len(each.rows)):
            place = min(range(k), key=lambda each: (counts[each], len(held[each]), each))
            counts[place] += len(unit.rows)
            held[place] += unit.rows
    return [sorted(rows) for rows in held]


def _units(items: Sequence[Item], seed: int) -> list[_Unit]:
    """The connected components of rows under 'same group' and 'same folded surface'."""
    folded = fold([item.surface for item in items])
    roots = _roots(items, folded)
    members: dict[int, list[int]] = defaultdict(list)
    for row, root in enumerate(roots):
        members[root].append(row)
    return [_Unit(_hash(seed, min([folded[row] for row in rows])), tuple(rows)) for rows in members.values()]


def _roots(items: Sequence[Item], folded: Sequence[str]) -> list[int]:
    """A representative row of each row's component."""
    first: dict[str, int] = {}
    parents = [first.setdefault(surface, row) for row, surface in enumerate(folded)]

    def root(row: int) -> int:
        while parents[row] != row:
            parents[row] = parents[parents[row]]
            row = parents[row]
        return row

    of_group: dict[str, int] = {}
    for row, item in enumerate(items):
        if item.group:
            low, high = sorted((root(row), root(of_group.setdefault(item.group, row))))
            parents[high] = low
    return [root(row) for row in range(len(items))]


def _strata(units: Sequence[_Unit], items: Sequence[Item]) -> list[list[_Unit]]:
    """Units by their most frequent answer, each stratum in seeded order."""
    strata: dict[str, list[_Unit]] = defaultdict(list)
    for unit in units:
        strata[_answer(unit, items)].append(unit)
    single = [answer for answer, each in strata.items() if len(each) == 1]
    lone = sum(len(strata[answer][0].rows) for answer in single)
    if len(single) > 1 and lone > POOLED * _rows(units):
        pooled = [strata.pop(answer)[0] for answer in single]
        strata["\x00pooled"] = pooled
    return [sorted(strata[answer], key=lambda unit: unit.key) for answer in sorted(strata)]


def _answer(unit: _Unit, items: Sequence[Item]) -> str:
    if len(unit.rows) == 1:
        return items[unit.rows[0]].answer
    answers = [items[row].answer for row in unit.rows]
    return max(sorted(set(answers)), key=answers.count)


def _rows(units: Sequence[_Unit]) -> int:
    return sum(len(unit.rows) for unit in units)


def _quotas(sizes: Sequence[int], total: int) -> list[int]:
    """`total` over strata in proportion to their sizes, by largest remainders."""
    rows = sum(sizes) or 1
    quotas = [size * total // rows for size in sizes]
    order = sorted(range(len(sizes)), key=lambda each: (-(sizes[each] * total % rows), each))
    for each in order[: total - sum(quotas)]:
        quotas[each] += 1
    return quotas


def _fill(units: Sequence[_Unit], quota: int) -> tuple[list[int], list[_Unit]]:
    """Rows of the units that fit the quota, in order, and the units that stay: always at least one."""
    taken: list[int] = []
    rest: list[_Unit] = []
    for number, unit in enumerate(units, start=1):
        if len(taken) + len(unit.rows) <= quota and (rest or number < len(units)):
            taken += unit.rows
        else:
            rest.append(unit)
    return taken, rest


def _top_up(left: Sequence[Sequence[_Unit]], missing: int) -> list[int]:
    """Where large groups fit no stratum's quota: units of any stratum that fit what is missing; one of each stays."""
    spare = sorted((unit for units in left for unit in units[:-1]), key=lambda unit: unit.key)
    taken: list[int] = []
    for unit in spare:
        if len(taken) + len(unit.rows) <= missing:
            taken += unit.rows
    return taken


def _smallest(strata: Sequence[Sequence[_Unit]]) -> list[int]:
    """Where no unit fits: the smallest one, if something is left behind."""
    units = sorted((unit for units in strata for unit in units), key=lambda unit: (len(unit.rows), unit.key))
    return list(units[0].rows) if len(units) > 1 else []


def _hash(seed: int, text: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x00{text}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


Aliases = Mapping[str, Sequence[str]]
ALIASES: Aliases = {
    "train": ("train", "training", "trn", "训练", "训练集"),
    "dev": ("dev", "val", "valid", "validation", "devel", "development", "eval", "验证", "验证集", "开发集"),
    "test": ("test", "testing", "tst", "测试", "测试集"),
}


def split_values(told: Aliases) -> dict[str, str]:
    """Value of a split column, case-folded -> split; the usual names where the recipe says nothing."""
    return {value.strip().casefold(): split for split, values in (told or ALIASES).items() for value in values}
