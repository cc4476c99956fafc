"""The end of a run: the saved model's answers in; predictions, report, page and card out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from weitiao.artifact import RunFolder, read_json, write_text
from weitiao.compression.base import form_of
from weitiao.evaluation.report import RunFacts, measure, read_curves
from weitiao.evaluation.schema import DataSummary, Learnt, Timing
from weitiao.evaluation.writing import write_report
from weitiao.recipe import Recipe, dump_recipe
from weitiao.records import Prediction, Record
from weitiao.tasks import Settings, Task
from weitiao.text import CHINESE, han_share
from weitiao.verbs.fitting.fit import Fitted, answers, measured_part
from weitiao.verbs.fitting.repeats import Fits
from weitiao.verbs.preparing.preflight import Preflight


def report(found: Preflight, folder: RunFolder, fits: Fits) -> None:
    """Measure the run's model and write everything that is said about it."""
    split, part = measured_part(found)
    predictions, settings = answers(found, folder, part)
    write_predictions(found.task, folder, part.records, predictions)
    records = found.dataset.records if found.dataset else {}
    made = measure(
        found.task, found.labels, predictions=predictions, records=part.records, split=split,
        train=records.get("train", []), dev=records.get("dev", []), spec=found.recipe.evaluation,
        show=found.recipe.report, facts=_facts(found, folder, fits, settings),
        lost=sum(feature.lost for feature in part.features),
    )  # fmt: skip
    write_report(
        made, folder, head=loading_head(found.recipe, found.task, folder),
        languages=languages(found.task, part.records), base_license=found.folder.license if found.folder else "",
        speak=found.recipe.report.language,
    )  # fmt: skip


def _facts(found: Preflight, folder: RunFolder, fits: Fits, settings: Settings) -> RunFacts:
    recipe, dataset = found.recipe, found.dataset
    data = DataSummary(
        rows={name: len(each) for name, each in (dataset.records if dataset else {}).items()},
        ledger=_ledger_counts(dataset.ledger.to_json()) if dataset else {},
        problems=[str(problem) for problem in found.warnings],
    )
    return RunFacts(
        name=Path(recipe.output).name,
        model=recipe.model.name,
        method=recipe.method.name,
        seed=fits.seed,
        recipe=dump_recipe(recipe),
        settings=settings,
        curves=read_curves(folder.log),
        data=data,
        timing=timing(fits.fitted),
        learnt=_learnt(fits.fitted[0], folder),
        seeds=fits.seeds,
        folds=fits.folds,
        training=recipe.training,
        head=recipe.model.head if found.task.pools else "",
    )


def loading_head(recipe: Recipe, task: Task[Any, Any], folder: RunFolder) -> str:
    """'stock' where the model answers in plain transformers as here, else what loads through weitiao alone."""
    if form_of(folder.model) == "onnx":
        return "onnx"
    additions = read_json(folder.model / "task.json")["network"].get("additions")
    if additions:
        return str(additions[0]["name"])
    if recipe.model.head == "mean":
        return "mean"
    return "crf" if task.head_options().get("crf") else "stock" if task.stock else task.head


def timing(fitted: Sequence[Fitted]) -> Timing:
    """Time of all fits together, and the memory of the largest."""
    seconds = sum(each.seconds for each in fitted)
    return Timing(
        train_seconds=seconds,
        tokens_per_second=sum(each.tokens for each in fitted) / max(seconds, 1e-9),
        peak_memory_bytes=max(each.peak_memory_bytes for each in fitted),
    )


def _learnt(fitted: Fitted, folder: RunFolder) -> Learnt:
    size = sum(path.stat().st_size for path in folder.adapter.iterdir()) if folder.adapter.is_dir() else None
    return Learnt(
        parameters=fitted.parameters, trained=fitted.trained, adapter_bytes=size, settled=dict(fitted.settled)
    )


def write_predictions(
    task: Task[Any, Any], folder: RunFolder, records: Sequence[Record], predictions: Sequence[Prediction]
) -> None:
    """predictions.jsonl: where each row stands, its gold answer and the prediction; never its text."""
    texts = {field.name for field in task.fields if not field.only_labelled}
    lines = [
        {
            **_place(record),
            **record.model_dump(mode="json", exclude=texts | {"file"}),
            "prediction": answer.model_dump(mode="json", exclude=dict(answer.surface)),
        }
        for record, answer in zip(records, predictions, strict=True)
    ]
    write_text(folder.predictions, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def _place(record: Record) -> dict[str, str]:
    """The row's file, by a path that does not depend on where the run was started or gone on with."""
    path = Path(record.file).expanduser()
    return {"file": str(path.absolute()) if path.is_file() else record.file}


def _ledger_counts(ledger: Mapping[str, Any]) -> dict[str, int]:
    """The ledger's totals."""
    return {name: ledger[name] for name in ("read", "kept", "truncated", "dropped")}


def languages(task: Task[Any, Any], records: Sequence[Record]) -> list[str]:
    """Languages of the texts, as far as letters tell them."""
    share = han_share(" ".join(task.surface(record) for record in records[:500]))
    return [name for name, there in (("zh", share > CHINESE), ("en", share < 1 - CHINESE)) if there]
