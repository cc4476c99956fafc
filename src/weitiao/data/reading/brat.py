"""brat: a folder (or zip) of texts (.txt), each with its annotations beside it (.ann): a row for each document.

Text-bound annotations are `spans`, proven by the text that they repeat (brat counts CRLF as one character); relations
are `relations`; `events` have their type, trigger and arguments, and `roles` as they stand in the file. Where an event
is an argument, its trigger stands for it. A span in several pieces has no place in a half-open span: it is left out and
listed, and so are the relations and events of it. What is not read (attributes, notes, ...) is counted in a note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from weitiao.data.reading.offsets import Bounds, Counting, proven
from weitiao.data.reading.source import (
    FileReading,
    Reading,
    ReadOptions,
    Source,
    joint_fingerprint,
    refusal,
    union_of_keys,
)
from weitiao.data.reading.splits import SPLIT, split_of
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.records import Row

TEXT, MARKS = ".txt", ".ann"
UNREAD = {"A": "attributes", "M": "attributes", "N": "normalisations", "#": "notes", "*": "equivalences"}
COUNTINGS: tuple[Counting, ...] = ("characters", "lines", "utf-16")


@dataclass(slots=True)
class Document:
    """One text and what stands in its .ann file.

    Args:
        text: the text, untouched.
        file: the .ann file.
        spans, relations, events: what was read of it.
        apart: places of spans in several pieces, which were left out.
        lost: places of relations with such a span.
        broken: places of events with such a span.
        unread: kind of annotation -> how many were not read.
    """

    text: str
    file: str
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)
    relations: list[dict[str, str]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    apart: list[RowPlace] = field(default_factory=list)
    lost: list[RowPlace] = field(default_factory=list)
    broken: list[RowPlace] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)


class Brat:
    """brat's folders of .txt and .ann files, a row for each document."""

    gathers: ClassVar[bool] = True

    def sniff(self, source: Source) -> float:
        names = source.members.keys()
        return 0.95 if any(name.endswith(MARKS) and name.removesuffix(MARKS) + TEXT in names for name in names) else 0.0

    def read(self, source: Source, _options: ReadOptions) -> Reading:
        marks = {name: file for name, file in source.members.items() if name.endswith(MARKS)}
        if not marks:
            raise refusal("no-files", _("no .ann file in it"), source.name)
        folders = {name.rpartition("/")[0] for name in marks}
        splits = {folder: split_of(folder) for folder in folders if folder}
        several = len(splits) == len(folders) and all(splits.values())
        rows, problems = list[Row](), _unmarked(source)
        documents = list[Document]()
        for name, file in marks.items():
            beside = source.members.get(name.removesuffix(MARKS) + TEXT)
            extra = {SPLIT: splits[name.rpartition("/")[0]]} if several else {}
            row, document = _read(name, file, beside, extra)
            rows.append(row)
            documents.append(document)
        problems += _left_out(documents, source.name)
        encoding = next(iter(marks.values())).decoded.encoding
        texts = {name: file for name, file in source.members.items() if name.endswith((TEXT, MARKS))}
        how = ngettext("{count} document", "{count} documents", len(rows)).format(count=len(rows))
        made = FileReading(source.name, joint_fingerprint(texts), "brat", len(rows), encoding, how)
        return Reading(made, union_of_keys(rows), rows, problems, SPLIT if several else "")


def _read(name: str, marks: Source, text: Source | None, extra: Mapping[str, str]) -> tuple[Row, Document]:
    named = {"document": name.removesuffix(MARKS), **extra}
    document = Document("" if text is None else text.decoded.text, marks.name)
    if text is None:
        return Row(named, marks.name, 1, _("no .txt file beside it")), document
    fields: dict[str, object] = {"text": document.text}
    try:
        _fill(document, marks.decoded.text if marks.data else "")
    except ValueError as fault:
        line, reason = fault.args if len(fault.args) == 2 else (1, _("annotations that cannot be read"))
        return Row({**fields, **named}, marks.name, line, reason), document
    spans = sorted(document.spans.values(), key=lambda span: (span["start"], span["end"], span["label"]))
    fields |= {"spans": spans, "relations": document.relations}
    if document.events:
        fields["events"] = document.events
    return Row({**fields, **named}, marks.name, 1), document


def _fill(document: Document, marks: str) -> None:
    """Reads the lines, spans first, for the others name them.

    Raises:
        ValueError: (line, reason) of the first that cannot be read.
    """
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(marks.split("\n"), start=1) if line.strip()]
    missing: set[str] = set()
    for number, line in lines:
        document.unread.update([UNREAD[line[0]]] if line[0] in UNREAD else [])
        if line.startswith("T") and not _span(document, line, number):
            missing.add(line.partition("\t")[0])
    events = [(number, *_parts(line)) for number, line in lines if line.startswith("E")]
    triggers = {name: roles[0][1] for _number, name, roles in events if roles}
    for number, line in lines:
        if line.startswith("R"):
            _relation(document, line, number, missing, triggers)
    for number, name, roles in events:
        _event(document, name, roles, number, missing, triggers)


def _parts(line: str) -> tuple[str, list[tuple[str, str]]]:
    """(id, (role, target) of each part) of an event; the first is its type with its trigger."""
    name, _tab, given = line.partition("\t")
    parts = [part.partition(":") for part in given.split() if ":" in part]
    return name, [(role, target) for role, _colon, target in parts]


