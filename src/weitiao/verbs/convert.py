"""`weitiao convert`: rows of any format into another that can be written, and what that one cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from weitiao.data.fields import known_names
from weitiao.data.reading import Reading, read_rows
from weitiao.data.sources import expand
from weitiao.data.writing import ENDINGS, WRITERS, Writer
from weitiao.errors import Problem, Refused, RowPlace, refuse_if_errors
from weitiao.messages import _, ngettext
from weitiao.tasks import RowFault
from weitiao.verbs.inner import FIELDS, Inner, columns_of, inner_row, marks_spans, with_tokens


@dataclass(frozen=True, slots=True)
class Conversion:
    """What came of it.

    Args:
        output: the file written.
        read_as: the format of the source, or several.
        written_as: the format of the output.
        rows: rows in it.
        lost: what the output's format cannot hold, in sentences with counts.
        problems: what the source's reader found, the rows that could not be used, and notes on what was written.
    """

    output: str
    read_as: str
    written_as: str
    rows: int
    lost: Sequence[str]
    problems: Sequence[Problem]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def convert(
    source: Path | str,
    output: Path | str,
    *,
    read_as: str | None = None,
    write_as: str | None = None,
    encoding: str | None = None,
    force: bool = False,
) -> Conversion:
    """Write the rows of a source in another format.

    Args:
        source: a file, folder, zip or pattern, in any format that training reads, or a hub data set.
        output: the file to write.
        read_as: the format of the source; told by content when None.
        write_as: the format to write; told by the output's ending when None.
        encoding: the text encoding of the source; told by content when None.
        force: overwrite the output.

    Raises:
        Refused: the source cannot be read, holds no row that can be used, or the output cannot be written.
    """
    output = Path(output)
    target = _target(output, write_as, force=force)
    writer: Writer = WRITERS[target]()
    names, problems = expand(str(source), read_as)
    refuse_if_errors(problems)
    readings = [read_rows(name, format=read_as, encoding=encoding, names=known_names({}, FIELDS)) for name in names]
    rows, faults = _inner(readings)
    if not rows:
        raise Refused(_("{path}: no row can be used; the first: {fault}").format(path=source, fault=faults[0]))
    if getattr(writer, "tokenised", False):
        rows = [with_tokens(row) for row in rows]
    lost = writer.write(rows, output)
    found = [problem for reading in readings for problem in reading.problems] + _left_out(faults, str(source))
    notes: Sequence[str] = getattr(writer, "notes", ())
    found += [Problem("written", sentence, file=str(output), severity="note") for sentence in notes]
    formats = dict.fromkeys(reading.file.format for reading in readings)
    return Conversion(str(output), ", ".join(formats), target, len(rows), lost, found)


def _target(output: Path, told: str | None, *, force: bool) -> str:
    """The format to write, once it is clear that the file may be written."""
    name = told or ENDINGS.get(output.suffix.lower(), "")
    if name not in WRITERS:
        if told:
            WRITERS[told]  # says which there are
        raise Refused(
            _("{path}: the ending '{suffix}' does not tell the format to write; give --to, one of: {names}").format(
                path=output, suffix=output.suffix, names=", ".join(WRITERS)
            )
        )
    if output.is_dir():
        raise Refused(_("{path}: is a folder; name a file in it").format(path=output))
    if output.exists() and not force:
        raise Refused(_("{path}: already there; name another file, or overwrite it with --force").format(path=output))
    return name


def _inner(readings: Sequence[Reading]) -> tuple[list[Inner], list[RowPlace]]:
    """(rows in the inner form, rows that cannot be used)."""
    rows: list[Inner] = []
    faults: list[RowPlace] = []
    for reading in readings:
        columns = columns_of(reading)
        marks = marks_spans(reading, columns)
        for row in reading.rows:
            try:
                rows.append(inner_row(row, columns, marks=marks))
            except RowFault as fault:
                faults.append(RowPlace(row.file, row.line, note=str(fault)))
    return rows, faults


def _left_out(faults: Sequence[RowPlace], source: str) -> list[Problem]:
    if not faults:
        return []
    message = ngettext(
        "{count} row cannot be used and is left out; the first: {fault}",
        "{count} rows cannot be used and are left out; the first: {fault}",
        len(faults),
    ).format(count=f"{len(faults):,}", fault=faults[0])
    return [Problem("dropped-rows", message, file=source, severity="warning", rows=tuple(faults))]
