"""The errors of weitiao: one tree, one sentence each.

    WeitiaoError                 base; `exit_code` is what the command line leaves with
    ├── Refused (2)              the input is at fault; nothing was changed
    │   ├── ProblemsFound        several problems, all reported at once
    │   └── MissingExtra         an optional dependency is not installed
    └── Failed (1)               the run broke while running
        ├── NonFiniteLoss        NaN or Inf, with the rows of the step
        ├── NothingLearnt        a step in which no target was trained on
        ├── OutsideTolerance     a compressed model does not answer well enough; nothing was kept of it
        └── StorageFull          the disk is full; a run can be resumed
    Interrupted (130)            SIGINT or SIGTERM; the run is saved and can be resumed

A message says what, got, expected, and what to do, and opens with `FILE:LINE:` where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from weitiao.messages import _

Severity = Literal["error", "warning", "note"]


class WeitiaoError(Exception):
    """Base of every error that weitiao raises on purpose."""

    exit_code = 1


class Refused(WeitiaoError):
    """The input is at fault; nothing was changed on disk."""

    exit_code = 2


class MissingExtra(Refused):
    """An optional dependency is needed and absent."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            _("{package} is not installed; install it with: pip install 'weitiao[{extra}]'").format(
                package=package, extra=extra
            )
        )


class Failed(WeitiaoError):
    """The run broke while running."""


class NonFiniteLoss(Failed):
    """The loss became NaN or infinite."""


class NothingLearnt(Failed):
    """A step held no target to train on."""


class OutsideTolerance(Failed):
    """A compressed model does not answer well enough beside its source; nothing was kept of it."""


class StorageFull(Failed):
    """The disk is full; what was complete is kept, and a run can be resumed."""


class Interrupted(WeitiaoError):
    """SIGINT or SIGTERM arrived; the run is saved and can be resumed."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class RowPlace:
    """One of the rows that a finding is about.

    Args:
        file: its source, as the user wrote it.
        line: its first line, from 1.
        twin: `FILE:LINE` of the other row, where the finding is about two.
        note: what is particular to this row, such as its label or why it cannot be used.
    """

    file: str
    line: int
    twin: str = ""
    note: str = ""

    def __str__(self) -> str:
        other = _("see {place}").format(place=self.twin) if self.twin else ""
        remarks = _("; ").join(filter(None, (self.note, other)))
        return f"{self.file}:{self.line}" + (f": {remarks}" if remarks else "")


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding about a recipe, a file or rows.

    Args:
        code: stable kebab-case name, such as `unknown-key` or `near-duplicate-leak`.
        message: one sentence: what, got, expected, do.
        file: the file it is about, as the user wrote it; empty where there is none.
        line: first line, from 1; 0 where there is none.
        severity: errors end the verb with exit 2; warnings do so under `--strict`.
        rows: every row it is about; empty where it is about no rows in particular.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    severity: Severity = "error"
    rows: tuple[RowPlace, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        return place + self.message


class ProblemsFound(Refused):
    """Several problems, reported together."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: Sequence[Problem] = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def refuse_if_errors(problems: Iterable[Problem], *, strict: bool = False) -> None:
    """Raise `ProblemsFound` with every error in `problems`; warnings count as errors under `strict`."""
    fatal = {"error", "warning"} if strict else {"error"}
    found = [problem for problem in problems if problem.severity in fatal]
    if found:
        raise ProblemsFound(found)
