"""What to ask a new run first: a short text of the rows it was measured on, or the file that they are in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from weitiao.records import Record
from weitiao.tasks import Task
from weitiao.verbs.fitting.fit import measured_part
from weitiao.verbs.preparing.preflight import Preflight

LOOKED_AT = 1000  # rows
LONGEST, FINE = 60, 20  # characters of a text to type; those that show something and fit a line
ANSWERS = "answers.csv"
ANY = "..."


def first_question(found: Preflight) -> list[str]:
    """What follows `weitiao predict RUN`; it works as it stands, and shows no text where reports show none."""
    _split, part = measured_part(found)
    records = part.records[:LOOKED_AT]
    text = _short(found.task, records) if found.recipe.report.texts else ""
    if text:
        return [text]
    file = next((record.file for record in records if Path(record.file).is_file()), "")
    return ["--input", file, "--output", ANSWERS] if file else [ANY]


def _short(task: Task[Any, Any], records: Sequence[Record]) -> str:
    """A text that can be typed: on one line, not too long, no option; pairs, whose surface has two lines, have none."""
    surfaces = [task.surface(record) for record in records]
    typed = [text for text in surfaces if len(text) <= LONGEST and text.isprintable() and not text.startswith("-")]
    return min(typed, key=lambda text: abs(len(text) - FINE), default="")
