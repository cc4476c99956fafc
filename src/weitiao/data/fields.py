"""Columns become record fields: by the recipe's mapping, else by the names that a task takes for each field.

`map_columns` decides once a source; `FieldMap.apply` then turns each row into what `task.read` expects. Which column
became which field is kept in the source's `FileReading`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from weitiao.data.layouts import NAMES, TEXTS, Layout, known_layout
from weitiao.data.reading.source import Tabular
from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.recipe import shown
from weitiao.tables import did_you_mean

GROUP, SPLIT = "group", "split"
SHOWN = 12  # columns that a message lists
CELL = 25  # characters of a cell that it shows
FIRST_ROWS = 200  # by which the column of a field is guessed
MOSTLY = 0.5  # share of rows in which a column of labels has one


class FieldLike(Protocol):
    """What this room needs to know of a task's field (`tasks.FieldSpec`)."""

    @property
    def name(self) -> str: ...
    @property
    def required(self) -> bool: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...
    @property
    def only_labelled(self) -> bool: ...
    @property
    def instead(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class FieldMap:
    """Where each field of a source's rows stands.

    Args:
        paths: field -> keys that lead to its value; one key, or several into nested objects and lists.
        joined: fields whose lists of texts are put together.
    """

    paths: Mapping[str, tuple[str, ...]]
    joined: frozenset[str] = frozenset()

    def apply(self, row: Mapping[str, object]) -> dict[str, object]:
        """The fields of one row; None where the row lacks the column."""
        found = {field: row.get(path[0]) if len(path) == 1 else _inner(row, path) for field, path in self.paths.items()}
        return {**found, **{field: _together(found[field]) for field in self.joined}} if self.joined else found

    def to_json(self) -> dict[str, str]:
        """field -> column, as the recipe writes it."""
        return {field: ".".join(path) for field, path in self.paths.items()}


def map_columns(
    reading: Tabular,
    mapping: Mapping[str, str | int],
    fields: Sequence[FieldLike],
    *,
    labelled: bool = True,
    spare: Collection[str] = (),
) -> tuple[FieldMap, list[Problem]]:
    """Find the column of every field of one source.

    Args:
        reading: the source.
        mapping: the recipe's `data.fields`: field -> column name, number from 1, or dotted path.
        fields: the task's fields.
        labelled: whether the fields that only training and evaluation need are needed, groups and splits among them.
        spare: fields whose column the source may lack although the recipe names it.

    Returns:
        the map, and what is wrong with it (then the map lacks those fields).
    """
    needed = {each.name for each in fields if labelled or not each.only_labelled}
    needed = (needed | {GROUP, SPLIT} if labelled else needed) - set(spare)
    problems: list[Problem] = []
    missing: list[FieldLike] = []
    paths: dict[str, tuple[str, ...]] = {}
    known = {GROUP, SPLIT, *(each.name for each in fields)}
    for name, column in mapping.items():
        if name not in known:
            continue  # `unknown_fields` reports it, once for all sources
        path = _told(column, reading)
        if path is not None:
            paths[name] = path
        elif name in needed:
            problems.append(_no_such_column(name, column, reading))
    taken = {path[0] for name, path in paths.items() if len(path) == 1 and name not in (GROUP, SPLIT)}
    layout = known_layout(reading, known)
    own = _of_layout(layout, reading.columns, mapping, known) if layout else {}
    paths |= own
    taken |= {path[0] for path in own.values()}
    for each in fields:
        if each.name in mapping or each.name in own:
            continue
        found = _by_alias(each.aliases, reading.columns, taken)
        if found is not None:
            paths[each.name] = (found,)
            taken.add(found)
        elif each.required and (labelled or not each.only_labelled):
            missing.append(each)
    missing = [each for each in missing if not paths.keys() & set(each.instead)]
    joined = frozenset(own.keys() & layout.joined) if layout else frozenset()
    return FieldMap(paths, joined), [*problems, *_no_columns(missing, paths, reading, recipe=labelled)]


def unread_text(
    reading: Tabular, columns: FieldMap, mapping: Mapping[str, str | int], fields: Sequence[FieldLike]
) -> list[Problem]:
    """A warning about a column of texts that no field reads, where the task would take a second text.

    None where the recipe itself says which column the text is.
    """
    text = next((each for each in fields if each.name == "text"), None)
    second = any(each.name == "text_pair" for each in fields)
    if text is None or not second or TEXTS & mapping.keys() or "text_pair" in columns.paths:
        return []
    read = {path[0] for path in columns.paths.values()}
    names = {each.casefold() for each in text.aliases}
    free = [each for each in reading.columns if each not in read and each.strip().casefold() in names]
    opening = [row.fields for row in islice(reading.open(), FIRST_ROWS) if not row.problem]
    column = next((each for each in free if _holds_texts([row.get(each) for row in opening])), None)
    if column is None:
        return []
    message = _(
        "the column '{column}' is not read, though the task takes a second text; name it "
        "(data.fields.text_pair={column}), or say which one is the text (data.fields.text={text})"
    ).format(column=column, text=".".join(columns.paths.get("text", ("text",))))
    return [Problem("unread-text", message, file=reading.path, severity="warning")]


def _holds_texts(values: Sequence[object]) -> bool:
    """Whether most of the values are texts that differ."""
    texts = {value for value in values if isinstance(value, str) and value.strip() and not value.strip().isdigit()}
    return len(texts) > len(values) / 2


def _of_layout(
    layout: Layout, columns: Sequence[str], mapping: Mapping[str, str | int], known: set[str]
) -> dict[str, tuple[str, ...]]:
    """Where a known layout has the fields that the recipe leaves open; its texts only where it leaves all open."""
    folded = {column.strip().casefold(): column for column in reversed(columns)}
    open_ = {field for field in layout.fields if field in known and field not in mapping}
    if TEXTS & mapping.keys():
        open_ -= TEXTS
    return {field: (folded[column],) for field, column in layout.fields.items() if field in open_ and column in folded}


def word(value: object) -> str:
    """A cell of `group` or `split`; empty where there is none."""
    return "" if value is None else str(value).strip()


def known_names(mapping: Mapping[str, str | int], fields: Sequence[FieldLike]) -> frozenset[str]:
    """Column names that are looked for, case-folded: evidence for a header."""
    told = {column.casefold() for column in mapping.values() if isinstance(column, str) and not column.isdigit()}
    return frozenset(
        told | NAMES | {alias.casefold() for each in fields for alias in each.aliases if not alias.isdigit()}
    )


def unknown_fields(mapping: Mapping[str, str | int], fields: Sequence[FieldLike]) -> Iterator[Problem]:
    """Names under `data.fields` that the task does not read."""
    known = [*(each.name for each in fields), GROUP, SPLIT]
    for name in mapping:
        if name not in known:
            message = _("`data.fields` names '{name}', which the task does not read; expected: {names}{hint}").format(
                name=name, names=", ".join(known), hint=did_you_mean(name, known)
            )
            yield Problem("unknown-field", message)


def _told(column: str | int, reading: Tabular) -> tuple[str, ...] | None:
    """The path that the recipe names, or None where the source has no such column."""
    columns = reading.columns
    if isinstance(column, int):
        counted = [each for each in columns if each != reading.split_column]  # the reader's own column has no number
        return (counted[column - 1],) if 1 <= column <= len(counted) else None
    if column in columns:
        return (column,)
    folded = [each for each in columns if each.strip().casefold() == column.strip().casefold()]
    if len(folded) == 1:
        return (folded[0],)
    path = tuple(column.split("."))
    if len(path) > 1 and any(_inner(row.fields, path) is not None for row in reading.open()):
        return path
    return None


def _by_alias(aliases: Sequence[str], columns: Sequence[str], taken: set[str]) -> str | None:
    folded: dict[str, str] = {}
    for column in columns:
        folded.setdefault(column.strip().casefold(), column)
    return next(
        (folded[each.casefold()] for each in aliases if folded.get(each.casefold(), "") not in ("", *taken)), None
    )


def _inner(row: Mapping[str, object], path: Sequence[str]) -> object:
    value: object = row
    for key in path:
        if isinstance(value, list | tuple) and key.isdigit():
            value = value[int(key) - 1] if 1 <= int(key) <= len(value) else None
        elif isinstance(value, Mapping):
            value = value.get(key)
        else:
            return None
    return value


def _together(value: object) -> object:
    """A list of texts as one text; anything else as it is."""
    listed = isinstance(value, list) and value and all(isinstance(each, str) for each in value)
    return " ".join(value) if listed else value  # type: ignore[arg-type]


def _no_such_column(name: str, column: str | int, reading: Tabular) -> Problem:
    if isinstance(column, int):
        message = _("`data.fields.{field}` is column {column}, but there are {count}: {columns}").format(
            field=name, column=column, count=len(reading.columns), columns=_listed(reading)
        )
    else:
        message = _("no column '{column}' for the field `{field}`{hint}; the columns are: {columns}").format(
            column=column, field=name, hint=did_you_mean(column, list(reading.columns)), columns=_listed(reading)
        )
    return Problem("unknown-column", message, file=reading.path)


def _no_columns(
    missing: Sequence[FieldLike], paths: Mapping[str, tuple[str, ...]], reading: Tabular, *, recipe: bool
) -> Iterator[Problem]:
    """Fields without a column, each with the one that is probably meant; where no recipe can say so, by its name."""
    if not missing:
        return
    taken = {reading.split_column, *(path[0] for path in paths.values() if len(path) == 1)}
    free = [column for column in reading.columns if column not in taken]
    opening = [row.fields for row in islice(reading.open(), FIRST_ROWS) if not row.problem]
    for field in missing:
        guess = _likely(field, free, opening) if free else ""
        yield Problem("no-column", _no_column(field.name, guess, _listed(reading), recipe=recipe), file=reading.path)
        free = [column for column in free if column != guess] or free


def _likely(field: FieldLike, free: Sequence[str], opening: Sequence[Mapping[str, object]]) -> str:
    """Texts are long; labels are few, in nearly every row, and their column is often called after what they are."""
    values = {column: [str(row.get(column) or "") for row in opening] for column in free}
    if not field.only_labelled:
        return max(free, key=lambda column: sum(map(len, values[column])))

    def doubts(column: str) -> tuple[bool, bool, bool, int]:
        different = len(set(values[column]))
        filled = sum(map(bool, values[column]))
        called = any(len(each) > 1 and each.casefold() in column.casefold() for each in field.aliases)
        return different < 2, filled < MOSTLY * len(opening), not called, different

    return min(free, key=doubts)


def _no_column(field: str, guess: str, columns: str, *, recipe: bool) -> str:
    if not guess:
        return _(
            "no column for the field `{field}`, and each is taken by another field; the columns are: {columns}"
        ).format(field=field, columns=columns)
    if not recipe:
        return _(
            "no column for the field `{field}`; name a column as in the training data, or call it '{field}', such as "
            "'{example}'; the columns are: {columns}"
        ).format(field=field, example=guess, columns=columns)
    return _(
        "no column for the field `{field}`; name it in the recipe, such as "
        "data.fields.{field}={example}; the columns are: {columns}"
    ).format(field=field, example=guess, columns=columns)


def _listed(reading: Tabular) -> str:
    """The columns; where they are only numbers, with what the first row holds."""
    columns = list(reading.columns)
    first = next((row.fields for row in reading.open() if not row.problem), {})
    names = columns[:SHOWN]
    if columns and all(column.isdigit() for column in columns):
        names = [f"{column} ({shown(first.get(column, ''), CELL)})" for column in names]
    return ", ".join(names) + (", ..." if len(columns) > SHOWN else "")
