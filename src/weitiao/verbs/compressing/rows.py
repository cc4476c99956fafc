"""The rows of a run that compression asks for: those to judge by, those that steps learn from, and unlabelled texts.

Read when first asked for; a run whose files are gone can still be judged by rows that are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder
from weitiao.data.fields import known_names, map_columns
from weitiao.data.reading import stream_rows
from weitiao.errors import Refused, refuse_if_errors
from weitiao.messages import _
from weitiao.recipe import Recipe
from weitiao.records import Record
from weitiao.verbs.evaluate import new_data, own_data
from weitiao.verbs.preparing.frame import same_kind, task_of


class RunRows:
    """Rows of a run.

    Args:
        folder: the run.
        recipe: its recipe.
        data: labelled rows to judge by in place of the run's dev rows: a file, DataFrame or list of mappings.
    """

    def __init__(self, folder: RunFolder, recipe: Recipe, data: Any = None) -> None:
        self.folder, self.recipe, self.data = folder, recipe, data

    @cached_property
    def _own(self) -> Mapping[str, Sequence[Record]]:
        return own_data(self.folder, self.recipe).records

    def of(self, split: str) -> Sequence[Record]:
        """The records of one of the run's splits; none where it has no such split.

        Rows to judge by stand in for dev rows that are gone.

        Raises:
            Refused: the run's own rows are gone or changed.
        """
        try:
            return self._own.get(split, [])
        except Refused:
            if split == "dev" and self.data is not None:
                return self.judges[1]
            raise

    @cached_property
    def judges(self) -> tuple[str, Sequence[Record]]:
        """Where the rows to judge by are from, and these.

        Raises:
            Refused: there are none; it says what to do.
        """
        if self.data is not None:
            name = str(self.data) if isinstance(self.data, str | Path) else "memory"
            return name, new_data(self.recipe, self.data).records["train"]
        try:
            records = self.of("dev")
        except Refused as error:
            raise Refused(_unjudged(self.folder, str(error))) from error
        if not records:
            raise Refused(_unjudged(self.folder, _("the run has no dev rows")))
        return "dev", records


def _unjudged(folder: RunFolder, reason: str) -> str:
    return _(
        "{path}: no rows to compare the compressed model with its source on ({reason}); "
        "name labelled rows with --data FILE, or take it uncompared with --accept"
    ).format(path=folder.path, reason=reason)


def read_texts(recipe: Recipe, source: Path | str) -> list[str]:
    """Unlabelled texts: the lines of a .txt file, or the text columns of rows as the run reads them.

    Raises:
        Refused: the file cannot be read, or has no text in it.
    """
    texts = list(_lines(Path(source)) if Path(source).suffix.lower() == ".txt" else _columns(recipe, str(source)))
    if not texts:
        raise Refused(_("{path}: no text in it").format(path=source))
    return texts


def _lines(path: Path) -> Iterator[str]:
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = _("{path}: cannot be read ({reason}); expected a text a line, in UTF-8")
        raise Refused(message.format(path=path, reason=error)) from error
    return filter(str.strip, lines)


def _columns(recipe: Recipe, source: str) -> Iterator[str]:
    """Every text of every row, of the fields that a prediction asks for."""
    task, spec = task_of(recipe), recipe.data
    names = known_names(spec.fields, task.fields)
    reading = stream_rows(source, **same_kind(recipe, source), names=names)
    columns, problems = map_columns(reading, spec.fields, task.fields, labelled=False)
    refuse_if_errors(problems)
    asked = [field.name for field in task.fields if field.asked and not field.only_labelled]
    for row in reading.open():
        values = {} if row.problem else columns.apply(row.fields)
        yield from (text for name in asked if isinstance(text := values.get(name), str) and text.strip())
