"""`weitiao predict`: answers to texts, or to every row of a file, in order; faulty rows are carried through.

Long csv, tsv and jsonl files are read, answered and written in parts, so that memory does not grow with them; other
formats are read whole. The answers appear under their name once they are complete; a call that was stopped is gone on
with by the same call again, from the last part that was whole. Where the model reads the neighbours
of a text, the rows of one document that stand together are answered together, up to `LONGEST` of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
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
from weitiao.verbs.answer_file import answer_file, check_target
from weitiao.verbs.half_done import HalfDone
from weitiao.verbs.preparing.frame import frame, task_of

if TYPE_CHECKING:
    from weitiao.serving.predictor import Answers, Input, Predictor
    from weitiao.verbs.clusters.session import Cluster

CHUNK = 1024  # rows answered at a time
LONGEST = 16 * CHUNK  # rows of one document that are kept together; beyond it memory would grow with the document
PLACES = 5  # faulty rows that are named
Answered = tuple[list[tuple[Row, Prediction | None, str]], int]  # rows, answers, reasons; how many texts were cut


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """What came of a file.

    Args:
        output: the file written.
        rows: rows in it, faulty ones included.
        faulty: rows without an answer.
        faults: `FILE:LINE: reason` of the first of them.
        truncated: texts that are longer than the model reads, which saw only their beginning.
        max_length: tokens that it reads.
        resumed: rows that an earlier call had answered before it was stopped.
    """

    output: str
    rows: int
    faulty: int
    faults: Sequence[str]
    truncated: int
    max_length: int
    resumed: int = 0

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def predict(run: Any, inputs: Iterable[Input], *, base: str | None = None) -> list[Prediction]:
    """An answer for each text, pair of texts, mapping of fields or Record.

    Args:
        run: a run folder, its `adapter/`, or a `Run`.
        inputs: what to answer.
        base: the pretrained model of an adapter, in place of the one that it names.

    Raises:
        Refused: the run is unfinished, or an input cannot be used.
    """
    return answer(run, inputs, base=base).predictions


def answer(run: Any, inputs: Iterable[Input], *, base: str | None = None) -> Answers:
    """As `predict`, and which of the inputs the model could not read to their end."""
    from weitiao.serving.predictor import Predictor

    return Predictor.load(Path(getattr(run, "path", run)), base=base).answer(inputs)


def predict_file(
    run: Any,
    source: Path | str,
    output: Path | str,
    *,
    force: bool = False,
    base: str | None = None,
    on_rows: Callable[[int], None] | None = None,
    cluster: Cluster | None = None,
) -> FileAnswer:
    """Answer every row of a file into another.

    Args:
        run: a run folder, its `adapter/`, or a `Run`.
        source: rows in any format that training reads, with the columns of the run's data.
        output: .csv, .tsv or .jsonl.
        force: overwrite the output.
        base: the pretrained model of an adapter, in place of the one that it names.
        on_rows: told the number of rows so far.
        cluster: where to answer, if not in this process.

    Raises:
        Refused: the run, the source or the target cannot be used; nothing is written.
    """
    if cluster is not None:
        cluster.check()
    asked, output = Asked(Path(getattr(run, "path", run)), str(source), base), Path(output)
    check_target(output, force=force)
    reading, _columns = asked.read()
    card = asked.card()
    half = HalfDone(output, asked.identity() if cluster is None else None)
    with (
        answer_file(output, half, reading.columns, card.task().prediction) as write,
        closing(_answered(asked, cluster, half.tally.parts)) as parts,
    ):
        tally, resumed = half.tally, half.tally.rows
        for answered, cut in parts:
            for row, prediction, error in answered:
                write(row.fields, prediction, error)
                if error:
                    tally.faulty += 1
                    tally.faults += [f"{row.place}: {error}"] if len(tally.faults) < PLACES else []
            tally.rows, tally.truncated = tally.rows + len(answered), tally.truncated + cut
            half.keep()
            if on_rows is not None:
                on_rows(tally.rows)
    return FileAnswer(str(output), tally.rows, tally.faulty, tally.faults, tally.truncated, card.max_length, resumed)


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


def _stand(source: str) -> list[list[Any]]:
    """Every file of a source, a folder or a pattern, with its size and when it was last written."""
    names = [source] if Path(source).is_dir() else expand(source)[0]
    paths = [
        each for name in names for each in (sorted(Path(name).rglob("*")) if Path(name).is_dir() else [Path(name)])
    ]
    return [[str(each), each.stat().st_size, each.stat().st_mtime_ns] for each in paths if each.is_file()]


def _answered(asked: Asked, cluster: Cluster | None, done: int) -> Generator[Answered, None, None]:
    """The answered rows of a source in order, here or by the workers of a cluster; here without the first parts."""
    if cluster is None:
        answerer = Answerer(asked)
        return (answerer(rows) for rows in islice(asked.chunks(), done, None))
    from weitiao.verbs.clusters.predicting import answered_on

    return answered_on(cluster, asked)


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


def same_kind(recipe: Recipe, source: str) -> dict[str, Any]:
    """Format, encoding and the like as the recipe tells them, for files that end as the run's own do."""
    own = recipe.data.file or recipe.data.train
    first = own[0] if isinstance(own, list) else own or ""
    if Path(first).suffix.lower() != Path(source).suffix.lower():
        return {}
    names = ("format", "encoding", "delimiter", "header", "sheet")
    return {name: getattr(recipe.data, name) for name in names}


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
