"""Labels as people write them: their order, the nearest known one, and what is suspicious about a set of them.

Pure functions on label counts, shared by every task that has a closed set of labels.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from weitiao.messages import _

RARE = 20  # a label is suspected as a typo when its neighbour has this many times its rows
SHORT_SLIP = 2  # rows at most of a short label that is suspected as a typo
SEPARATOR = ","  # of labels in one cell, unless the recipe says otherwise
SEPARATORS = ";；,，|/、+"  # what people put between several labels of one cell
JOINED = 3  # different cells of several labels from which that is suspected
DIGITS = re.compile("[0-9一二三四五六七八九十]+")


def in_natural_order(labels: Iterable[str]) -> list[str]:
    """Distinct labels: numbers by value, other text with its digits read as numbers ('c2' before 'c10')."""
    distinct = sorted(set(labels))
    values = {label: _as_number(label) for label in distinct}
    if all(value is not None for value in values.values()):
        return sorted(distinct, key=lambda label: (values[label] or 0.0, label))
    return sorted(distinct, key=lambda label: (_natural_key(label), label))


def extended(known: Sequence[str], found: Iterable[str]) -> list[str]:
    """The labels that a model knows, in its order, and behind them those that only new rows have."""
    return list(dict.fromkeys([*known, *found]))


def _as_number(label: str) -> float | None:
    return float(label) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", label) else None


def _natural_key(label: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"([0-9]+)", label.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]


def edit_distance(left: str, right: str, limit: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours that turn one into the other; `limit + 1` when more.

    Damerau 1964, in its restricted form: no part is edited twice.
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    previous: list[int] = []
    row = list(range(len(right) + 1))
    for i, character in enumerate(left, 1):
        before, previous, row = previous, row, [i]
        for j, other in enumerate(right, 1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (character != other))
            if i > 1 and j > 1 and character == right[j - 2] and left[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return min(row[-1], limit + 1)


def folded(label: str) -> str:
    """The label without case, white space and full-width forms."""
    return "".join(unicodedata.normalize("NFKC", label).casefold().split())


def nearest(label: str, known: Iterable[str]) -> str | None:
    """The known label that was probably meant: the same when folded, one or two edits away, or a prefix."""
    candidates = list(known)
    written = folded(label)
    by_distance = []
    for each in candidates:
        other = folded(each)
        if written == other:
            return each
        allowed = 2 if min(len(written), len(other)) >= 6 else 1 if min(len(written), len(other)) >= 2 else 0
        distance = edit_distance(written, other, allowed)
        if distance <= allowed and not _differ_in_digits(written, other):
            by_distance.append((distance, each))
    if by_distance:
        return min(by_distance)[1]
    prefixes = [each for each in candidates if len(folded(each)) >= 2 and _one_starts_the_other(written, folded(each))]
    return prefixes[0] if len(prefixes) == 1 else None


def suggestion(label: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    guess = nearest(label, known)
    return _("; did you mean '{guess}'?").format(guess=guess) if guess is not None else ""


def suspected_typos(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """(rare label, frequent label it may be a slip of), for labels a slip or two apart.

    Labels that differ in their digits ('step 1', 'step 2') or are short codes are taken as meant; a short label of wide
    characters ('好坪') is suspected where it is very rare and one frequent label alone is a slip away.
    """
    found = []
    ordered = sorted(counts, key=lambda label: (-counts[label], label))
    sizes = [-counts[label] for label in ordered]
    for rare, count in counts.items():
        frequent = ordered[: bisect_right(sizes, -RARE * count)]
        meant = next((other for other in frequent if _may_be_a_slip(rare, other)), None)
        if meant is None and count <= SHORT_SLIP:
            meant = _only_neighbour(rare, frequent)
        if meant is not None:
            found.append((rare, meant))
    return found


def _may_be_a_slip(rare: str, other: str) -> bool:
    """Whether two labels are a slip apart, or two where both are long."""
    allowed = min(2, min(len(rare), len(other)) // 4)
    return allowed > 0 and not _differ_in_digits(rare, other) and 0 < edit_distance(rare, other, allowed) <= allowed


def _only_neighbour(rare: str, frequent: Iterable[str]) -> str | None:
    """The one label a slip away from a short label of wide characters; None where it is another, or there are more."""
    narrow = _narrow(rare)
    if len(rare) < 2 or narrow == rare:
        return None
    near = [
        each for each in frequent if len(each) > 1 and _narrow(each) == narrow and edit_distance(rare, each, 1) == 1
    ]
    return near[0] if len(near) == 1 and not _differ_in_digits(rare, near[0]) else None


def _narrow(label: str) -> str:
    """The label without wide characters: letters and digits, by which codes differ."""
    return "".join(character for character in label if unicodedata.east_asian_width(character) not in "WF")


def parts_of(label: str, separator: str) -> list[str]:
    """What stands between the separators, without blanks and repetitions."""
    return list(dict.fromkeys(part.strip() for part in label.split(separator) if part.strip()))


def joined_labels(labels: Collection[str], known: Collection[str], *, parted_by: str = "") -> tuple[str, list[str]]:
    """(separator, labels that are several labels joined by it); no labels where nothing suggests that.

    Suspected where at least `JOINED` labels have parts, and most of the parts are labels of their own.

    Args:
        labels: the labels, as the cells have them.
        known: labels of their own.
        parted_by: the separator at which the cells were parted already.
    """
    found = [(each, _joined(labels, known, each)) for each in SEPARATORS if each != parted_by]
    return max(found, key=lambda each: len(each[1]))


def _joined(labels: Collection[str], known: Collection[str], separator: str) -> list[str]:
    joined = [label for label in labels if separator in label and len(parts_of(label, separator)) > 1]
    parts = [part for label in joined for part in parts_of(label, separator)]
    return joined if len(joined) >= JOINED and 2 * sum(part in known for part in parts) > len(parts) else []


def look_alikes(labels: Iterable[str]) -> list[list[str]]:
    """Groups of labels that are one when case, white space and full-width forms are ignored."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[folded(label)].append(label)
    return [group for group in groups.values() if len(group) > 1]


def listed(labels: Sequence[str], most: int = 12) -> str:
    """Labels for a message: all of them, or the first few and how many more."""
    shown = ", ".join(labels[:most])
    more = len(labels) - most
    return shown if more <= 0 else _("{shown} and {more} more").format(shown=shown, more=more)


def _differ_in_digits(left: str, right: str) -> bool:
    return DIGITS.findall(left) != DIGITS.findall(right)


def _one_starts_the_other(left: str, right: str) -> bool:
    return bool(left and right) and (left.startswith(right) or right.startswith(left))
