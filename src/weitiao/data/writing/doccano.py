"""doccano's import format: JSON lines with offsets in UTF-16 units, as its pages count them.

Spans alone are `label: [[start, end, label]]`; with a label of the text `entities` and `cats`; with relations
`entities` and `relations`, whose ids are numbers. Where the counting matters, a column `offsets` says so; it comes back
in an export.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.data.reading.doccano import COUNTINGS
from weitiao.data.reading.offsets import Counting, counted_as, counts_differ
from weitiao.data.writing import InnerRow
from weitiao.data.writing.jsonl import write_lines
from weitiao.data.writing.losses import Losses
from weitiao.messages import ngettext

COUNTING: Counting = "utf-16"
OWN = ("text", "spans", "relations", "label")
TAKEN = (
    "data",
    "labels",
    "cats",
    "categories",
    "entities",
    "annotations",
    "offsets",
    "Comments",
)  # mean something else there
PLAIN = {"id", "start", "end", "label", "text"}


class Doccano:
    """doccano's JSON lines: spans, relations, categories; other columns as metadata."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def write(self, rows: Iterable[InnerRow], path: Path) -> list[str]:
        given = list(rows)
        spans = any("spans" in row for row in given)
        counted = sum(counts_differ(str(row["text"]), COUNTINGS) for row in given) if spans else 0
        if counted:
            self.notes.append(_counting_told(counted))
        losses = Losses()
        write_lines(_lines(given, losses), path)
        return losses.sentences()


def _counting_told(count: int) -> str:
    return ngettext(
        "in {count} row with characters such as emoji the offsets count UTF-16 units, as doccano does, and its column "
        "`offsets` says so",
        "in {count} rows with characters such as emoji the offsets count UTF-16 units, as doccano does, and their "
        "column `offsets` says so",
        count,
    ).format(count=f"{count:,}")


def _lines(rows: Sequence[InnerRow], losses: Losses) -> Iterator[dict[str, object]]:
    spans = any("spans" in row for row in rows)
    marked = any(row.get("spans") for row in rows)
    joins = any(row.get("relations") for row in rows)
    labels = any(row.get("label") is not None for row in rows)
    numbers: dict[object, int] = {}
    for row in rows:
        line: dict[str, object] = {"text": row["text"]}
        if spans:
            losses.unmarked += row.get("spans") is None
            own = _spans(row, losses)
            if joins:
                line["entities"] = [
                    {
                        "id": _number(numbers, row, span),
                        "start_offset": start,
                        "end_offset": end,
                        "label": span["label"],
                    }
                    for start, end, span in own
                ]
                line["relations"] = list(_relations(row, numbers))
            else:
                line["label" if marked and not labels else "entities"] = [
                    [start, end, span["label"]] for start, end, span in own
                ]
        if labels:
            line["cats" if spans else "label"] = _listed(row.get("label"))
        losses.leave(key for key in TAKEN if key in row)
        line |= {key: value for key, value in row.items() if key not in (*OWN, *TAKEN)}
        if spans and counts_differ(str(row["text"]), COUNTINGS):
            line["offsets"] = COUNTING
        yield line


def _spans(row: InnerRow, losses: Losses) -> list[tuple[int, int, Mapping[str, Any]]]:
    given: Any = row.get("spans") or []
    losses.attributes += sum(bool(span.keys() - PLAIN) for span in given)
    return [(*counted_as(str(row["text"]), span["start"], span["end"], COUNTING), span) for span in given]


def _number(numbers: dict[object, int], row: InnerRow, span: Mapping[str, Any]) -> int:
    """doccano's ids are numbers, of all rows together."""
    key = (id(row), span.get("id", (span["start"], span["end"], span["label"])))
    return numbers.setdefault(key, len(numbers))


def _relations(row: InnerRow, numbers: Mapping[object, int]) -> Iterator[dict[str, object]]:
    given: Any = row.get("relations") or []
    for number, each in enumerate(given):
        head, tail = numbers[id(row), each["head"]], numbers[id(row), each["tail"]]
        yield {"id": number, "from_id": head, "to_id": tail, "type": each["label"]}


def _listed(label: object) -> list[str]:
    if label is None:
        return []
    return [str(each) for each in label] if isinstance(label, list | tuple) else [str(label)]
