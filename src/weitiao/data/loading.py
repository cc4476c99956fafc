"""`load_data`: the recipe's `data` block in, a Dataset of Records out, everything that is wrong reported at once.

Each source is read, its columns mapped, each row handed to the task's `read`; then rows go to their splits. Nothing is
raised for bad input: the problems are in the Dataset, and every row read is in its ledger.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from weitiao.data.assigning import Assignment, Loaded, assign
from weitiao.data.fields import (
    GROUP,
    SPLIT,
    FieldLike,
    FieldMap,
    known_names,
    map_columns,
    unknown_fields,
    unread_text,
    word,
)
from weitiao.data.items import Item, fingerprint
from weitiao.data.layouts import LABEL, TEXTS, UNDECIDED, undecided
from weitiao.data.ledger import EMPTY, FAULTY, NO_AGREEMENT, UNANNOTATED, Ledger
from weitiao.data.reading import FileReading, Reading, read_rows
from weitiao.data.reading.memory import read_memory
from weitiao.data.sources import Part, plan_parts
from weitiao.errors import Problem, ProblemsFound, Refused, RowPlace
from weitiao.messages import _, ngettext
from weitiao.recipe import DataSpec
from weitiao.records import Record, Row

FIRST_FAULTS = 5  # faulty rows that a message names
MARKS = frozenset({"spans", "events"})  # fields that list what a text marks, of which null says nothing

Fields = Mapping[str, object]
Expand = Callable[[Fields], Sequence[Fields]]


@dataclass(frozen=True)
class Dataset:
    """Everything that was loaded.

    Args:
        records: split -> Records in row order; absent splits are absent keys; train, dev, test.
        items: split -> Items, one a Record, in the same order.
        files: how each source was read.
        ledger: where every row went.
        problems: everything that is wrong or odd, errors included.
    """

    records: dict[str, list[Record]]
    items: dict[str, list[Item]]
    files: list[FileReading]
    ledger: Ledger
    problems: list[Problem] = field(default_factory=list)

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """split -> sha256 of its surfaces and answers, in order."""
        return {split: fingerprint(items) for split, items in self.items.items()}

    def to_json(self) -> dict[str, Any]:
        """Files, ledger and splits as they stand in a run's data.json."""
        return {
            "files": [file.to_json() for file in self.files],
            "ledger": self.ledger.to_json(),
            "splits": {
                split: {"rows": len(items), "fingerprint": self.fingerprints[split]}
                for split, items in self.items.items()
            },
        }


@dataclass(frozen=True, slots=True)
class _TaskReading:
    """The task's side of loading: its fields, its callables, and the fields that a source may lack."""

    fields: Sequence[FieldLike]
    read: Callable[..., Record]
    answer: Callable[[Any], str]
    surface: Callable[[Any], str]
    spare: Collection[str]
    expand: Expand | None


def load_data(
    spec: DataSpec,
    *,
    fields: Sequence[FieldLike],
    read: Callable[..., Record],
    answer: Callable[[Any], str],
    surface: Callable[[Any], str],
    memory: Mapping[str, Any] | None = None,
    spare: Collection[str] = (),
    expand: Expand | None = None,
) -> Dataset:
    """Read every source of `spec` and put each row into its split.

    Args:
        spec: the recipe's `data` block.
        fields: the task's fields.
        read: `task.read`: (mapped fields, file=, line=, group=) -> Record; a ValueError is the row's fault.
        answer: `task.answer`.
        surface: `task.surface`.
        memory: 'train', 'dev', 'test' or 'file' -> rows in Python (DataFrame, list of dicts) that replace that source.
        spare: fields whose column a source may lack although the recipe names it.
        expand: `task.expand`: the examples in one row, as fields; `group` may be told anew.
    """
    parts, shares, problems = plan_parts(spec, memory or {})
    problems += unknown_fields(spec.fields, fields)
    task = _TaskReading(fields, read, answer, surface, spare, expand)
    ledger, files, loaded = Ledger(), [], []
    for part in parts:
        rows, file, found = _load_part(part, spec, task, ledger)
        problems += found
        loaded += rows
        files += file
    broken = any(problem.severity == "error" for problem in problems)
    assignment = assign(loaded, shares, spec, complete=not broken)
    problems += assignment.problems
    return _dataset(assignment, files, ledger, problems)


def _dataset(assignment: Assignment, files: list[FileReading], ledger: Ledger, problems: list[Problem]) -> Dataset:
    for row, code, reason in assignment.dropped:
        ledger.drop(row.item.file, row.item.line, code, reason)
    for split, rows in assignment.splits.items():
        ledger.kept.update((row.item.file, split) for row in rows)
    ledger.check()
    records = {split: [row.record for row in rows] for split, rows in assignment.splits.items()}
    items = {split: [row.item for row in rows] for split, rows in assignment.splits.items()}
    return Dataset(records, items, files, ledger, problems)


