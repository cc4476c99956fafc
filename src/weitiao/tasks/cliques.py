"""Groups in a graph whose members are all linked to each other: how the arguments of one trigger part into events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

MOST = 24  # members above which a graph is one group: there may be 3 ** (n / 3) cliques (Moon & Moser 1965)


def maximal_cliques(linked: npt.NDArray[np.bool_]) -> list[list[int]]:
    """Every largest group, each in order, by its first members (Bron & Kerbosch 1973, with Tomita's pivot).

    Args:
        linked: which members are linked, [N, N], symmetric; the diagonal does not matter.
    """
    count = len(linked)
    if count > MOST:
        return [list(range(count))]
    neighbours = [set(np.flatnonzero(row).tolist()) - {member} for member, row in enumerate(linked)]
    return sorted(sorted(group) for group in _grown(set(), set(range(count)), set(), neighbours))


def _grown(group: set[int], others: set[int], done: set[int], neighbours: list[set[int]]) -> Iterator[set[int]]:
    """The largest groups that hold `group`, more of `others`, and none of `done`."""
    if not others and not done:
        yield group
        return
    pivot = max(others | done, key=lambda member: len(neighbours[member] & others))
    for member in sorted(others - neighbours[pivot]):
        near = neighbours[member]
        yield from _grown(group | {member}, others & near, done & near, neighbours)
        others = others - {member}
        done = done | {member}
