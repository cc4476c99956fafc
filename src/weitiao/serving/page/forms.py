"""What the page must know of a model: what to ask for, how its answers look, and what corrects them."""

from __future__ import annotations

from typing import Any

from weitiao.records import (
    AnswerPrediction,
    ClassifyPrediction,
    EmbedPrediction,
    EventPrediction,
    IntentSlotPrediction,
    ParsePrediction,
    Prediction,
    RankPrediction,
    RegressPrediction,
    TagPrediction,
)
from weitiao.serving.predictor import Predictor

KINDS: dict[type[Prediction], str] = {
    AnswerPrediction: "answer",
    ClassifyPrediction: "labels",
    EmbedPrediction: "vector",
    EventPrediction: "events",
    IntentSlotPrediction: "intents",
    ParsePrediction: "tree",
    RankPrediction: "number",
    RegressPrediction: "number",
    TagPrediction: "spans",
}
SEVERAL = "intents"  # how intents are called where an utterance may have more than one
ASKED = ("query", "question", "text", "text_pair", "head", "tail")  # in the order of the form


def form_of(predictor: Predictor) -> dict[str, Any]:
    """As JSON: task, kind of answer, what to ask for, labels by their kind, which field of a row is the answer."""
    task = predictor.task
    specs = {spec.name: spec for spec in task.fields if not spec.only_labelled}
    known = predictor.fields
    asked = [name for name in ASKED if name in specs and (known is None or name in known or not specs[name].asked)]
    needed = {"text", "head", "tail"} | {name for name, spec in specs.items() if spec.required} | (known or set())
    return {
        "task": task.name,
        "kind": KINDS[task.prediction],
        "fields": [{"name": name, "needed": name in needed} for name in asked],
        "labels": _by_kind(predictor),
        "several": bool(getattr(task.options, "multi_label", False)) or _several_intents(predictor),
        "answer": next((spec.name for spec in task.fields if spec.only_labelled), ""),
    }


def _by_kind(predictor: Predictor) -> dict[str, list[str]]:
    """Labels by what stands before their colon, of tasks that have labels of several kinds; else all under `label`."""
    if predictor.task.labels_are != "classes":
        return {}
    if KINDS[predictor.task.prediction] not in ("intents", "tree"):
        return {"label": list(predictor.labels)}
    found: dict[str, list[str]] = {}
    for each in predictor.labels:
        kind, _colon, name = each.partition(":")
        found.setdefault(kind.removesuffix("s") if kind == SEVERAL else kind, []).append(name)
    return found


def _several_intents(predictor: Predictor) -> bool:
    return any(each.startswith(SEVERAL + ":") for each in predictor.labels)