def _load_part(
    part: Part, spec: DataSpec, task: _TaskReading, ledger: Ledger
) -> tuple[list[Loaded], list[FileReading], list[Problem]]:
    """(usable rows, how the source was read, problems) of one source."""
    try:
        reading = _read(part, spec, task)
    except ProblemsFound as error:
        return [], [], list(error.problems)
    except Refused as error:
        return [], [], [Problem("refused", str(error), file=part.name)]
    unusable = bool(reading.rows) and all(row.problem for row in reading.rows)  # then no column can be told
    mapped, problems = (
        (FieldMap({}), []) if unusable else map_columns(reading, spec.fields, task.fields, spare=task.spare)
    )
    problems = [*reading.problems, *problems]
    split, wrong = _split_path(part, reading, mapped, spec)
    problems += wrong
    file = replace(reading.file, fields=mapped.to_json())
    if any(problem.severity == "error" for problem in problems):
        return [], [file], problems
    if split:
        mapped = replace(mapped, paths={**mapped.paths, SPLIT: split})
    decided, split_votes = _decided(reading.rows, mapped, ledger)
    annotated, blank = _annotated(decided, mapped, task, ledger)
    rows = _load_rows(annotated, mapped, part.split, task, ledger)
    problems += [*unread_text(reading, mapped, spec.fields, task.fields), *split_votes, *blank]
    return rows, [file], problems + _too_many_faults(ledger, reading, spec.max_dropped)


def _read(part: Part, spec: DataSpec, task: _TaskReading) -> Reading:
    if part.data is not None:
        return read_memory(part.data, part.name)
    return read_rows(
        part.name,
        format=spec.format,
        encoding=spec.encoding,
        delimiter=spec.delimiter,
        header=spec.header,
        sheet=spec.sheet,
        names=known_names(spec.fields, task.fields),
    )


SPLIT_COLUMNS = ("split", "subset", "partition")


def _split_path(
    part: Part, reading: Reading, mapped: FieldMap, spec: DataSpec
) -> tuple[tuple[str, ...] | None, list[Problem]]:
    """Where the rows of a source that holds every split say which is theirs."""
    told = mapped.paths.get(SPLIT)
    if part.split:
        return None, _not_for_one_split(part, reading, told)
    if told or SPLIT in spec.fields:
        return told, []
    if reading.split_column:
        return (reading.split_column,), []
    column = next((each for each in reading.columns if each.strip().casefold() in SPLIT_COLUMNS), None)
    if column is None and spec.splits:
        message = _(
            "`data.splits` is given, but no column says which split a row belongs to; name it under data.fields.split"
        )
        return None, [Problem("no-split-column", message, file=part.name)]
    return (column,) if column else None, []


def _not_for_one_split(part: Part, reading: Reading, told: tuple[str, ...] | None) -> list[Problem]:
    if told:
        message = _("`data.fields.split` goes with `data.file`; here the rows are all given as `data.{split}`").format(
            split=part.split
        )
        return [Problem("split-twice", message, file=part.name)]
    values = {str(row.fields.get(reading.split_column)) for row in reading.rows} if reading.split_column else set()
    if len(values) > 1:
        message = _("holds several splits ({names}); give it as `data.file`, not as `data.{split}`").format(
            names=", ".join(sorted(values)), split=part.split
        )
        return [Problem("several-splits", message, file=part.name)]
    return []


def _decided(rows: Sequence[Row], mapped: FieldMap, ledger: Ledger) -> tuple[Sequence[Row], list[Problem]]:
    """The rows without the pairs that have `-` for a label, which go to the ledger, and a note about those."""
    path = mapped.paths.get(LABEL, ())
    if len(path) != 1 or not mapped.paths.keys() >= TEXTS:
        return rows, []
    if not undecided([row.fields.get(path[0]) for row in rows if not row.problem]):
        return rows, []
    left = [row for row in rows if not row.problem and row.fields.get(path[0]) == UNDECIDED]
    message = ngettext(
        "{count} row is left out, for its label is '-': its annotators did not agree",
        "{count} rows are left out, for their label is '-': their annotators did not agree",
        len(left),
    )
    note = _left_out(left, ledger, NO_AGREEMENT, _("the annotators did not agree on a label"), message)
    return _without(rows, left), note


def _annotated(
    rows: Sequence[Row], mapped: FieldMap, task: _TaskReading, ledger: Ledger
) -> tuple[Sequence[Row], list[Problem]]:
    """The rows without those that nobody annotated, which go to the ledger, and a note about those.

    As in doccano's exports: where other rows list what they mark, null and a missing key are no annotation; `[]` is
    one, of a text that holds nothing to mark.
    """
    if not MARKS & mapped.paths.keys():
        return rows, []
    names = {each.name for each in task.fields if each.only_labelled}
    answers = FieldMap({name: path for name, path in mapped.paths.items() if name in names})
    given = [[] if row.problem else list(answers.apply(row.fields).values()) for row in rows]
    if not any(isinstance(value, list) for values in given for value in values):
        return rows, []
    left = [row for row, values in zip(rows, given, strict=True) if values and all(each is None for each in values)]
    message = ngettext(
        "{count} row without annotation is left out; where a text holds nothing to mark, write []",
        "{count} rows without annotation are left out; where a text holds nothing to mark, write []",
        len(left),
    )
    return _without(rows, left), _left_out(left, ledger, UNANNOTATED, _("nobody annotated it"), message)