def _event(
    document: Document,
    name: str,
    roles: Sequence[tuple[str, str]],
    number: int,
    missing: set[str],
    triggers: Mapping[str, str],
) -> None:
    """Keeps an event, unless one of its spans is in several pieces."""
    targets = [triggers.get(target, target) for _role, target in roles]
    if missing.intersection(targets):
        document.broken.append(RowPlace(document.file, number, note=name))
        return
    if not roles or not set(targets) <= document.spans.keys():
        raise ValueError(number, _("the event {name} names a span that is not there").format(name=name))
    pieces = [{key: document.spans[each][key] for key in ("id", "start", "end", "text")} for each in targets]
    names = [role for role, _target in roles]
    arguments = [{"role": _role(role, names), **piece} for role, piece in zip(names[1:], pieces[1:], strict=True)]
    event = {"id": name, "type": names[0], "trigger": pieces[0], "arguments": arguments}
    document.events.append({**event, "roles": [{"role": role, "id": target} for role, target in roles]})


def _role(role: str, others: Sequence[str]) -> str:
    """A role without the number by which brat tells a second one from the first."""
    bare = role.rstrip("0123456789")
    return bare if bare in others[1:] else role


def _span(document: Document, line: str, number: int) -> bool:
    """Keeps a text-bound annotation; whether it is in one piece."""
    parts = line.split("\t", 2)
    if len(parts) < 2:
        raise ValueError(number, _("expected an id, a label with offsets, and the text, parted by tabs"))
    label, _space, given = parts[1].partition(" ")
    if ";" in given:
        document.apart.append(RowPlace(document.file, number, note=f"{label} {given}"))
        return False
    bounds = _bounds(document.text, given, parts[2] if len(parts) > 2 else "")
    if bounds is None:
        surface = parts[2][:30] if len(parts) > 2 else ""
        message = _("the span {bounds} ({label}) is not '{surface}' in the text")
        raise ValueError(number, message.format(bounds=given, label=label, surface=surface))
    start, end = bounds
    document.spans[parts[0]] = {
        "id": parts[0], "start": start, "end": end, "label": label, "text": document.text[start:end]
    }  # fmt: skip
    return True


def _bounds(text: str, given: str, surface: str) -> Bounds | None:
    numbers = given.split()
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers):
        return None
    start, end = map(int, numbers)
    return next((found for counting in COUNTINGS if (found := proven(text, start, end, surface, counting))), None)


def _relation(document: Document, line: str, number: int, missing: set[str], triggers: Mapping[str, str]) -> None:
    parts = line.split("\t")[1].split() if "\t" in line else []
    named = [part.partition(":")[2] for part in parts[1:3]]
    ends = [triggers.get(each, each) for each in named]
    if len(ends) != 2:
        raise ValueError(number, _("expected a relation of two arguments, such as R1, tab, Type Arg1:T1 Arg2:T2"))
    if missing.intersection(ends):
        document.lost.append(RowPlace(document.file, number, note=parts[0]))
    elif set(ends) <= document.spans.keys():
        document.relations.append({"head": ends[0], "tail": ends[1], "label": parts[0]})
    else:
        raise ValueError(number, _("the relation {label} joins a span that is not there").format(label=parts[0]))


def _unmarked(source: Source) -> list[Problem]:
    """A note on texts without annotations."""
    alone = [
        name for name in source.members if name.endswith(TEXT) and name.removesuffix(TEXT) + MARKS not in source.members
    ]
    if not alone:
        return []
    message = ngettext(
        "{count} text without an .ann file is left out: {names}",
        "{count} texts without .ann files are left out: {names}",
        len(alone),
    ).format(count=len(alone), names=", ".join(alone[:5]) + (", ..." if len(alone) > 5 else ""))
    return [Problem("unannotated-tasks", message, file=source.name, severity="note")]


def _left_out(documents: Sequence[Document], file: str) -> Iterator[Problem]:
    """Warnings about what spans in several pieces cost, and a note on what is never read."""
    apart, lost, broken = (
        [place for each in documents for place in getattr(each, name)] for name in ("apart", "lost", "broken")
    )
    message = ngettext(
        "{count} span in several pieces is left out, for spans are half-open here",
        "{count} spans in several pieces are left out, for spans are half-open here",
        len(apart),
    )
    yield from _warning("discontinuous-spans", message, apart, file)
    message = ngettext(
        "{count} relation of such a span is left out with it",
        "{count} relations of such spans are left out with them",
        len(lost),
    )
    yield from _warning("lost-relations", message, lost, file)
    message = ngettext(
        "{count} event of such a span is left out with it",
        "{count} events of such spans are left out with them",
        len(broken),
    )
    yield from _warning("lost-events", message, broken, file)
    if unread := sum((each.unread for each in documents), Counter[str]()):
        words = {
            "attributes": _("attributes"),
            "normalisations": _("normalisations"),
            "notes": _("notes"),
            "equivalences": _("equivalences"),
        }
        message = ngettext(
            "{count} annotation is not read ({kinds})", "{count} annotations are not read ({kinds})", unread.total()
        ).format(
            count=unread.total(), kinds=", ".join(f"{words[kind]}: {count}" for kind, count in sorted(unread.items()))
        )
        yield Problem("unread-annotations", message, file=file, severity="note")


def _warning(code: str, message: str, rows: Sequence[RowPlace], file: str) -> Iterator[Problem]:
    """A warning with the number of the rows, where there are any."""
    if rows:
        yield Problem(code, message.format(count=len(rows)), file=file, severity="warning", rows=tuple(rows))
