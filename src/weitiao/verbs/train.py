"""`weitiao train`: a recipe in, a finished run out; or one more go at a run that was interrupted.

Everything that can be wrong is reported before weights are opened. Then one fit, or one a fold and a seed; then the
report. A run that was killed anywhere goes on with `resume` and ends with the same bytes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder, read_json, write_json, write_text
from weitiao.data.splitting import folds as split_folds
from weitiao.errors import Interrupted, Refused
from weitiao.messages import _
from weitiao.recipe import dump_recipe, load_recipe
from weitiao.records import Feature, Prediction, Record
from weitiao.text import han_share
from weitiao.verbs.frame import frame, read_draft
from weitiao.verbs.preflight import Preflight, inspect
from weitiao.verbs.run import Run

if TYPE_CHECKING:
    from weitiao.evaluation.schema import Spread
    from weitiao.verbs.fitting import Fitted, OnEvent, Part

CHINESE = 0.2  # share of Han letters from which a corpus is called Chinese, or (of others) English


def _silent(_event: dict[str, Any]) -> None:
    """For the processes that do not speak."""


def train(
    recipe: Any = None,
    *,
    data: Any = None,
    overrides: Sequence[str] = (),
    strict: bool = False,
    resume: Path | str | None = None,
    on_event: OnEvent = _silent,
) -> Run:
    """Train by a recipe, or go on with an interrupted run.

    Args:
        recipe: a YAML file or a mapping; None with `resume`.
        data: rows in Python (DataFrame, list of mappings) in place of the recipe's files: one object, or split ->
        object.
        overrides: `key=value` changes to the recipe.
        strict: treat warnings as errors.
        resume: folder of the run to go on with.
        on_event: told of phases, steps, evaluations and notes.

    Raises:
        ProblemsFound: recipe or data are at fault; nothing was written.
        Interrupted: SIGINT or SIGTERM; the run is saved.
    """
    if not is_main():
        on_event = _silent
    if resume is not None:
        return _resume(RunFolder(Path(resume)), data, on_event)
    on_event({"kind": "phase", "text": _("checking recipe and data")})
    memory, extra = _memory(data)
    draft = read_draft(recipe, [*overrides, *extra])
    found = inspect(draft, memory=memory, full=True)
    found.refuse(strict=strict)
    folder = RunFolder(Path(found.recipe.output))
    if is_main():
        folder.claim()
        write_text(folder.recipe, dump_recipe(found.recipe))
        write_json(folder.data, _data_json(found))
    return _run(found, folder, on_event)


def _resume(folder: RunFolder, data: Any, on_event: OnEvent) -> Run:
    if not folder.recipe.is_file():
        raise Refused(_("{path}: not a run folder (no recipe.yaml in it)").format(path=folder.path))
    on_event({"kind": "phase", "text": _("checking recipe and data")})
    recipe = load_recipe(folder.recipe, frame())
    memory, _extra = _memory(data)
    found = inspect(recipe, memory=memory, full=True, recipe_file=str(folder.recipe))
    found.refuse()
    if folder.data.is_file():
        before, now = read_json(folder.data).get("splits"), _data_json(found)["splits"]
        if before != now:
            raise Refused(
                _("{path}: the data changed since the run began, so it cannot be resumed; start a new run").format(
                    path=folder.path
                )
            )
    else:  # killed before the data was noted: nothing was trained yet
        write_json(folder.data, _data_json(found))
    return _run(found, folder, on_event)


def _memory(data: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """Rows in Python by the data key they stand in for, and the overrides that name those keys in the recipe."""
    if data is None:
        return None, []
    named = data if isinstance(data, Mapping) and set(data) <= {"train", "dev", "test", "file"} else {"file": data}
    return dict(named), [f"data.{key}=memory" for key in named]


def is_main() -> bool:
    """Whether this process is the one that writes and speaks: the only one, or the launcher's first."""
    return int(os.environ.get("RANK", "0")) == 0


def _data_json(found: Preflight) -> dict[str, Any]:
    """What data.json keeps: files, ledger, splits with fingerprints, labels."""
    dataset = found.dataset
    if dataset is None:
        raise Refused(_("there are no rows to train on"))
    return {**dataset.to_json(), "labels": list(found.labels)}


