"""Label Studio: JSON and JSON_MIN exports, one finished annotation a task.

Regions become `spans`, relations `relations`, the choices of the only such control `label`; other controls are columns
under their names, and so is the task's own data. Offsets are proven by the text that each region repeats: recent
versions count characters, those before the end of 2021 UTF-16 units, and some count CRLF as one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from weitiao.data.reading.generic import plain_rows
from weitiao.data.reading.offsets import Bounds, Counting, located, places, proven
from weitiao.data.reading.source import FileReading, Reading, ReadOptions, Source, refusal, union_of_keys
from weitiao.errors import Problem, RowPlace
from weitiao.messages import _, ngettext
from weitiao.records import Row

ANSWERS = ("annotations", "completions")  # `completions` until version 1.0
REGIONS = ("labels", "hypertextlabels", "paragraphlabels")
COUNTINGS: tuple[Counting, ...] = ("characters", "utf-16", "lines", "utf-16-lines")
OWN = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement", "history")  # of JSON_MIN
UNNAMED = "relation"  # label of a relation that has none
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One task with the annotation that counts.

    Args:
        data: what was to be annotated.
        result: the annotation's results.
        row: where the task stands.
        number: its id; None where it has none.
    """

    data: Json
    result: Sequence[Json]
    row: Row
    number: object


@dataclass(slots=True)
class LeftOut:
    """Tasks that give no row, and those of which one annotation of several was taken."""

    unannotated: list[RowPlace] = field(default_factory=list)
    skipped: list[RowPlace] = field(default_factory=list)
    several: list[RowPlace] = field(default_factory=list)

    def problems(self, file: str) -> Iterator[Problem]:
        """A note on each kind."""
        if self.unannotated:
            message = ngettext(
                "{count} task without an annotation is left out",
                "{count} tasks without an annotation are left out",
                len(self.unannotated),
            )
            yield _note("unannotated-tasks", message, self.unannotated, file)
        if self.skipped:
            message = ngettext(
                "{count} task that the annotators skipped is left out",
                "{count} tasks that the annotators skipped are left out",
                len(self.skipped),
            )
            yield _note("skipped-tasks", message, self.skipped, file)
        if self.several:
            message = ngettext(
                "{count} task has several annotations; the latest by `updated_at` is taken",
                "{count} tasks have several annotations; the latest by `updated_at` is taken",
                len(self.several),
            )
            yield _note("several-annotations", message, self.several, file)


def _note(code: str, message: str, places_: Sequence[RowPlace], file: str) -> Problem:
    return Problem(code, message.format(count=len(places_)), file=file, severity="note", rows=tuple(places_))


class LabelStudio:
    """An export of Label Studio: JSON or JSON_MIN."""

    gathers: ClassVar[bool] = False

    def sniff(self, source: Source) -> float:
        if source.is_gathered:
            return 0.0
        return 0.95 if any(_is_task(row) or _is_minimal(row) for row in source.first_objects) else 0.0

    def read(self, source: Source, options: ReadOptions) -> Reading:
        plain = plain_rows(source, options)
        left = LeftOut()
        rows = [_task_in_row(row) for row in plain.rows]
        broken = [row for row in rows if row.problem]
        tasks = list(_tasks([row for row in rows if not row.problem], left))
        if not tasks:
            message = _("no task has an annotation that was not skipped; predictions do not count")
            raise refusal("no-annotations", message, source.name)
        made = _Maker.of(tasks)
        found = [made.row(task) for task in tasks] + broken
        found.sort(key=lambda row: row.line)
        how = _("; ").join(filter(None, (plain.file.how, made.told())))
        file = FileReading(source.name, source.sha256, "label_studio", len(found), plain.file.encoding, how)
        problems = [*plain.problems, *left.problems(source.name)]
        return Reading(file, union_of_keys(found), found, problems)


def _is_task(row: Json) -> bool:
    return isinstance(row.get("data"), dict) and any(
        isinstance(row.get(key), list) for key in (*ANSWERS, "predictions")
    )


def _is_minimal(row: Json) -> bool:
    return {"annotation_id", "annotator", "lead_time"} <= row.keys()


def _task_in_row(row: Row) -> Row:
    """The row, faulty where it is no task."""
    if row.problem or _is_task(row.fields) or _is_minimal(row.fields) or isinstance(row.fields.get("data"), dict):
        return row
    return Row({}, row.file, row.line, _("expected a task with `data` and `annotations`"))


def _tasks(rows: Sequence[Row], left: LeftOut) -> Iterator[Task]:
    minimal: dict[object, list[Row]] = {}
    for row in rows:
        if not _is_minimal(row.fields):
            yield from _of_json(row, left)
        else:
            minimal.setdefault(row.fields.get("id", f"line {row.line}"), []).append(row)
    for own in minimal.values():
        latest = max(own, key=lambda row: _when(row.fields))
        if len(own) > 1:
            left.several.append(RowPlace(latest.file, latest.line))
        yield _of_minimal(latest)


