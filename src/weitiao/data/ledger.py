"""The row ledger: every row that was read ends as kept, truncated or dropped with a reason, and the counts add up.

Of a row with several examples, such as the pairs of spans in a text, each counts as one that was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from weitiao.errors import Failed
from weitiao.messages import _

FAULTY = "faulty-row"  # the task, or the reader, cannot use it
NO_AGREEMENT = "no-agreement"  # its annotators did not agree on a label, and the data say so
EMPTY = "no-example"  # nothing in it to learn from, such as a text without two spans for `relate`
UNANNOTATED = "unannotated-rows"  # nobody said what it marks
UNUSED = {EMPTY, "over-limit", "other-split", NO_AGREEMENT, UNANNOTATED}  # as recipe or data ask; no fault of the row


@dataclass(frozen=True, slots=True)
class Drop:
    """One row that is not used.

    Args:
        file: its source.
        line: its first line.
        code: `faulty-row`, `no-example`, `over-limit`, `other-split`, `no-agreement` or `unannotated-rows`.
        reason: one sentence.
    """

    file: str
    line: int
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(slots=True)
class Ledger:
    """Where every row went.

    Args:
        read: source -> rows read from it.
        kept: (source, split) -> rows used whole.
        truncated: (source, split) -> rows used, but longer than the model reads.
        dropped: rows not used.
    """

    read: Counter[str] = field(default_factory=Counter)
    kept: Counter[tuple[str, str]] = field(default_factory=Counter)
    truncated: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: list[Drop] = field(default_factory=list)

    def drop(self, file: str, line: int, code: str, reason: str) -> None:
        """Enter a row that is not used."""
        self.dropped.append(Drop(file, line, code, reason))

    def truncate(self, split: str, files: Iterable[str]) -> None:
        """Move rows of `split`, one entry of `files` each, from kept to truncated.

        Raises:
            Failed: more rows than were kept.
        """
        for file, count in Counter(files).items():
            self.kept[file, split] -= count
            self.truncated[file, split] += count
        self.check()

    @property
    def faults(self) -> list[Drop]:
        """Dropped rows that nobody asked to drop."""
        return [each for each in self.dropped if each.code not in UNUSED]

    def check(self) -> None:
        """Every row of every source is accounted for.

        Raises:
            Failed: the counts do not add up, which is a mistake in weitiao.
        """
        ended = Counter[str]()
        for counts in (self.kept, self.truncated):
            for (file, _split), count in counts.items():
                ended[file] += count if count >= 0 else self.read[file] + 1
        ended.update(each.file for each in self.dropped)
        for file in self.read.keys() | ended.keys():
            if self.read[file] != ended[file]:
                raise Failed(
                    _("{file}: the row ledger does not balance: {read} rows read, {ended} accounted for").format(
                        file=file, read=self.read[file], ended=ended[file]
                    )
                )

    def to_json(self) -> dict[str, Any]:
        """Plain values; each faulty row is listed, rows left out on request are only counted."""
        unused = Counter((each.file, each.code) for each in self.dropped if each.code in UNUSED)
        return {
            "read": self.read.total(),
            "kept": self.kept.total(),
            "truncated": self.truncated.total(),
            "dropped": len(self.dropped),
            "files": {
                file: {
                    "read": count,
                    "kept": _of_file(self.kept, file),
                    "truncated": _of_file(self.truncated, file),
                    "unused": {code: number for (name, code), number in unused.items() if name == file},
                }
                for file, count in self.read.items()
            },
            "faults": [
                {"file": each.file, "line": each.line, "code": each.code, "reason": each.reason} for each in self.faults
            ],
        }


def _of_file(counts: Counter[tuple[str, str]], file: str) -> dict[str, int]:
    return {split: count for (name, split), count in counts.items() if name == file and count}