def _run(found: Preflight, folder: RunFolder, on_event: OnEvent) -> Run:
    """All fits of a run, and its report."""
    import torch

    from weitiao.training.processes import Processes

    if found.recipe.training.threads:
        torch.set_num_threads(found.recipe.training.threads)
    try:
        fitted, seeds = _fit_seeds(found, folder, on_event)
        folds = _fit_folds(found, folder, on_event)
    except Interrupted as error:
        raise Interrupted(
            _("{reason}; go on with: weitiao train --resume {path}").format(reason=error, path=folder.path)
        ) from error
    if is_main():
        on_event({"kind": "phase", "text": _("measuring")})
        _report(found, folder, fitted, seeds, folds)
        shutil.rmtree(folder.path / "cache", ignore_errors=True)
        _remember(found, fitted)
    Processes.current().wait()
    run = Run(folder)
    run.warnings = found.warnings
    return run


def _part(found: Preflight, split: str) -> Part | None:
    """Records and features of a split, if there is one."""
    from weitiao.verbs.fitting import Part

    records = found.dataset.records.get(split) if found.dataset else None
    return Part(records, found.features[split]) if records else None


def _measured(found: Preflight) -> tuple[str, Part]:
    """The split that the report measures: test, or dev, or (without either) the training rows themselves."""
    for split in ("test", "dev", "train"):
        part = _part(found, split)
        if part is not None:
            return split, part
    raise Refused(_("there are no rows to train on"))


def _fit_seeds(found: Preflight, folder: RunFolder, on_event: OnEvent) -> tuple[Fitted, Spread | None]:
    """One fit, or one a seed; then the model of the best on dev is the run's."""
    from weitiao.evaluation.report import spread
    from weitiao.verbs.fitting import fit_once

    train, dev = _part(found, "train"), _part(found, "dev")
    if train is None:
        raise Refused(_("there are no rows to train on"))
    first, count, cache = found.recipe.seed, found.recipe.seeds, folder.path / "cache"
    if count == 1:
        return fit_once(found, train, dev, folder, seed=first, cache=cache, on_event=on_event), None
    results: dict[int, tuple[RunFolder, Fitted]] = {}
    for seed in range(first, first + count):
        on_event({"kind": "phase", "text": _("seed {seed}").format(seed=seed)})
        own = RunFolder(folder.path / "seeds" / str(seed))
        results[seed] = own, fit_once(found, train, dev, own, seed=seed, cache=cache, on_event=on_event)
    _split, part = _measured(found)
    values = {str(seed): _headline(found, own, part) for seed, (own, _fitted) in results.items()}
    best = max(results, key=lambda seed: (results[seed][1].best or 0.0, -seed))
    on_event({"kind": "note", "text": _("the model of seed {seed} is kept: the best on dev").format(seed=best)})
    own, fitted = results[best]
    if is_main():
        _adopt(own, folder)
    return fitted, spread(values)


def _adopt(own: RunFolder, folder: RunFolder) -> None:
    """Make the model and the log of one seed those of the run."""
    from weitiao.artifact import replacing_folder

    with replacing_folder(folder.model) as beside:
        shutil.copytree(own.model, beside, dirs_exist_ok=True)
    write_text(folder.log, own.log.read_text("utf-8"))


def _fit_folds(found: Preflight, folder: RunFolder, on_event: OnEvent) -> Spread | None:
    """k fits, each measured on the fold it did not see; all choices that dev makes are made on the run's own dev."""
    from weitiao.evaluation.report import spread
    from weitiao.verbs.fitting import fit_once

    count, train, dev = found.recipe.folds, _part(found, "train"), _part(found, "dev")
    if count is None or train is None or found.dataset is None:
        return None
    values = {}
    for number, held_out in enumerate(_held_out(found, count), start=1):
        on_event({"kind": "phase", "text": _("fold {number} of {count}").format(number=number, count=count)})
        outside = sorted(set(range(len(train.records))) - set(held_out))
        own = RunFolder(folder.path / "folds" / str(number))
        seed, cache = found.recipe.seed, own.path / "cache"
        fit_once(found, _subset(train, outside), dev, own, seed=seed, cache=cache, on_event=on_event)
        shutil.rmtree(cache, ignore_errors=True)
        values[str(number)] = _headline(found, own, _subset(train, held_out))
    return spread(values)