def _left_out(rows: Sequence[Row], ledger: Ledger, code: str, reason: str, message: str) -> list[Problem]:
    """Enter rows that the data themselves leave out in the ledger; a note with their `{count}`, if there are any."""
    for row in rows:
        ledger.read[row.file] += 1
        ledger.drop(row.file, row.line, code, reason)
    places = tuple(RowPlace(row.file, row.line) for row in rows)
    text = message.format(count=f"{len(rows):,}")
    return [Problem(code, text, file=each.file, line=each.line, severity="note", rows=places) for each in rows[:1]]


def _without(rows: Sequence[Row], left: Sequence[Row]) -> Sequence[Row]:
    gone = {id(row) for row in left}
    return [row for row in rows if id(row) not in gone]


def _load_rows(rows: Sequence[Row], mapped: FieldMap, split: str, task: _TaskReading, ledger: Ledger) -> list[Loaded]:
    """The rows that the task can use; the others go to the ledger."""
    loaded = []
    for row in rows:
        for values in _examples(row, mapped, task, ledger):
            ledger.read[row.file] += 1
            own_split = word(values.get(SPLIT))
            if not split and SPLIT in mapped.paths and not own_split:
                ledger.drop(row.file, row.line, FAULTY, _("no split"))
                continue
            given = {name: value for name, value in values.items() if name not in (GROUP, SPLIT)}
            try:
                record = task.read(given, file=row.file, line=row.line, group=word(values.get(GROUP)))
            except ValueError as fault:
                ledger.drop(row.file, row.line, FAULTY, _reason(fault))
                continue
            item = Item(row.file, row.line, task.surface(record), task.answer(record), record.group, record.beside)
            loaded.append(Loaded(record, item, split, own_split))
    return loaded


def _examples(row: Row, mapped: FieldMap, task: _TaskReading, ledger: Ledger) -> Sequence[Fields]:
    """The fields of each example in a row, mostly of one; of none, the row is entered in the ledger here."""
    reason, code = row.problem, FAULTY
    examples: Sequence[Fields] = []
    if not reason:
        values = mapped.apply(row.fields)
        try:
            examples = [values] if task.expand is None else task.expand(values)
            reason, code = _("no example in it"), EMPTY
        except ValueError as fault:
            reason = _reason(fault)
    if not examples:
        ledger.read[row.file] += 1
        ledger.drop(row.file, row.line, code, reason)
    return examples


def _reason(fault: ValueError) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]


def _too_many_faults(ledger: Ledger, reading: Reading, allowed: float) -> list[Problem]:
    """An error where more rows are faulty than allowed; otherwise a note."""
    file = reading.file.path
    files = {row.file for row in reading.rows}  # several, of a folder or a zip
    faults = [drop for drop in ledger.faults if drop.file in files]
    if not faults:
        return []
    rows = sum(ledger.read[each] for each in files)
    places = tuple(RowPlace(drop.file, drop.line, note=drop.reason) for drop in faults)
    named = _("; ").join(
        _("line {line}: {reason}").format(line=drop.line, reason=drop.reason)
        if drop.file == file
        else f"{drop.file}:{drop.line}: {drop.reason}"
        for drop in faults[:FIRST_FAULTS]
    )
    more = _("; and {count} more").format(count=len(faults) - FIRST_FAULTS) if len(faults) > FIRST_FAULTS else ""
    if len(faults) <= allowed * rows:
        message = ngettext(
            "{count} of {rows} rows cannot be used and is left out ({named}{more})",
            "{count} of {rows} rows cannot be used and are left out ({named}{more})",
            len(faults),
        ).format(count=len(faults), rows=rows, named=named, more=more)
        return [
            Problem("dropped-rows", message, file=faults[0].file, line=faults[0].line, severity="note", rows=places)
        ]
    message = _(
        "{count} of {rows} rows cannot be used, more than data.max_dropped = {allowed} allows "
        "({named}{more}); repair them, or let them go with data.max_dropped={enough:g}"
    ).format(
        count=len(faults), rows=rows, allowed=f"{allowed:.2%}", named=named, more=more,
        enough=math.ceil(1000 * len(faults) / rows) / 1000,
    )  # fmt: skip
    return [Problem("too-many-dropped", message, file=faults[0].file, line=faults[0].line, rows=places)]
