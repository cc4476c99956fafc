"""Answers as a file: the rows as they came in, and beside them what the model says, or why it says nothing.

csv and tsv get one column for each field of the Prediction (`predicted_labels`, ...), jsonl one object
(`prediction`); all get `error`. csv begins with a byte order mark, without which spreadsheets take its UTF-8 for the
encoding of the country. Written beside the target (`half_done`) and renamed onto it once complete.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from weitiao.data.writing.sheet import cell
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.records import Prediction
from weitiao.verbs.predicting.half_done import HalfDone

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LINES = {".jsonl", ".ndjson"}
PREFIX = "predicted_"
ERROR = "error"

Write = Callable[[Mapping[str, object], Prediction | None, str], None]  # row, answer, error


def check_target(path: Path, *, force: bool) -> None:
    """Refuse a file that cannot be written, before any model is loaded.

    Raises:
        Refused: the ending is unknown, or the file is there and `force` is not set.
    """
    if path.suffix.lower() not in {*DELIMITERS, *LINES}:
        raise Refused(
            _("{path}: the ending '{suffix}' is no format to write; expected .csv, .tsv or .jsonl").format(
                path=path, suffix=path.suffix
            )
        )
    if path.is_dir():
        raise Refused(_("{path}: is a folder; name a file in it").format(path=path))
    if path.exists() and not force:
        raise Refused(_("{path}: already there; name another file, or overwrite it with --force").format(path=path))


@contextmanager
def answer_file(path: Path, half: HalfDone, columns: Sequence[str], prediction: type[Prediction]) -> Iterator[Write]:
    """A function that writes one row with its answer.

    Args:
        half: where the answers go until they are complete.
        columns: of the rows, in order.
        prediction: the task's Prediction, whose fields become columns.

    Raises:
        Refused: a row already has a column that answers need.
    """
    tabular = path.suffix.lower() in DELIMITERS
    added = [PREFIX + name for name in prediction.model_fields] if tabular else ["prediction"]
    taken = [name for name in (*added, ERROR) if name in columns]
    if taken:
        raise Refused(
            _("the input already has a column '{name}', which the answers need; rename it").format(name=taken[0])
        )
    encoding = "utf-8-sig" if path.suffix.lower() == ".csv" else "utf-8"
    with half.open(encoding) as stream:
        yield _table(stream, path, columns, prediction, begun=half.tally.parts > 0) if tabular else _lines(stream)


def _table(stream: TextIO, path: Path, columns: Sequence[str], prediction: type[Prediction], *, begun: bool) -> Write:
    writer = csv.writer(stream, delimiter=DELIMITERS[path.suffix.lower()], lineterminator="\n")
    names = list(prediction.model_fields)
    if not begun:
        writer.writerow([*columns, *(PREFIX + name for name in names), ERROR])

    def write(row: Mapping[str, object], answer: Prediction | None, error: str) -> None:
        said = ["" if answer is None else cell(getattr(answer, name)) for name in names]
        writer.writerow([*(cell(row.get(column)) for column in columns), *said, error])

    return write


def _lines(stream: TextIO) -> Write:
    def write(row: Mapping[str, object], answer: Prediction | None, error: str) -> None:
        said = answer.model_dump(mode="json") if answer is not None else None
        line = {**row, "prediction": said, ERROR: error or None}
        stream.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")

    return write
