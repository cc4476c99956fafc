"""Predictions -> Report: metrics with intervals, baselines on the same rows, and everything the page shows.

`measure` takes plain values and the two small parts of the recipe that speak of measuring; `read_curves` reads a run's
log. Which rows are measured, and from where the figures about training come, is the caller's to know.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from weitiao import __version__
from weitiao.evaluation import BASELINES, analysis_of
from weitiao.evaluation.baselines import Answers, Splits
from weitiao.evaluation.intervals import Resampling, difference, interval, intervals, list_interval
from weitiao.evaluation.schema import (
    Analysis,
    BaselineScore,
    Curves,
    DataSummary,
    DevPoint,
    FigureRow,
    FigureTable,
    Learnt,
    Report,
    Slice,
    Spread,
    Timing,
    TrainPoint,
    Verdict,
)
from weitiao.evaluation.sharing import shareable
from weitiao.evaluation.verdict import Course, judge
from weitiao.messages import _
from weitiao.metrics import AnyMetric, ListMetric, direction
from weitiao.recipe import EvaluationSpec, ReportSpec, TrainingSpec

POINTS = 300  # of the training curve
OWN = ("train", "dev", "test")  # splits of the run; of other rows, its curves say nothing
CONSTANT = ("majority", "mean")  # baselines that look at no text
UNREPORTED = ("name", "training", "head")  # facts that a report has elsewhere


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a report says of the run beyond its predictions.

    Args:
        name: of the run.
        model: as the recipe names it.
        method: name of the method.
        seed: of the run, and of the resampling.
        recipe: the resolved recipe, YAML; its paths, as those of `model` and `data`, are shortened in the report.
        settings: thresholds and the like that were found on dev.
        curves: of training; see `read_curves`.
        data: rows, ledger, problems.
        timing: of training.
        learnt: how much of the model learnt.
        seeds: spread over several seeds.
        folds: spread over folds.
        training: which dev metric chose the checkpoint, and label smoothing; the default's without it.
        head: kind of the model's head; empty where it is not known.
    """

    name: str
    model: str
    method: str
    seed: int = 17
    recipe: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    curves: Curves = Curves()  # noqa: RUF009 - frozen
    data: DataSummary = DataSummary()  # noqa: RUF009 - frozen
    timing: Timing = Timing()  # noqa: RUF009 - frozen
    learnt: Learnt | None = None
    seeds: Spread | None = None
    folds: Spread | None = None
    training: TrainingSpec = TrainingSpec()  # noqa: RUF009 - frozen
    head: str = ""


def measure(
    task: Any,
    labels: Sequence[str],
    *,
    predictions: Sequence[Any],
    records: Sequence[Any],
    split: str,
    train: Sequence[Any],
    dev: Sequence[Any],
    spec: EvaluationSpec,
    show: ReportSpec,
    facts: RunFacts,
    lost: int = 0,
) -> Report:
    """Everything that can be said about these predictions.

    Args:
        task: the Task.
        labels: its label space.
        predictions: of the model, in the order of `records`.
        records: the rows measured, with gold answers; at least one.
        split: 'test', 'dev' (where there is no test split), or the name of a file.
        train: training records, for the baselines.
        dev: dev records, on which baselines choose; may be empty.
        spec: intervals and baselines.
        show: whether texts may be shown.
        facts: about the run.
        lost: gold answers, spans and pairs of the rows that no window of the model holds whole (`Feature.lost`).
    """
    metrics = list(task.metrics(labels))
    resampling = resampling_of(records, spec, facts.seed)
    scores = intervals(metrics, predictions, records, resampling)
    names = () if not train else task.baselines if spec.baselines is None else spec.baselines
    splits = Splits(train, dev, records, labels, facts.seed)
    baselines = {name: _baseline(name, task, splits, metrics, predictions, resampling) for name in names}
    analysis = _analysis(task, labels, predictions, records, train, texts=show.texts)
    if lost:
        outside = FigureTable(name="window_alignment", rows=[FigureRow(label="outside_windows", count=lost)])
        analysis = analysis.model_copy(update={"tables": [*analysis.tables, outside]})
    classes = len(labels) if analysis.confusion is not None else 0
    made = Report(
        weitiao=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        task=task.name,
        split=split,
        note=note_on(split),
        rows=len(records),
        labels=list(labels),
        headline=metrics[0].name,
        metrics=scores,
        confidence=spec.confidence,
        resamples=spec.resamples,
        grouped=resampling.units is not None,
        baselines=baselines,
        slices=length_slices(task, metrics[0], predictions, records, resampling),
        verdict=_verdict(split, facts, metrics[0], baselines, dev_rows=len(dev), classes=classes),
        run=facts.name,
        **{each.name: getattr(facts, each.name) for each in fields(facts) if each.name not in UNREPORTED},
        **dict(analysis),
    )
    return shareable(made)


