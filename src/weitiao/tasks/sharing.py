"""What rows of dev and test share with training rows though they are not the same: a passage, a query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from weitiao.errors import RowPlace
from weitiao.tasks import R

Shared = tuple[str, int, tuple[RowPlace, ...]]  # split, its rows, those that share, each with the training row


def shared_with_train(splits: Mapping[str, Sequence[R]], part: Callable[[R], str]) -> Iterator[Shared]:
    """The splits with rows whose part (such as the passage of a question) a training row has too."""
    known = {part(record): record for record in reversed(splits.get("train", ()))}
    for split, records in splits.items():
        rows = tuple(
            RowPlace(record.file, record.line, known[part(record)].place)
            for record in records
            if split != "train" and part(record) in known
        )
        if rows:
            yield split, len(records), rows