def _of_json(row: Row, left: LeftOut) -> Iterator[Task]:
    task: Json = row.fields
    place = RowPlace(row.file, row.line)
    given: Any = next((task[key] for key in ANSWERS if isinstance(task.get(key), list)), [])
    annotations = [each for each in given if isinstance(each, dict)]
    done = [each for each in annotations if not each.get("was_cancelled") and not each.get("skipped")]
    if not done:
        (left.skipped if annotations else left.unannotated).append(place)
        return
    if len(done) > 1:
        left.several.append(place)
    result = max(done, key=_when).get("result")
    data: Any = task["data"]
    yield Task(data, [each for each in result or () if isinstance(each, dict)], row, task.get("id"))


def _when(annotation: Json) -> str:
    """When an annotation was last changed; times are in ISO form, or (old exports) seconds."""
    return str(annotation.get("updated_at") or annotation.get("created_at") or "")


def _of_minimal(row: Row) -> Task:
    """A task from JSON_MIN, in which each control is a column and what has one value is that value."""
    data, result = dict[str, Any](), list[Json]()
    for name, value in row.fields.items():
        regions = (
            isinstance(value, list)
            and bool(value)
            and all(isinstance(each, dict) and "start" in each for each in value)
        )
        if regions and isinstance(value, list):
            result += [{"from_name": name, "type": _region_type(each), "value": each} for each in value]
        elif isinstance(value, dict) and ("choices" in value or "text" in value):
            result.append({"from_name": name, "type": "choices" if "choices" in value else "textarea", "value": value})
        elif name not in (*OWN, "id"):
            data[name] = value
    return Task(data, result, row, row.fields.get("id"))


def _region_type(value: Json) -> str:
    return next((kind for kind in REGIONS if kind in value), "labels")


@dataclass(frozen=True, slots=True)
class _Maker:
    """How the tasks of a file become rows.

    Args:
        text: the key of `data` that was annotated.
        choices: the controls of choices.
        marks: whether the project marks spans.
        joins: whether it joins them by relations.
        several: whether any task has several choices.
        counting: how offsets count where a region does not repeat its text.
    """

    text: str
    choices: Sequence[str]
    marks: bool
    joins: bool
    several: bool
    counting: Counting

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> _Maker:
        results = [each for task in tasks for each in task.result]
        kinds = {_kind(each) for each in results}
        chosen = [each for each in results if _kind(each) == "choices"]
        names = list(dict.fromkeys(str(each.get("from_name")) for each in chosen))
        several = any(isinstance(content := _content(each), list) and len(content) > 1 for each in chosen)
        text = _text_key(tasks)
        marks = bool(kinds.intersection(REGIONS)) or not kinds
        return cls(text, names, marks, "relation" in kinds, several, _counting(tasks, text))

    def told(self) -> str:
        """How offsets were taken, where they are not characters."""
        words = {
            "utf-16": _("offsets count UTF-16 units, as the regions' texts prove"),
            "lines": _("offsets count CRLF as one, as the regions' texts prove"),
            "utf-16-lines": _("offsets count UTF-16 units and CRLF as one, as the regions' texts prove"),
        }
        return words.get(self.counting, "")

    def row(self, task: Task) -> Row:
        """The row of a task; faulty where a region is none of its text."""
        text = task.data.get(self.text)
        named = {} if task.number is None else {"id": task.number}
        if not isinstance(text, str):
            return Row(named, task.row.file, task.row.line, _("no text in `data`"))
        fields: dict[str, object] = {"text": text}
        regions = [each for each in task.result if _kind(each) in REGIONS]
        try:
            spans = [span for each in regions for span in self._spans(text, each)]
            ids = {str(span["id"]) for span in spans if "id" in span}
            relations = list(_relations(task.result, ids))
        except (ValueError, TypeError, KeyError, AttributeError) as fault:
            reason = str(fault) if isinstance(fault, ValueError) else _("a region that cannot be read")
            return Row({"text": text, **named}, task.row.file, task.row.line, reason)
        if self.marks:
            fields["spans"] = spans
        if self.joins:
            fields["relations"] = relations
        fields |= self._controls(task)
        own = {key: value for key, value in {**named, **task.data}.items() if key not in (*fields, self.text)}
        return Row({**fields, **own}, task.row.file, task.row.line)

    def _spans(self, text: str, region: Json) -> Iterator[dict[str, object]]:
        value = region["value"]
        surface = value.get("text") if isinstance(value.get("text"), str) else None
        start, end = _offsets(value)
        bounds = self._bounds(text, start, end, surface)
        labels = _labels(value.get(_kind(region)))
        if bounds is None:
            message = _(
                "the region {start}-{end} ({label}) is not '{surface}' in the text, however its offsets are counted"
            )
            shown = (surface or "")[:30]
            raise ValueError(message.format(start=start, end=end, label=", ".join(labels), surface=shown))
        for number, label in enumerate(labels):
            named = {"id": f"{region['id']}#{number}" if number else str(region["id"])} if self.joins else {}
            yield {**named, "start": bounds[0], "end": bounds[1], "label": label, "text": text[slice(*bounds)]}

    def _bounds(self, text: str, start: int, end: int, surface: str | None) -> Bounds | None:
        if surface is None:
            return located(places(text, self.counting), start, end)
        for counting in (self.counting, *COUNTINGS):
            found = proven(text, start, end, surface, counting)
            if found:
                return found
        return None

    def _controls(self, task: Task) -> dict[str, object]:
        """The columns that choices, texts, ratings and the like become."""
        found: dict[str, object] = {}
        for each in task.result:
            value = each.get("value")
            if _kind(each) in (*REGIONS, "relation") or (isinstance(value, dict) and "start" in value):
                continue
            name, content = str(each.get("from_name", _kind(each))), _content(each)
            if _kind(each) == "choices" and len(self.choices) == 1:
                name = "label"
            if isinstance(content, list) and len(content) == 1 and not (self.several and name == "label"):
                (content,) = content
            found[name] = content
        return found


