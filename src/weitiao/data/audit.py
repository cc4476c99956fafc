"""What rows say about each other: duplicates, conflicting labels, and leaks from train into dev and test.

Items of every split in, warnings out: one a kind and split, with the count, the first example on both sides, and the
places of all. Under `--strict` they are errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from weitiao.data.dedup import fold, near_pairs
from weitiao.data.items import Item
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext


@dataclass(frozen=True, slots=True)
class _Split:
    """One split, indexed: `first` maps a folded surface to the first row that has it."""

    name: str
    items: Sequence[Item]
    surfaces: Sequence[str]
    first: Mapping[str, int]


def audit(splits: Mapping[str, Sequence[Item]]) -> list[Problem]:
    """Duplicates and conflicts within each split; conflicts and leaks, exact and near, from each split into later ones.

    Args:
        splits: split -> its items, train first.
    """
    indexed = _index(splits)
    problems: list[Problem] = []
    for split in indexed:
        problems += _duplicates(split)
        problems += _conflicts_within(split)
    twins = _near_twins(indexed)
    for early, late in combinations(indexed, 2):
        problems += _conflicts_across(early, late)
        problems += _exact_leaks(early, late)
        problems += _near_leaks(early, late, twins)
    return problems


def _index(splits: Mapping[str, Sequence[Item]]) -> list[_Split]:
    everything = [item.surface for items in splits.values() for item in items]
    folded = iter(fold(everything))
    indexed = []
    for name, items in splits.items():
        surfaces = [next(folded) for _item in items]
        first: dict[str, int] = {}
        for row, surface in enumerate(surfaces):
            first.setdefault(surface, row)
        indexed.append(_Split(name, items, surfaces, first))
    return indexed


def _duplicates(split: _Split) -> Iterator[Problem]:
    seen: dict[tuple[str, str, str], Item] = {}
    found = [
        (early, late)
        for late, surface in zip(split.items, split.surfaces, strict=True)
        if (early := seen.setdefault((surface, late.answer, late.beside), late)) is not late
    ]
    if found:
        message = ngettext(
            "{count} row of {split} repeats an earlier row: {place}",
            "{count} rows of {split} repeat an earlier row; the first repeats {place}",
            len(found),
        ).format(count=len(found), split=split.name, place=found[0][0].place)
        yield _warning("duplicate-rows", message, [_row(late, early) for early, late in found])


def _conflicts_within(split: _Split) -> Iterator[Problem]:
    texts: dict[str, list[Item]] = {}
    for item, surface in zip(split.items, split.surfaces, strict=True):
        texts.setdefault(surface, []).append(item)
    found = [each for each in texts.values() if len(each) > 1 and len({item.answer for item in each}) > 1]
    if found:
        pairs = [(each[0], late) for each in found for late in each if late.answer != each[0].answer]
        early, late = pairs[0]
        message = ngettext(
            "{count} text of {split} occurs with different labels: {answer} here, {other} at {place}",
            "{count} texts of {split} occur with different labels; the first: {answer} here, {other} at {place}",
            len(found),
        ).format(
            count=len(found), split=split.name, answer=_quoted(late.answer), other=_quoted(early.answer),
            place=early.place,
        )  # fmt: skip
        rows = [_row(late, early, _labels(late, early)) for early, late in pairs]
        yield _warning("conflicting-labels", message, rows)


def _conflicts_across(early: _Split, late: _Split) -> Iterator[Problem]:
    known: dict[str, dict[str, Item]] = {}
    for item, surface in zip(early.items, early.surfaces, strict=True):
        if surface in late.first:
            known.setdefault(surface, {}).setdefault(item.answer, item)
    found = [
        (item, next(iter(known[surface].values())))
        for item, surface in zip(late.items, late.surfaces, strict=True)
        if surface in known and item.answer not in known[surface]
    ]
    if found:
        item, other = found[0]
        message = ngettext(
            "{count} row of {late} has a label that {early} gives its text nowhere: {answer} here, {other} at {place}",
            "{count} rows of {late} have a label that {early} gives their text nowhere; the first: "
            "{answer} here, {other} at {place}",
            len(found),
        ).format(
            count=len(found),
            late=late.name,
            early=early.name,
            answer=_quoted(item.answer),
            other=_quoted(other.answer),
            place=other.place,
        )
        rows = [_row(item, other, _labels(item, other)) for item, other in found]
        yield _warning("conflicting-labels-across", message, rows)


def _exact_leaks(early: _Split, late: _Split) -> Iterator[Problem]:
    found = [
        (item, early.items[early.first[surface]])
        for item, surface in zip(late.items, late.surfaces, strict=True)
        if surface in early.first
    ]
    if found:
        message = ngettext(
            "{count} of {rows} rows of {late} is also in {early}, at {place}",
            "{count} of {rows} rows of {late} are also in {early}; the first is at {place}",
            len(found),
        ).format(count=len(found), rows=len(late.items), late=late.name, early=early.name, place=found[0][1].place)
        yield _warning("exact-leak", message, [_row(item, twin) for item, twin in found])


def _near_leaks(early: _Split, late: _Split, twins: Mapping[str, list[tuple[str, float]]]) -> Iterator[Problem]:
    """Rows of `late` that are no exact duplicate, but nearly one, of a row of `early`."""
    found = [
        (item, early.items[early.first[near[0]]], near[1])
        for item, surface in zip(late.items, late.surfaces, strict=True)
        if surface in twins and surface not in early.first
        if (near := next((each for each in twins[surface] if each[0] in early.first), None)) is not None
    ]
    if not found:
        return
    _item, twin, value = found[0]
    message = ngettext(
        "{count} of {rows} rows of {late} is nearly the same as a row of {early}: {place} (Jaccard {value})",
        "{count} of {rows} rows of {late} are nearly the same as a row of {early}; the first as "
        "{place} (Jaccard {value})",
        len(found),
    ).format(
        count=len(found),
        rows=len(late.items),
        late=late.name,
        early=early.name,
        place=twin.place,
        value=f"{value:.2f}",
    )
    yield _warning(
        "near-duplicate-leak", message, [_row(item, twin, f"Jaccard {value:.2f}") for item, twin, value in found]
    )


def _near_twins(splits: Sequence[_Split]) -> dict[str, list[tuple[str, float]]]:
    """Surface of a later split -> near surfaces of earlier ones with their Jaccard, the most similar first."""
    surfaces = list(dict.fromkeys(surface for split in splits for surface in split.first))
    early, late = _among(surfaces, splits[:-1]), _among(surfaces, splits[1:])
    found: dict[int, dict[int, float]] = {}
    for pairs, values in near_pairs(surfaces, (early, late)):
        for (i, j), value in zip(pairs.tolist(), values.tolist(), strict=True):
            found.setdefault(j, {})[i] = value
    return {
        surfaces[j]: [(surfaces[i], value) for i, value in sorted(twins.items(), key=lambda each: (-each[1], each[0]))]
        for j, twins in found.items()
    }


def _among(surfaces: Sequence[str], splits: Sequence[_Split]) -> npt.NDArray[np.bool_]:
    """Which of the surfaces some of these splits have, [N]."""
    present = set[str]().union(*(split.first for split in splits))
    return np.fromiter((surface in present for surface in surfaces), dtype=np.bool_, count=len(surfaces))


def _row(item: Item, twin: Item, note: str = "") -> RowPlace:
    return RowPlace(item.file, item.line, twin.place, note)


def _labels(item: Item, twin: Item) -> str:
    return _("{answer} here, {other} there").format(answer=_quoted(item.answer), other=_quoted(twin.answer))


def _quoted(answer: str) -> str:
    return f"'{answer}'" if answer else _("nothing")


def _warning(code: str, message: str, rows: Sequence[RowPlace]) -> Problem:
    """A warning at the first of the rows."""
    return Problem(code, message, file=rows[0].file, line=rows[0].line, severity="warning", rows=tuple(rows))
