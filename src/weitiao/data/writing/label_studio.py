"""Label Studio's import format: tasks with annotations, and what a model says as pre-annotations with scores.

Regions are of the control `label`, choices of the control `choice`, both of the text `text`: `<Labels name="label"
toName="text">`, `<Choices name="choice" toName="text">`. Offsets count characters, as Label Studio has since the end of
2021. A row's `prediction`, as `weitiao predict` writes it, becomes the pre-annotation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.artifact import replacing
from weitiao.data.writing import InnerRow
from weitiao.data.writing.losses import Losses

OWN = ("text", "spans", "relations", "label", "prediction")
PLAIN = {"id", "start", "end", "label", "text", "confidence"}
SPANS, CHOICE, TEXT = "label", "choice", "text"
VERSION = "weitiao"  # model_version of pre-annotations


class LabelStudio:
    """Label Studio's JSON: annotations, and a `prediction` column as pre-annotations; other columns in `data`."""

    def write(self, rows: Iterable[InnerRow], path: Path) -> list[str]:
        losses = Losses()
        with (
            replacing(path) as beside,
            beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out,
        ):
            opening = "[\n"
            for row in rows:
                out.write(opening + json.dumps(_task(row, losses), ensure_ascii=False, default=str))
                opening = ",\n"
            out.write(("[" if opening == "[\n" else "\n") + "]\n")
        return losses.sentences()


def _task(row: InnerRow, losses: Losses) -> dict[str, object]:
    data = {"text": row["text"], **{key: value for key, value in row.items() if key not in OWN}}
    task: dict[str, object] = {"data": data}
    given: Any = row.get("spans")
    losses.attributes += sum(bool(span.keys() - PLAIN) for span in given or ())
    if given is not None or row.get("label") is not None:
        relations: Any = row.get("relations") or []
        result = [*_regions(given or [], str(row["text"])), *_relations(relations), *_choices(row.get("label"))]
        task["annotations"] = [{"result": result, "was_cancelled": False}]
    prediction = row.get("prediction")
    if isinstance(prediction, Mapping):
        task["predictions"] = [_pre_annotation(prediction, str(row["text"]))]
    return task


def _pre_annotation(prediction: Mapping[str, Any], text: str) -> dict[str, object]:
    """What a model says; the score of the task is that of its least certain part, which is annotated first."""
    spans: Sequence[Mapping[str, Any]] = prediction.get("spans") or []
    labels = prediction.get("labels")
    result = [
        *_regions(spans, text),
        *_choices(list(labels) if labels is not None else None, prediction.get("confidence")),
    ]
    scores = [float(each["score"]) for each in result if "score" in each]  # type: ignore[arg-type]
    return {"model_version": VERSION, "score": min(scores, default=1.0), "result": result}


def _regions(spans: Iterable[Mapping[str, Any]], text: str) -> Iterator[dict[str, object]]:
    for number, span in enumerate(spans):
        piece = text[span["start"] : span["end"]]
        region: dict[str, object] = {
            "id": str(span.get("id", number)),
            "from_name": SPANS,
            "to_name": TEXT,
            "type": "labels",
            "value": {"start": span["start"], "end": span["end"], "text": piece, "labels": [span["label"]]},
        }
        yield {**region, "score": span["confidence"]} if "confidence" in span else region


def _choices(label: object, confidence: object = None) -> Iterator[dict[str, object]]:
    if label is None:
        return
    chosen = [str(each) for each in label] if isinstance(label, list | tuple) else [str(label)]
    choice: dict[str, object] = {
        "from_name": CHOICE,
        "to_name": TEXT,
        "type": "choices",
        "value": {"choices": chosen},
    }
    yield {**choice, "score": confidence} if confidence is not None else choice


def _relations(relations: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, object]]:
    for each in relations:
        yield {
            "type": "relation",
            "from_id": str(each["head"]),
            "to_id": str(each["tail"]),
            "direction": "right",
            "labels": [each["label"]],
        }