def _verdict(
    split: str,
    facts: RunFacts,
    metric: AnyMetric,
    baselines: Mapping[str, BaselineScore],
    *,
    dev_rows: int,
    classes: int,
) -> Verdict:
    if split not in OWN:
        return Verdict(kind="unknown", findings=[], changes=[])
    chosen = facts.training.metric or metric.name
    gaps = {name: each.difference for name, each in baselines.items() if name not in CONSTANT}
    best = min(gaps, key=lambda name: gaps[name].value, default="")  # what the model beats by least, or not at all
    return judge(
        Course(
            facts.curves,
            metric.name if direction(chosen) < 0 else chosen,
            dev_rows,
            classes,
            facts.method,
            over_majority=baselines["majority"].difference if "majority" in baselines else None,
            over_baseline=gaps.get(best),
            baseline=best,
            head=facts.head,
            chosen_by_loss=chosen == "loss",
            chosen_by=chosen if direction(chosen) < 0 and chosen != "loss" else "",
            label_smoothing=facts.training.label_smoothing,
            own_loss=facts.training.objective is None or facts.training.objective.name == "plain",
        )
    )


def resampling_of(records: Sequence[Any], spec: EvaluationSpec, seed: int) -> Resampling:
    """Rows of one group are resampled together, where groups are named; other rows are units of their own."""
    units = [record.group or index for index, record in enumerate(records)] if any(r.group for r in records) else None
    return Resampling(spec.resamples, spec.confidence, seed, units)


def note_on(split: str) -> str:
    """What speaks against trusting a score of this split."""
    if split == "train":
        return _(
            "There is neither a test nor a dev split: this is the score on the training rows themselves, "
            "and says nothing about new texts."
        )
    if split != "dev":
        return ""
    return _(
        "There is no test split: this is the score on dev, on which the best checkpoint and the thresholds were "
        "chosen, so it is optimistic."
    )


def _baseline(
    name: str,
    task: Any,
    splits: Splits,
    metrics: Sequence[AnyMetric],
    predictions: Sequence[Any],
    resampling: Resampling,
) -> BaselineScore:
    began = time.perf_counter()
    answers: Answers = BASELINES[name](task, splits)
    seconds = time.perf_counter() - began
    return BaselineScore(
        metrics=intervals(metrics, answers.predictions, splits.rows, resampling),
        difference=difference(metrics[0], predictions, answers.predictions, splits.rows, resampling),
        settings=dict(answers.settings),
        seconds=seconds,
    )


def _analysis(
    task: Any,
    labels: Sequence[str],
    predictions: Sequence[Any],
    records: Sequence[Any],
    train: Sequence[Any],
    *,
    texts: bool,
) -> Analysis:
    analyse = analysis_of(task)
    if analyse is None:
        return Analysis()
    found: Analysis = analyse(task, labels, predictions, records, train=train, texts=texts)
    return found


def length_slices(
    task: Any, metric: AnyMetric, predictions: Sequence[Any], records: Sequence[Any], resampling: Resampling
) -> list[Slice]:
    """The headline metric on each quarter of the rows by length of text; quarters that fall together are one."""
    lengths = np.array([len(task.surface(record)) for record in records])  # [N]
    edges = np.unique(np.quantile(lengths, [0.25, 0.5, 0.75], method="inverted_cdf"))
    quarter = np.searchsorted(edges, lengths, side="left")  # [N]
    whole = metric.rows(predictions, records) if isinstance(metric, ListMetric) else None  # [N, K], seen among all rows
    slices = []
    for each in np.unique(quarter):
        rows = np.flatnonzero(quarter == each).tolist()
        units = None if resampling.units is None else [resampling.units[row] for row in rows]
        inside = Resampling(resampling.resamples, resampling.confidence, resampling.seed, units)
        if whole is not None and isinstance(metric, ListMetric):
            score = list_interval(metric, whole[rows], inside)
        else:
            score = interval(metric, [predictions[row] for row in rows], [records[row] for row in rows], inside)
        slices.append(Slice(low=int(lengths[rows].min()), high=int(lengths[rows].max()), rows=len(rows), score=score))
    return slices


def spread(values: Mapping[str, float]) -> Spread:
    """Mean and sample standard deviation over seeds or folds (0 for a single one)."""
    numbers = list(values.values())
    sd = statistics.stdev(numbers) if len(numbers) > 1 else 0.0
    return Spread(values=dict(values), mean=statistics.fmean(numbers), sd=sd)


def read_curves(log: Path) -> Curves:
    """The curves in a `log.jsonl`; lines cut short are left out, a repeated step replaces the earlier."""
    train: dict[int, Mapping[str, Any]] = {}
    dev: dict[int, Mapping[str, Any]] = {}
    for line in log.read_text("utf-8").split("\n") if log.is_file() else []:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "dev" in entry:
            dev[entry["step"]] = entry
        elif "loss" in entry:
            train[entry["step"]] = entry
    rates = [entry["learning_rate"] for entry in train.values() if entry.get("learning_rate")]
    return Curves(
        train=_thinned([train[step] for step in sorted(train)]),
        dev=[
            DevPoint(
                step=step, epoch=dev[step]["epoch"], metrics=dev[step]["dev"], train_loss=dev[step].get("train_loss")
            )
            for step in sorted(dev)
        ],
        learning_rate=max(rates, default=None),
    )


def _thinned(entries: Sequence[Mapping[str, Any]]) -> list[TrainPoint]:
    """At most POINTS points, each the mean loss of neighbouring steps."""
    if not entries:
        return []
    blocks = np.array_split(np.arange(len(entries)), min(POINTS, len(entries)))
    return [
        TrainPoint(
            step=entries[block[-1]]["step"],
            epoch=entries[block[-1]]["epoch"],
            loss=statistics.fmean(entries[index]["loss"] for index in block),
        )
        for block in blocks
    ]
