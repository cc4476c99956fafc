"""`weitiao compare`: two runs on the same test rows, by a paired test; the work is evaluation's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import open_run

if TYPE_CHECKING:
    from weitiao.evaluation.compare import Comparison


def compare(a: Any, b: Any) -> Comparison:
    """Compare two runs.

    Args:
        a: a run folder, or a `Run`.
        b: another.

    Raises:
        Refused: one is no finished run, or they were measured on different rows.
    """
    from weitiao.evaluation.compare import compare as compare_runs

    return compare_runs(open_run(_path(a)), open_run(_path(b)))


def _path(run: Any) -> Path:
    return Path(getattr(run, "path", run))
