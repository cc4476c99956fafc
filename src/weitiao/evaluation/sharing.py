"""Paths as a report may show them to others: without the working folder, and with `~` for the home folder.

recipe.yaml and data.json of a run keep whole paths, since a run is gone on with from any folder; report.json,
report.html and the model card are passed around, and have no use for the name of somebody's home folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from weitiao.evaluation.schema import Report

INSIDE = r"(?<![A-Za-z0-9_./~-])"  # a path begins here, whatever sentence or quotation mark it stands behind


def shareable(report: Report) -> Report:
    """The report with its paths shortened; texts of rows are as they are."""
    data = report.data.model_copy(update={"problems": [short(problem) for problem in report.data.problems]})
    mistakes = [each.model_copy(update={"place": short(each.place)}) for each in report.mistakes]
    shown = {name: short(getattr(report, name)) for name in ("model", "recipe", "split")}
    return report.model_copy(update={**shown, "data": data, "mistakes": mistakes})


def short(text: str) -> str:
    """`text` with every path in it shortened."""
    for folder, instead in _folders():
        text = re.sub(INSIDE + re.escape(folder) + "/", instead, text)
    return text


def _folders() -> Iterator[tuple[str, str]]:
    """(folder, what stands for it and its slash): the working folder first, which is often in the other.

    Each as it is written and as it is where symbolic links lead, for paths are resolved in some places only.
    """
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - never raises
    working = Path(os.environ.get("PWD", ""))
    written = [working] if working.is_absolute() and working.resolve() == Path.cwd() else []
    for folder, instead in [*((each, "") for each in (*written, Path.cwd())), (home, "~/"), (home.resolve(), "~/")]:
        if folder.is_absolute() and folder != Path(folder.anchor):
            yield folder.as_posix(), instead
