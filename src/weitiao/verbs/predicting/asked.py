"""A file that is to be answered, read in the parts in which it is answered, and who answers a part.

Workers of a cluster are handed the same `Asked` and answer by the same `Answerer`, so that rows are as a plain run's.
Where the model reads the neighbours of a text, the rows of one document that stand together are answered together, up
to `LONGEST` of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder, open_run
from weitiao.data.fields import GROUP, FieldMap, known_names, map_columns, word
from weitiao.data.reading import Tabular, stream_rows
from weitiao.data.sources import expand
from weitiao.errors import Refused, refuse_if_errors
from weitiao.messages import _
from weitiao.recipe import Recipe, load_recipe
from weitiao.records import Prediction, Record, Row
from weitiao.serving.cards import TASK_FILE, AdapterCard, TaskCard, version
from weitiao.tasks import RowFault
from weitiao.verbs.preparing.frame import frame, same_kind, task_of

if TYPE_CHECKING:
    from weitiao.serving.predictor import Predictor

CHUNK = 1024  # rows answered at a time
LONGEST = 16 * CHUNK  # rows of one document that are kept together; beyond it memory would grow with the document
Answered = tuple[list[tuple[Row, Prediction | None, str]], int]  # rows, answers, reasons; how many texts were cut


@dataclass(frozen=True, slots=True)
class Asked:
    """A file, and who is to answer it.

    Args:
        folder: of the run, or an adapter in its run.
        source: the file.
        base: the pretrained model of an adapter, in place of the one that it names.
    """

    folder: Path
    source: str
    base: str | None = None

    def card(self) -> TaskCard:
        """What the model says of its task."""
        adapter = AdapterCard.of(self.folder)
        return adapter.task if adapter else TaskCard.read(open_run(self.folder).model / TASK_FILE)

    def recipe(self) -> Recipe:
        """By which a file's columns are read: that of the run, of an adapter that of the run that it is in.

        Raises:
            Refused: there is none.
        """
        if AdapterCard.of(self.folder) is None:
            return load_recipe(open_run(self.folder).recipe, frame())
        path = RunFolder(self.folder.resolve().parent).recipe
        if not path.is_file():
            message = _("{folder}: no recipe.yaml in the folder above, which says how the columns of a file are read")
            raise Refused(message.format(folder=self.folder))
        return load_recipe(path, frame())

    def read(self) -> tuple[Tabular, FieldMap]:
        """The source's rows and where their fields stand, by the run's mapping."""
        recipe = self.recipe()
        task, spec = task_of(recipe), recipe.data
        names = known_names(spec.fields, task.fields)
        reading = stream_rows(self.source, **same_kind(recipe, self.source), names=names)
        columns, problems = map_columns(reading, spec.fields, task.fields, labelled=False)
        refuse_if_errors(problems)
        return reading, columns

    def identity(self) -> dict[str, Any]:
        """What the answers depend on: the source as it stands, the model, and how many rows are answered at a time."""
        adapter = AdapterCard.of(self.folder)
        model = version(self.folder if adapter else open_run(self.folder).model)
        source, stand = str(Path(self.source).absolute()), _stand(self.source)
        return {"source": source, "stand": stand, "model": model, "base": self.base, "rows": CHUNK}

    def chunks(self) -> Iterator[list[Row]]:
        """The rows, in parts that are answered at a time."""
        reading, columns = self.read()
        return _chunks(reading.open(), columns, together=self.card().task().neighbours)


class Answerer:
    """Answers parts of a source by a model that is loaded once."""

    def __init__(self, asked: Asked) -> None:
        from weitiao.serving.predictor import Predictor

        self.predictor, self.columns = Predictor.load(asked.folder, base=asked.base), asked.read()[1]

    def __call__(self, rows: Sequence[Row]) -> Answered:
        """Each row with its answer, or with the reason why it has none."""
        read = [_record(self.predictor, self.columns, row) for row in rows]
        answers = self.predictor.answer([record for record, _error in read if record is not None])
        coming = iter(answers.predictions)
        answered = [
            (row, next(coming) if record is not None else None, error)
            for row, (record, error) in zip(rows, read, strict=True)
        ]
        return answered, len(answers.truncated)


def _chunks(rows: Iterable[Row], columns: FieldMap, *, together: bool) -> Iterator[list[Row]]:
    """The rows in parts of `CHUNK`; `together`: no part ends in a document, unless that is longer than `LONGEST`."""
    chunk: list[Row] = []
    document = ("", "")
    for row in rows:
        own = document
        if together and not row.problem:
            own = (row.file, word(columns.apply(row.fields).get(GROUP)))
        inside = own[1] and own == document and len(chunk) < LONGEST
        if len(chunk) >= CHUNK and not inside:
            yield chunk
            chunk = []
        chunk.append(row)
        document = own
    if chunk:
        yield chunk


def _record(predictor: Predictor, columns: FieldMap, row: Row) -> tuple[Record | None, str]:
    if row.problem:
        return None, row.problem
    known = {spec.name for spec in predictor.task.fields if not spec.only_labelled}
    values = columns.apply(row.fields)
    group = word(values.get(GROUP))
    fields = {name: value for name, value in values.items() if name in known}
    try:
        return predictor.record(fields, file=row.file, line=row.line, group=group), ""
    except RowFault as fault:
        return None, str(fault)


def _stand(source: str) -> list[list[Any]]:
    """Every file of a source, a folder or a pattern, with its size and when it was last written."""
    names = [source] if Path(source).is_dir() else expand(source)[0]
    paths = [
        each for name in names for each in (sorted(Path(name).rglob("*")) if Path(name).is_dir() else [Path(name)])
    ]
    return [[str(each), each.stat().st_size, each.stat().st_mtime_ns] for each in paths if each.is_file()]