def _kind(result: Json) -> str:
    return str(result.get("type", ""))


def _content(result: Json) -> object:
    """What a control holds: choices, text, a rating, a number ..."""
    value = result.get("value")
    if not isinstance(value, dict):
        return value
    return value.get(_kind(result), value.get("text", next(iter(value.values()), None)))


def _offsets(value: Json) -> Bounds:
    """The offsets of a region; in HTML its start and end are paths, and the global offsets count."""
    whole = value.get("globalOffsets") if isinstance(value.get("globalOffsets"), dict) else value
    return int(whole["start"]), int(whole["end"])  # type: ignore[index]


def _text_key(tasks: Sequence[Task]) -> str:
    """The key of `data` that holds the text: `text`, else where the regions' texts stand, else the longest."""
    first = [task for task in tasks if isinstance(task.data, dict)]
    keys = list(dict.fromkeys(key for task in first for key, value in task.data.items() if isinstance(value, str)))
    if "text" in keys or not keys:
        return "text"

    def evidence(key: str) -> tuple[int, int]:
        texts = [(str(task.data.get(key) or ""), task) for task in first]
        standing = sum(str(_surface(each)) in text for text, task in texts for each in task.result if _surface(each))
        return standing, sum(len(text) for text, _task in texts)

    return max(keys, key=evidence)


def _surface(result: Json) -> str:
    value = result.get("value")
    text = value.get("text") if isinstance(value, dict) and _kind(result) in REGIONS else None
    return text if isinstance(text, str) else ""


def _counting(tasks: Sequence[Task], key: str) -> Counting:
    """The counting that proves most regions; of equals, characters."""
    proofs: Counter[Counting] = Counter()
    for task in tasks:
        text = task.data.get(key)
        if not isinstance(text, str) or (text.isascii() and "\r" not in text):
            continue
        for each in task.result:
            if _surface(each):
                try:
                    start, end = _offsets(each["value"])
                except (ValueError, TypeError, KeyError, AttributeError):
                    continue
                proofs.update(counting for counting in COUNTINGS if proven(text, start, end, _surface(each), counting))
    return max(COUNTINGS, key=lambda counting: proofs[counting])


def _relations(result: Sequence[Json], spans: set[str]) -> Iterator[dict[str, str]]:
    """The relations between spans; those of regions without a label go with these.

    Raises:
        ValueError: one joins a region that is not there.
    """
    regions = {str(each["id"]) for each in result if "id" in each}
    for each in result:
        if _kind(each) != "relation":
            continue
        head, tail = str(each.get("from_id")), str(each.get("to_id"))
        labels = _labels(each.get("labels")) or [UNNAMED]
        if not {head, tail} <= regions:
            raise ValueError(_("the relation {label} joins a span that is not there").format(label=labels[0]))
        pairs = {"left": [(tail, head)], "bi": [(head, tail), (tail, head)]}.get(
            str(each.get("direction")), [(head, tail)]
        )
        for one, other in pairs:
            if {one, other} <= spans:
                for label in labels:
                    yield {"head": one, "tail": other, "label": label}


def _labels(value: object) -> list[str]:
    """Labels, which are a list, or text where there is one."""
    given = value if isinstance(value, list | tuple) else [value] if value else []
    return [str(each) for each in given]
