"""What `report.json` holds: the Report and its parts. The field descriptions are its documentation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from weitiao.evaluation.intervals import Score


class Part(BaseModel):
    """Base of every part of a report: frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class BaselineScore(Part):
    """A cheap system on the same rows."""

    metrics: dict[str, Score] = Field(description="the model's metrics, of the baseline")
    difference: Score = Field(
        description="headline of the model minus that of the baseline; paired bootstrap, same rows"
    )
    settings: dict[str, str | float | bool] = Field(description="features and options it chose, and on which rows")
    seconds: float = Field(description="time it took to fit and answer")


class ClassScore(Part):
    """One class."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int = Field(description="gold labels in the measured rows")
    answers: int = Field(description="times the model gave this label")


class Confusion(Part):
    """Rows by gold label and answer."""

    gold: list[str] = Field(
        description="label of each row of `counts`; the last is '' where some gold labels are unseen"
    )
    predicted: list[str] = Field(
        description="label of each column of `counts`; the last is '' where the model abstained"
    )
    counts: list[list[int]] = Field(description="empty above 200 labels, where only `largest` is kept")
    largest: list[tuple[str, str, int]] = Field(description="most frequent (gold, answer, rows) that are mistakes")


class CalibrationBin(Part):
    """Decisions of like probability."""

    low: float
    high: float
    rows: int
    confidence: float = Field(description="mean probability given")
    accuracy: float = Field(description="share that was right")


class Calibration(Part):
    """Whether the confidence can be believed."""

    ece: float = Field(description="expected calibration error, 15 bins of equal width (Guo et al. 2017)")
    brier: float = Field(
        description="Brier score summed over classes, 0 (best) to 2; multi-label: a class each, 0 to 1"
    )
    negative_log_likelihood: float = Field(description="mean -ln(probability of the truth), nats")
    bins: list[CalibrationBin] = Field(description="reliability curve; empty bins are left out")


class Mistake(Part):
    """A wrong answer that the model was sure of."""

    place: str = Field(description="FILE:LINE of the row")
    gold: list[str]
    predicted: list[str]
    confidence: float = Field(description="probability behind the wrong decision")
    text: str | None = Field(description="the text, cut at 600 characters; null under `report: {texts: false}`")


class Slice(Part):
    """A quarter of the rows by length of text."""

    low: int = Field(description="shortest text, in characters")
    high: int = Field(description="longest text, in characters")
    rows: int
    score: Score = Field(description="the headline metric on these rows")


class FigureRow(Part):
    """Some of what was measured, and its figures."""

    label: str = Field(description="what these have in common: a code, or a text of the data")
    count: int = Field(description="how many there are")
    figures: dict[str, float] = Field(default_factory=dict, description="metric -> value; shares from 0 to 1")


class FigureTable(Part):
    """Figures that only some tasks have, such as the errors of spans by kind."""

    name: str = Field(description="what the table shows, such as `span_errors`")
    rows: list[FigureRow]


class TrainPoint(Part):
    """The training loss around one step."""

    step: int
    epoch: float
    loss: float


class DevPoint(Part):
    """One evaluation on dev while training."""

    step: int
    epoch: float
    metrics: dict[str, float] = Field(description="dev metrics, `loss` among them where it was measured")
    train_loss: float | None = Field(description="training loss since the evaluation before")


class Curves(Part):
    """How training went."""

    train: list[TrainPoint] = Field(default_factory=list, description="at most 300 points; each a mean over its steps")
    dev: list[DevPoint] = Field(default_factory=list)
    learning_rate: float | None = Field(default=None, description="largest learning rate that was used")


class Finding(Part):
    """One reason for a verdict; `weitiao.evaluation.verdict.explain` says it in words."""

    code: str
    figures: dict[str, float | str]


class Change(Part):
    """One thing to change in the recipe."""

    key: str = Field(description="dotted recipe key, such as training.epochs")
    value: str = Field(description="a value to try")


class Verdict(Part):
    """What the curves say; without findings where other rows than the run's own were measured."""

    kind: Literal["over-fitted", "under-fitted", "fine", "unknown"]
    findings: list[Finding]
    changes: list[Change]