def _held_out(found: Preflight, count: int) -> list[list[int]]:
    items = found.dataset.items["train"] if found.dataset else []
    return [list(fold) for fold in split_folds(items, count, found.recipe.data.split_seed)]


def _subset(part: Part, rows: Sequence[int]) -> Part:
    """Some records of a part, with their features renumbered."""
    from dataclasses import replace

    from weitiao.verbs.fitting import Part

    place = {row: index for index, row in enumerate(rows)}
    features: list[Feature] = [replace(each, group=place[each.group]) for each in part.features if each.group in place]
    records: list[Record] = [part.records[row] for row in rows]
    return Part(records, features)


def _headline(found: Preflight, own: RunFolder, part: Part) -> float:
    """The headline metric of a fit's saved model on a part."""
    import numpy as np

    from weitiao.verbs.fitting import answers

    predictions, _settings = answers(found, own, part)
    metric = found.task.metrics(found.labels)[0]
    counts = [metric.counts(answer, record) for answer, record in zip(predictions, part.records, strict=True)]
    return float(metric.value(np.sum(counts, axis=0)))


def _report(found: Preflight, folder: RunFolder, fitted: Fitted, seeds: Spread | None, folds: Spread | None) -> None:
    """Measure the run's model and write predictions, report, page and card."""
    from weitiao.evaluation.report import RunFacts, measure, read_curves
    from weitiao.evaluation.schema import DataSummary, Timing
    from weitiao.evaluation.writing import write_report
    from weitiao.verbs.fitting import answers

    split, part = _measured(found)
    predictions, settings = answers(found, folder, part)
    write_predictions(found, folder, part, predictions)
    dataset = found.dataset
    records = dataset.records if dataset else {}
    facts = RunFacts(
        name=Path(found.recipe.output).name,
        model=found.recipe.model.name,
        method=found.recipe.method.name,
        seed=found.recipe.seed,
        recipe=dump_recipe(found.recipe),
        settings=settings,
        curves=read_curves(folder.log),
        data=DataSummary(
            rows={name: len(each) for name, each in records.items()},
            ledger=ledger_counts(dataset.ledger.to_json()) if dataset else {},
            problems=[str(problem) for problem in found.warnings],
        ),
        timing=Timing(
            train_seconds=fitted.seconds,
            tokens_per_second=fitted.tokens / max(fitted.seconds, 1e-9),
            peak_memory_bytes=fitted.peak_memory_bytes,
        ),
        seeds=seeds,
        folds=folds,
    )
    report = measure(
        found.task, found.labels, predictions=predictions, records=part.records, split=split,
        train=records.get("train", []), dev=records.get("dev", []), spec=found.recipe.evaluation,
        show=found.recipe.report, facts=facts,
    )  # fmt: skip
    write_report(
        report, folder, head=found.recipe.model.head, languages=_languages(found, part),
        base_license=found.folder.license if found.folder else "", speak=found.recipe.report.language,
    )  # fmt: skip


def write_predictions(found: Preflight, folder: RunFolder, part: Part, predictions: Sequence[Prediction]) -> None:
    """predictions.jsonl: where each row stands, its gold answer and the prediction; never its text."""
    texts = {field.name for field in found.task.fields if not field.only_labelled}
    lines = [
        {**record.model_dump(mode="json", exclude=texts), "prediction": answer.model_dump(mode="json")}
        for record, answer in zip(part.records, predictions, strict=True)
    ]
    write_text(folder.predictions, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def ledger_counts(ledger: Mapping[str, Any]) -> dict[str, int]:
    """The ledger's totals, for the report."""
    return {name: ledger[name] for name in ("read", "kept", "truncated", "dropped")}


def _languages(found: Preflight, part: Part) -> list[str]:
    """Languages of the texts, as far as letters tell them."""
    share = han_share(" ".join(found.task.surface(record) for record in part.records[:500]))
    return [name for name, there in (("zh", share > CHINESE), ("en", share < 1 - CHINESE)) if there]


def _remember(found: Preflight, fitted: Fitted) -> None:
    """Let the next plan know how fast this machine is."""
    from weitiao.verbs.plan import remember_speed

    if found.plan is not None and found.plan.steps:
        remember_speed(found.plan.work * fitted.steps / found.plan.steps, fitted.seconds, found.plan.hidden)
