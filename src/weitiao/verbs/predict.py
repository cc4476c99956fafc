"""`weitiao predict`: answers to texts, or to every row of a file, in order; faulty rows are carried through.

Long csv, tsv and jsonl files are read, answered and written in parts, so that memory does not grow with them; other
formats are read whole. The answers appear under their name once they are complete; a call that was stopped is gone on
with by the same call again, from the last part that was whole.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.records import Prediction
from weitiao.verbs.clusters.session import Cluster, cluster_at
from weitiao.verbs.predicting.answer_file import answer_file, check_target
from weitiao.verbs.predicting.asked import Answered, Answerer, Asked
from weitiao.verbs.predicting.half_done import HalfDone

if TYPE_CHECKING:
    from weitiao.serving.predictor import Answers, Input

PLACES = 5  # faulty rows that are named


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
    cluster: Cluster | str | None = None,
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
    where = cluster_at(cluster)
    asked, output = Asked(Path(getattr(run, "path", run)), str(source), base), Path(output)
    check_target(output, force=force)
    reading, _columns = asked.read()
    card = asked.card()
    half = HalfDone(output, asked.identity() if where is None else None)
    with (
        answer_file(output, half, reading.columns, card.task().prediction) as write,
        closing(_answered(asked, where, half.tally.parts)) as parts,
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


def _answered(asked: Asked, cluster: Cluster | None, done: int) -> Generator[Answered, None, None]:
    """The answered rows of a source in order, here or by the workers of a cluster; here without the first parts."""
    if cluster is None:
        answerer = Answerer(asked)
        return (answerer(rows) for rows in islice(asked.chunks(), done, None))
    from weitiao.verbs.clusters.predicting import answered_on

    return answered_on(cluster, asked)
