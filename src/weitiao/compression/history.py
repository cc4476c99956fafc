"""`compression.json`: what was done to a model, from the run that was trained to what stands beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from weitiao.artifact import RunFolder, read_json, write_text
from weitiao.compression import STEP_OPTIONS
from weitiao.compression.comparison import Comparison
from weitiao.errors import Refused
from weitiao.evaluation.schema import Part
from weitiao.messages import _


class Done(Part):
    """A step that was done."""

    name: str
    options: dict[str, Any] = Field(description="all of them, defaults too")
    facts: dict[str, Any] = Field(description="what the step says it did")
    comparison: Comparison | None = Field(description="with its source; null where there were no rows to compare on")
    bytes: int = Field(description="of all files in model/ after it")

    def told(self) -> Iterator[str]:
        """What it did, in sentences of the language in force."""
        if self.name in STEP_OPTIONS:  # else it is of a package that is not installed here
            yield from STEP_OPTIONS[self.name].model_validate(self.options).told(self.facts)


class History(Part):
    """All steps since training."""

    weitiao: str = Field(description="version")
    source: str = Field(description="the run that was trained, as its path was given")
    steps: list[Done]
    accepted: bool = Field(description="whether a step outside the tolerance, or unjudged, was taken by --accept")
    tolerance: float = Field(description="by how much the headline metric could fall")
    bytes: int = Field(description="of all files in model/ of that run")
    stamp: dict[str, Any] = Field(description="the machine on which the comparisons were made")

    def write(self, folder: RunFolder) -> None:
        """Into the artifact's folder."""
        write_text(folder.compression, self.model_dump_json(indent=2) + "\n")

    @property
    def fallen(self) -> float:
        """The differences of the metric added up, of the steps behind the last that --accept was needed for."""
        total = 0.0
        for each in reversed(self.steps):
            if each.comparison is None or each.comparison.objections:
                break
            total += each.comparison.difference.value
        return total


def history_of(folder: RunFolder) -> History | None:
    """What was done to an artifact; None for a run as it was trained.

    Raises:
        Refused: the file cannot be read.
    """
    if not folder.compression.is_file():
        return None
    try:
        return History.model_validate(read_json(folder.compression))
    except ValidationError as error:
        message = _("{path}: not what weitiao compress wrote ({reason}); compress the run anew")
        raise Refused(message.format(path=folder.compression, reason=error.errors()[0]["msg"])) from error


def bytes_of(folder: Path) -> int:
    """Of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
