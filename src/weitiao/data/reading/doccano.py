"""doccano: what its projects export: spans, relations, categories and texts; a zip holds one file an annotator.

Rows get `text`, `spans`, `relations` and `label`; every other column is kept. doccano counts UTF-16 units (or grapheme
clusters, by a setting of the project), other programs that write its format count characters, and no export holds
surfaces: the counting is told by what the spans then are, and is characters where that does not tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from weitiao.data.reading.annotators import merged
from weitiao.data.reading.generic import is_empty, plain_rows
from weitiao.data.reading.offsets import Bounds, Counting, counts_differ, fitting, likeliest, located, places
from weitiao.data.reading.source import (
    FileReading,
    Reading,
    ReadOptions,
    Source,
    joint_fingerprint,
    refusal,
    union_of_keys,
)
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.records import Row

ENDINGS = (".jsonl", ".json", ".csv")
TEXTS = ("text", "data")
LABELS = ("cats", "label", "labels", "categories")
SPANS = ("entities", "label", "labels")
COMMENTS = "Comments"
OFFSETS = "offsets"  # the column that says how a row counts; our own writer gives it
COUNTINGS: tuple[Counting, ...] = ("characters", "utf-16", "graphemes")  # of those that fit equally, the first
Fields = Mapping[str, Any]


class Doccano:
    """An export of doccano: a file, or a zip with one file an annotator."""

    gathers: ClassVar[bool] = True

    def sniff(self, source: Source) -> float:
        if not source.is_gathered:
            return 0.95 if source.suffix != ".tsv" and _is_export(source) else 0.0
        files = [] if source.path.is_dir() else list(source.members.values())
        if not files or any(file.suffix not in ENDINGS or "/" in name for name, file in source.members.items()):
            return 0.0
        return 0.9 if any(_is_export(file) or _is_simple(file) for file in files if not is_empty(file)) else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:
        files = {name: file for name, file in source.members.items() if file.suffix in ENDINGS and not is_empty(file)}
        readings = {name.rpartition(".")[0]: plain_rows(file, options) for name, file in files.items()}
        if not source.is_gathered:
            readings = {"": plain_rows(source, options)}
        elif not readings:
            raise refusal("empty-file", _("the file holds no rows"), source.name)
        answers = _by_annotator(readings)
        layout = _Layout.of([row.fields for rows in answers.values() for row in rows])
        unannotated = [row for rows in answers.values() for row in rows if layout.is_unannotated(row)]
        read = {
            name: [layout.row(row) for row in rows if not layout.is_unannotated(row)] for name, rows in answers.items()
        }
        rows, problems = merged(read, source.name) if len(read) > 1 else (next(iter(read.values())), [])
        rows = _without_blanks(_with_plain_labels(rows))
        first = next(iter(readings.values())).file
        sha256 = joint_fingerprint(files) if source.is_gathered else source.sha256
        how = _("; ").join(filter(None, (first.how, layout.told(), _annotators(list(read)))))
        file = FileReading(source.name, sha256, "doccano", len(rows), first.encoding, how)
        found = [problem for reading in readings.values() for problem in reading.problems]
        found += [*layout.problems(source.name), *_left_out(unannotated, source.name)]
        return Reading(file, union_of_keys(rows), rows, [*found, *problems])


def _left_out(rows: Sequence[Row], file: str) -> list[Problem]:
    """A note on rows that nobody annotated."""
    if not rows:
        return []
    message = ngettext(
        "{count} row without annotation is left out", "{count} rows without annotation are left out", len(rows)
    ).format(count=f"{len(rows):,}")
    left = tuple(RowPlace(row.file, row.line) for row in rows)
    return [Problem("unannotated-rows", message, file=file, severity="note", rows=left)]


def _annotators(names: Sequence[str]) -> str:
    return _("annotators: {names}").format(names=", ".join(sorted(names))) if len(names) > 1 else ""


def _is_export(source: Source) -> bool:
    """Whether a file has what only doccano writes."""
    opening = source.first_objects
    return any(map(_is_doccano, opening)) if opening else _is_csv(source)


def _is_doccano(row: Fields) -> bool:
    if not any(isinstance(row.get(key), str) for key in TEXTS):
        return False
    spans = any(_are_triples(row.get(key)) or _are_offsets(row.get(key)) for key in (*SPANS, "annotations"))
    listed = any(isinstance(row.get(key), list) for key in (*LABELS, "entities", "annotations"))
    return spans or (listed and (COMMENTS in row or "annotation_approver" in row))


def _is_simple(source: Source) -> bool:
    """Whether a file is at least of texts and labels, as doccano's older exports of categories are."""
    return any(any(key in row for key in TEXTS) and any(key in row for key in LABELS) for row in source.first_objects)


