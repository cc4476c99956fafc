"""Which of two runs is better on the same rows, and whether that is more than chance.

Reads what the runs left (predictions.jsonl, report.json, data.json, model/task.json); no model is loaded. The scores of
the two are those of their reports. The verdict is that of the paired bootstrap on the headline metric; McNemar's exact
test on right and wrong rows stands beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import Field

from weitiao.artifact import RunFolder, open_run, read_json
from weitiao.errors import Refused
from weitiao.evaluation.intervals import Resampling, Score, difference
from weitiao.evaluation.schema import Part
from weitiao.evaluation.titles import metric_title
from weitiao.messages import _
from weitiao.tasks import TASKS


class MetricComparison(Part):
    """One metric of both runs."""

    a: Score = Field(description="of A alone, as its report.json has it")
    b: Score = Field(description="of B alone, as its report.json has it")
    difference: Score = Field(description="a minus b, paired bootstrap")


class McNemar(Part):
    """Rows by which of the two runs is right, and the exact test of whether they err alike."""

    both_right: int
    only_a: int
    only_b: int
    both_wrong: int
    p: float = Field(description="two-sided exact p-value that neither run is better")


class Comparison(Part):
    """The answer of `weitiao compare A B`."""

    a: str
    b: str
    task: str
    split: str
    rows: int
    headline: str
    verdict: Literal["a", "b", "none"] = Field(description="the better run, or none where the interval holds zero")
    metrics: dict[str, MetricComparison] = Field(description="the headline metric, and accuracy")
    mcnemar: McNemar | None = Field(description="null where answers are not right or wrong")
    confidence: float = Field(description="of the intervals of the differences")
    resamples: int = Field(description="bootstrap resamples of the differences")

    def sentence(self) -> str:
        """The verdict in one sentence, in the language in force."""
        gap = self.metrics[self.headline].difference
        figures = {
            "metric": metric_title(self.headline),
            "low": f"{gap.low:+.3f}",
            "high": f"{gap.high:+.3f}",
            "value": f"{gap.value:+.3f}",
            "percent": f"{100 * self.confidence:.3g}",
        }
        if self.verdict == "none":
            return _(
                "No difference between {a} and {b}: {metric} differs by {value}, and the {percent} % interval "
                "from {low} to {high} holds zero."
            ).format(a=self.a, b=self.b, **figures)
        better, worse = (self.a, self.b) if self.verdict == "a" else (self.b, self.a)
        return _(
            "{better} is better than {worse}: {metric} of {a} minus {b} is {value}, "
            "{percent} % interval {low} to {high}."
        ).format(better=better, worse=worse, a=self.a, b=self.b, **figures)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run left about the rows it was measured on."""

    path: str
    task: str
    options: Mapping[str, Any]
    labels: Sequence[str]
    split: str
    fingerprint: str
    rows: Sequence[Mapping[str, Any]]
    scores: Mapping[str, Score]


def compare(
    a: RunFolder | Path | str,
    b: RunFolder | Path | str,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 17,
) -> Comparison:
    """Compare two finished runs.

    Raises:
        Refused: a run is missing or unfinished, or the two were not measured on the same rows of the same task.
    """
    first, second = _read(a), _read(b)
    _refuse_unlike(first, second)
    task = TASKS[first.task](TASKS[first.task].options_model.model_validate(first.options))
    metrics = list(task.metrics(list(dict.fromkeys([*first.labels, *second.labels]))))
    records = [_record(task, row) for row in first.rows]
    answers = [[task.prediction.model_validate(row["prediction"]) for row in run.rows] for run in (first, second)]
    groups = [row.get("group") or index for index, row in enumerate(first.rows)]
    resampling = Resampling(
        resamples, confidence, seed, groups if any(row.get("group") for row in first.rows) else None
    )
    shown = {metric.name: metric for metric in metrics if metric is metrics[0] or metric.name == "accuracy"}
    compared = {
        name: MetricComparison(
            a=first.scores[name],
            b=second.scores[name],
            difference=difference(metric, answers[0], answers[1], records, resampling),
        )
        for name, metric in shown.items()
    }
    return Comparison(
        a=first.path,
        b=second.path,
        task=first.task,
        split=first.split,
        rows=len(records),
        headline=metrics[0].name,
        verdict=verdict(compared[metrics[0].name].difference),
        metrics=compared,
        mcnemar=_mcnemar(task, answers, records),
        confidence=confidence,
        resamples=resamples,
    )