class DataSummary(Part):
    """What the model learnt from and was measured on."""

    rows: dict[str, int] = Field(default_factory=dict, description="rows of each split")
    ledger: dict[str, int] = Field(
        default_factory=dict,
        description="rows read; of them kept (used whole), truncated (used, without their end) and dropped (not used)",
    )
    problems: list[str] = Field(
        default_factory=list, description="warnings about the data, as `weitiao check` says them"
    )


class Timing(Part):
    """What training cost."""

    train_seconds: float | None = None
    tokens_per_second: float | None = Field(default=None, description="real tokens, padding not counted")
    peak_memory_bytes: int | None = None


class Learnt(Part):
    """How much of the model learnt, and what the method settled by itself."""

    parameters: int = Field(description="of the whole network, with what the method put in")
    trained: int = Field(description="of those, how many learnt")
    adapter_bytes: int | None = Field(default=None, description="of what goes on a fresh base; null where it is none")
    settled: dict[str, Any] = Field(
        default_factory=dict, description="by the method, such as AdaLoRA's final ranks, and by stages before the fit"
    )


class Spread(Part):
    """The headline metric over several seeds or folds."""

    values: dict[str, float] = Field(description="seed or fold -> value")
    mean: float
    sd: float = Field(description="sample standard deviation")

    @property
    def low(self) -> float:
        """The lowest value."""
        return min(self.values.values())

    @property
    def high(self) -> float:
        """The highest value."""
        return max(self.values.values())


class Report(Part):
    """Everything that was measured about a run."""

    weitiao: str = Field(description="version that wrote this")
    created: str = Field(description="ISO 8601, UTC")
    run: str
    task: str
    model: str
    method: str
    seed: int
    split: str = Field(description="the rows measured: test, dev where there is no test split, or a file")
    note: str = Field(description="how far the score can be trusted; empty where nothing speaks against it")
    rows: int
    labels: list[str] = Field(description="the label space, from the training rows")
    multi_label: bool = False
    headline: str = Field(description="the metric that is shown first and compared by")
    metrics: dict[str, Score]
    confidence: float = Field(description="of every interval")
    resamples: int = Field(description="bootstrap resamples of every interval")
    grouped: bool = Field(description="whether rows of one group were resampled together")
    baselines: dict[str, BaselineScore]
    per_class: list[ClassScore] = Field(default_factory=list)
    unseen: int = Field(
        default=0, description="gold labels in the measured rows that training never saw; each counts as wrong"
    )
    abstained: int = Field(default=0, description="rows that the model left without an answer; each counts as wrong")
    confusion: Confusion | None = Field(default=None, description="null for multi-label")
    calibration: Calibration | None = None
    mistakes: list[Mistake] = Field(default_factory=list, description="most confident first")
    slices: list[Slice] = Field(default_factory=list, description="quarters of the rows by length of text")
    tables: list[FigureTable] = Field(default_factory=list, description="what only this task has")
    settings: Mapping[str, Any] = Field(default_factory=dict, description="thresholds and the like, found on dev")
    curves: Curves = Curves()
    verdict: Verdict
    data: DataSummary = DataSummary()
    timing: Timing = Timing()
    learnt: Learnt | None = None
    seeds: Spread | None = None
    folds: Spread | None = None
    recipe: str = Field(default="", description="the resolved recipe, YAML; recipe.yaml has whole paths")


class Analysis(Part):
    """What a task's own file adds to a report (see `ANALYSES`)."""

    multi_label: bool = False
    per_class: list[ClassScore] = Field(default_factory=list)
    unseen: int = 0
    abstained: int = 0
    confusion: Confusion | None = None
    calibration: Calibration | None = None
    mistakes: list[Mistake] = Field(default_factory=list)
    tables: list[FigureTable] = Field(default_factory=list)