def _is_csv(source: Source) -> bool:
    header = source.decoded.text.partition("\n")[0].strip("\ufeff\r ").replace('"', "").split(",")
    return COMMENTS in header and "label" in header and any(key in header for key in TEXTS)


def _are_triples(value: object) -> bool:
    """Whether a value is a list of [start, end, label]."""
    return isinstance(value, list) and bool(value) and all(
        isinstance(each, list) and len(each) == 3 and all(map(_is_whole, each[:2])) and isinstance(each[2], str)
        for each in value
    )  # fmt: skip


def _are_offsets(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(
        isinstance(each, dict) and "start_offset" in each and "end_offset" in each for each in value
    )  # fmt: skip


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _by_annotator(readings: Mapping[str, Reading]) -> dict[str, list[Row]]:
    """The rows of each annotator: a file each, or (exports before version 1.5) a number beside each annotation."""
    found: dict[str, list[Row]] = {}
    for name, reading in readings.items():
        for row in reading.rows:
            for user, own in _by_user(row):
                found.setdefault(user or name, []).append(own)
    return found


def _by_user(row: Row) -> Iterator[tuple[str, Row]]:
    given = row.fields.get("annotations")
    if row.problem or not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        yield "", row
        return
    rest = {key: value for key, value in row.fields.items() if key != "annotations"}
    users: dict[str, list[Fields]] = {str(each.get("user", "")): [] for each in given} or {"": []}
    for each in given:
        users[str(each.get("user", ""))].append(each)
    for user, own in users.items():
        spans = _are_offsets(own)
        answer = own if spans else [str(each.get("label", each.get("text", ""))) for each in own]
        yield user, Row({**rest, ("entities" if spans else "label"): answer}, row.file, row.line)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which columns of an export hold what.

    Args:
        text: the column of the text.
        spans: the column of the spans; empty where the project has none.
        label: the column of categories or texts; empty where there is none.
        listed: whether rows list their spans; `[]` is a list, null and a missing key are no annotation.
        counting: how offsets count where a row does not say.
        apart: rows in which that makes a difference.
        speaking: of these, those whose spans tell that it is the counting, or one of two.
        against: of these, those whose spans fit another better.
    """

    text: str
    spans: str
    label: str
    listed: bool
    counting: Counting
    apart: int
    speaking: int = 0
    against: int = 0

    @classmethod
    def of(cls, rows: Sequence[Fields]) -> _Layout:
        text = next((key for key in TEXTS if any(isinstance(row.get(key), str) for row in rows)), "text")
        spans = next(
            (key for key in SPANS if any(_are_triples(row.get(key)) or _are_offsets(row.get(key)) for row in rows)), ""
        )
        if not spans and any("entities" in row for row in rows):
            spans = "entities"
        label = next((key for key in LABELS if key != spans and any(key in row for row in rows)), "")
        listed = any(isinstance(row.get(spans), list) for row in rows)
        told = {row[OFFSETS] for row in rows if row.get(OFFSETS) in COUNTINGS}
        given = [row for row in rows if isinstance(row.get(text), str)] if spans else []
        examples = [(row[text], _bounds(row.get(spans))) for row in given]
        apart = [(each, own) for each, own in examples if own and counts_differ(each, COUNTINGS)]
        if len(told) == 1:
            return cls(text, spans, label, listed, told.pop(), len(apart))
        counting = likeliest(apart, COUNTINGS)
        best = [fitting(each, own, COUNTINGS) for each, own in apart]
        speaking = sum(counting in each and len(each) < len(COUNTINGS) for each in best)
        return cls(
            text, spans, label, listed, counting, len(apart), speaking, sum(counting not in each for each in best)
        )

    def is_unannotated(self, row: Row) -> bool:
        """Whether a row with a text has neither spans nor a label, though others list theirs."""
        given = row.fields
        return (
            self.listed
            and not row.problem
            and isinstance(given.get(self.text), str)
            and given.get(self.spans) is None
            and given.get(self.label) in (None, "", [])
        )

    def row(self, row: Row) -> Row:
        """The row in our terms; faulty where its spans are none of its text."""
        given = row.fields
        text = given.get(self.text)
        if row.problem:
            return row
        kept = {key: given[key] for key in ("id", self.text) if key in given}
        if not isinstance(text, str):
            return Row(kept, row.file, row.line, _("no text"))
        fields: dict[str, object] = {"text": text}
        try:
            if self.spans:
                fields["spans"] = list(self._spans(text, given.get(self.spans) or [], self._counting(given)))
            if given.get("relations"):
                fields["relations"] = _relations(given["relations"], fields.get("spans"))
        except (ValueError, KeyError, TypeError) as fault:
            reason = str(fault) if isinstance(fault, ValueError) else _("spans that cannot be read")
            return Row(kept, row.file, row.line, reason)
        if self.label:
            fields["label"] = _labels(given.get(self.label), joined=COMMENTS in given)
        taken = {self.text, self.spans, self.label, "relations", OFFSETS}
        return Row({**fields, **{key: each for key, each in given.items() if key not in taken}}, row.file, row.line)

    def _counting(self, given: Fields) -> Counting:
        return next((each for each in COUNTINGS if each == given.get(OFFSETS)), self.counting)

    def _spans(self, text: str, given: Any, counting: Counting) -> Iterator[dict[str, object]]:
        counted = places(text, counting)
        for each in given:
            start, end, label = _triple(each)
            found = located(counted, start, end)
            if found is None:
                message = _("the span {start}-{end} ({label}) lies outside the text of {length} characters")
                raise ValueError(message.format(start=start, end=end, label=label, length=len(text)))
            named = {"id": str(each["id"])} if isinstance(each, dict) and "id" in each else {}
            yield {**named, "start": found[0], "end": found[1], "label": label, "text": text[slice(*found)]}

    def told(self) -> str:
        """How offsets were taken, where that matters."""
        return _("offsets count {counting}").format(counting=_counting_in_words(self.counting)) if self.apart else ""

    def problems(self, file: str) -> list[Problem]:
        """A note where texts hold characters that tools count differently; a warning where the counting was guessed."""
        if not self.apart:
            return []
        if self.against or (self.speaking and self.counting != "characters"):
            return [Problem("offsets-told", self._guessed(), file=file, severity="warning")]
        message = ngettext(
            "{count} row with spans holds characters that tools count differently, such as emoji; its offsets "
            "were taken to count {counting}",
            "{count} rows with spans hold characters that tools count differently, such as emoji; their offsets "
            "were taken to count {counting}",
            self.apart,
        ).format(count=self.apart, counting=_counting_in_words(self.counting))
        return [Problem("offsets-told", message, file=file, severity="note")]

    def _guessed(self) -> str:
        """What the rows say of the counting, and how to say otherwise."""
        return ngettext(
            "{count} row with spans holds characters that tools count differently, such as emoji; its offsets "
            "were taken to count {counting} (rows that speak for it: {speaking}, against it: {against}); to say "
            "otherwise, give the row a column `offsets` with one of {values}",
            "{count} rows with spans hold characters that tools count differently, such as emoji; their offsets "
            "were taken to count {counting} (rows that speak for it: {speaking}, against it: {against}); to say "
            "otherwise, give the rows a column `offsets` with one of {values}",
            self.apart,
        ).format(
            count=self.apart,
            counting=_counting_in_words(self.counting),
            speaking=self.speaking,
            against=self.against,
            values=", ".join(COUNTINGS),
        )


def _counting_in_words(counting: Counting) -> str:
    return {
        "utf-16": _("UTF-16 units, as JavaScript does"),
        "graphemes": _("grapheme clusters"),
        "characters": _("characters"),
    }[counting]


def _bounds(value: object) -> list[Bounds]:
    return [_triple(each)[:2] for each in value] if _are_triples(value) or _are_offsets(value) else []  # type: ignore[attr-defined]


def _triple(value: Any) -> tuple[int, int, str]:
    if isinstance(value, dict):
        return int(value["start_offset"]), int(value["end_offset"]), str(value["label"])
    start, end, label = value
    return int(start), int(end), str(label)


def _relations(given: Any, spans: Any) -> list[dict[str, str]]:
    known = {span.get("id") for span in spans or ()}
    found = [{"head": str(each["from_id"]), "tail": str(each["to_id"]), "label": str(each["type"])} for each in given]
    for each in found:
        if not {each["head"], each["tail"]} <= known:
            raise ValueError(_("the relation {label} joins a span that is not there").format(label=each["label"]))
    return found


def _labels(value: Any, *, joined: bool) -> list[str]:
    """Categories or texts as a list; csv joins them by '#'."""
    if isinstance(value, str):
        return [part for part in (value.split("#") if joined else [value]) if part]
    return [str(each) for each in value] if isinstance(value, list) else [] if value is None else [str(value)]


def _with_plain_labels(rows: Sequence[Row]) -> list[Row]:
    """A label alone where no row has several."""
    if any(len(label) > 1 for row in rows if isinstance(label := row.fields.get("label"), list)):
        return list(rows)
    return [
        Row({**row.fields, "label": label[0] if label else None}, row.file, row.line, row.problem)
        if isinstance(label := row.fields.get("label"), list)
        else row
        for row in rows
    ]


def _without_blanks(rows: Sequence[Row]) -> list[Row]:
    """The rows without the columns of doccano's own that are empty everywhere: comments, approvals."""
    blank = [key for key in (COMMENTS, "annotation_approver", "meta") if not any(row.fields.get(key) for row in rows)]
    return [
        Row({key: value for key, value in row.fields.items() if key not in blank}, row.file, row.line, row.problem)
        for row in rows
    ]