def _read(run: RunFolder | Path | str) -> Answered:
    folder = open_run(run.path if isinstance(run, RunFolder) else run)
    task, data = read_json(folder.model / "task.json"), read_json(folder.data)
    splits = data.get("splits", {})
    split = "test" if "test" in splits else "dev"
    return Answered(
        path=str(folder.path),
        task=task["task"],
        options=task.get("options", {}),
        labels=task["labels"],
        split=split,
        fingerprint=splits.get(split, {}).get("fingerprint", ""),
        rows=_lines(folder.predictions),
        scores=_scores(folder),
    )


def _scores(folder: RunFolder) -> dict[str, Score]:
    """What the run's own report says of it: one figure has one interval, wherever it is shown."""
    if not folder.report.is_file():
        raise Refused(
            _("{path}: no report to compare; make it with: weitiao train --resume {run}").format(
                path=folder.report, run=folder.path
            )
        )
    metrics = read_json(folder.report).get("metrics", {})
    return {name: Score.model_validate(score) for name, score in metrics.items()}


def _lines(path: Path) -> list[Mapping[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    except OSError as error:
        raise Refused(
            _("{path}: no predictions to compare; make them with: weitiao train --resume {run}").format(
                path=path, run=path.parent
            )
        ) from error
    except ValueError as error:
        raise Refused(
            _("{path}: not valid JSON lines; remove it and make it anew with: weitiao train --resume {run}").format(
                path=path, run=path.parent
            )
        ) from error


def _refuse_unlike(a: Answered, b: Answered) -> None:
    """Only equal tasks on equal rows can be compared."""
    if a.task != b.task:
        raise Refused(
            _(
                "{a} is a run of task {first} and {b} of task {second}; only runs of the same task can be compared"
            ).format(a=a.path, first=a.task, b=b.path, second=b.task)
        )
    for option in TASKS[a.task].decisive:
        if a.options.get(option) != b.options.get(option):
            raise Refused(
                _("{a} and {b} differ in `{option}`; only runs of the same task can be compared").format(
                    a=a.path, b=b.path, option=option
                )
            )
    if a.split != b.split or not a.fingerprint or a.fingerprint != b.fingerprint or len(a.rows) != len(b.rows):
        raise Refused(
            _(
                "{a} and {b} were not measured on the same rows ({first} and {second}); train both with the same `data`"
            ).format(a=a.path, b=b.path, first=_rows_of(a), second=_rows_of(b))
        )


def _rows_of(run: Answered) -> str:
    return _("{split}: {rows} rows, fingerprint {fingerprint}").format(
        split=run.split, rows=len(run.rows), fingerprint=run.fingerprint[:12] or "?"
    )


def _record(task: Any, row: Mapping[str, Any]) -> Any:
    """The gold part of a line; its texts, and where in them it asks, which are not in it, are empty."""
    fields = task.record.model_fields.items()
    needed = {name: _bare(field.annotation) for name, field in fields if field.is_required()}
    return task.record.model_validate({**needed, **{key: value for key, value in row.items() if key != "prediction"}})


def _bare(kind: Any) -> Any:
    """The shortest value of a field that a line leaves out."""
    if get_origin(kind) is not tuple:
        return ""
    return () if Ellipsis in get_args(kind) else (0,) * len(get_args(kind))


def verdict(gap: Score) -> Literal["a", "b", "none"]:
    """The better of two by the interval of their difference; none where it holds zero."""
    return "a" if gap.low > 0 else "b" if gap.high < 0 else "none"


def _mcnemar(task: Any, answers: Sequence[Sequence[Any]], records: Sequence[Any]) -> McNemar | None:
    right = [[task.right(answer, record) for answer, record in zip(each, records, strict=True)] for each in answers]
    return None if any(None in each for each in right) else mcnemar(*right)


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> McNemar:
    """McNemar's test in its exact form: the rows that only one got right, against a fair coin (McNemar 1947)."""
    pairs = list(zip(a, b, strict=True))
    only_a, only_b = pairs.count((True, False)), pairs.count((False, True))
    return McNemar(
        both_right=pairs.count((True, True)),
        only_a=only_a,
        only_b=only_b,
        both_wrong=pairs.count((False, False)),
        p=fair_coin(only_a, only_b),
    )


def fair_coin(heads: int, tails: int) -> float:
    """Two-sided probability of a split at least as uneven as this one."""
    tosses, fewer = heads + tails, min(heads, tails)
    tail = math.fsum(
        math.exp(math.lgamma(tosses + 1) - math.lgamma(k + 1) - math.lgamma(tosses - k + 1) - tosses * math.log(2))
        for k in range(fewer + 1)
    )
    return min(1.0, 2 * tail)
