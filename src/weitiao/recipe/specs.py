"""What a recipe may say: one frozen model a section, each key with its default, its bounds and one sentence.

The reference in docs/ and the JSON schema are made from these descriptions. Values are taken strictly: YAML 1.2 already
tells numbers, text and booleans apart, so `seed: "17"` and `epochs: true` are mistakes.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, field_validator, model_validator

from weitiao.messages import _

Source = str | list[str]
SPLITS = ("train", "dev", "test")

Positive = Annotated[int, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Options(BaseModel):
    """Base of every options model: frozen, strict, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=(), allow_inf_nan=False)


class Choice(Options):
    """An entry of a table and its options: `method: freeze` or `method: {name: freeze, layers: 4}`."""

    name: str
    options: SerializeAsAny[BaseModel]


class ModelSpec(Options):
    """The pretrained model and what is put on top of it."""

    name: str = Field(description="starter:NAME, ./folder, hf:owner/name or ms:owner/name")
    head: Literal["stock", "mean"] = Field(
        default="stock",
        description="stock: the family's own class, loads in plain transformers; "
        "mean: mean pooling, loads through weitiao",
    )
    hidden_layers: tuple[Positive, ...] = Field(
        default=(), strict=False, description="widths of extra hidden layers in the mean head"
    )
    reinit_layers: int = Field(
        default=0, ge=0, description="top layers of the backbone to initialise anew before training"
    )
    dropout: float | None = Field(
        default=None, ge=0, lt=1, description="dropout rate everywhere; default: what the model's config says"
    )
    revision: str | None = Field(default=None, description="hub revision (branch, tag or commit)")
    continues: bool = Field(
        default=False,
        description="go on with the head too, where `name` is the model/ folder of a run: its labels keep their places "
        "and new ones stand behind them",
    )
    trust_remote_code: bool = Field(
        default=False, description="run code that comes with a hub model; never needed for folders of known families"
    )

    @model_validator(mode="after")
    def _hidden_layers_need_the_mean_head(self) -> ModelSpec:
        if self.hidden_layers and self.head == "stock":
            raise ValueError(
                _("`hidden_layers` works only with `head: mean`; the stock head has its family's own layers")
            )
        return self


class DataSpec(Options):
    """Where the rows are and what their columns mean."""

    file: Source | None = Field(
        default=None,
        description="one source that holds every split (see `fields.split`, `splits`) or is split by shares",
    )
    train: Source | None = Field(
        default=None, description="file, glob, list of them, or hub data set id (hf:owner/name)"
    )
    dev: Source | None = Field(
        default="10%", description="a source, or a share of the training rows such as 10%; null for none"
    )
    test: Source | None = Field(default=None, description="a source, or a share of the rows such as 10%")
    fields: dict[str, str | int] = Field(
        default_factory=dict,
        description="record field -> column name, or column number from 1; also `group` and `split`",
    )
    splits: dict[str, list[str]] = Field(
        default_factory=dict,
        description="split -> values of the split column (or keys of a JSON object) that belong to it",
    )
    format: str | None = Field(default=None, description="a name of `weitiao list formats`; default: told by content")
    encoding: str | None = Field(default=None, description="text encoding; default: told by content")
    delimiter: str | None = Field(default=None, description="column delimiter of text tables; default: sniffed")
    header: bool | None = Field(default=None, description="whether the first row names the columns; default: sniffed")
    sheet: str | None = Field(default=None, description="sheet of a workbook; default: the first")
    limit: dict[str, Positive] = Field(default_factory=dict, description="split -> rows to keep, a seeded sample")
    split_seed: int = Field(
        default=17, description="seed of shares and limits; apart from `seed`, so that several seeds see the same rows"
    )
    max_dropped: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of faulty rows above which the run is refused: 0 to 1, or such as 5%",
    )  # fmt: skip

    @field_validator("splits", mode="before")
    @classmethod
    def _split_values_as_text(cls, value: object) -> object:
        """A split column may hold numbers, and one value needs no list."""
        if not isinstance(value, dict):
            return value
        listed = {split: each if isinstance(each, list) else [each] for split, each in value.items()}
        return {split: [_number_as_text(each) for each in values] for split, values in listed.items()}

    @field_validator("splits", "limit")
    @classmethod
    def _known_splits(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name not in SPLITS:
                raise ValueError(_("'{name}' is not a split; expected train, dev or test").format(name=name))
        return value

    @field_validator("max_dropped", mode="before", json_schema_input_type=float | str)
    @classmethod
    def _percent_as_share(cls, value: object) -> object:
        """5% is how `dev` and `test` write a share."""
        share = share_of(value) if isinstance(value, str) else None
        return value if share is None else share

    @field_validator("dev", "test", mode="before")
    @classmethod
    def _share_with_its_sign(cls, value: object) -> object:
        """0.2 is how others write a share; here it could as well be a count."""
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 100:
            percent = 100 * value if value < 1 else value
            raise ValueError(_("got {got}; write a share as {share:g}%").format(got=value, share=percent))
        return value

    @field_validator("dev", "test")
    @classmethod
    def _share_below_all(cls, value: Source | None) -> Source | None:
        share = share_of(value)
        if share is not None and not 0 < share < 1:
            raise ValueError(_("a share lies between 0% and 100%; got {got}").format(got=value))
        return value

    @model_validator(mode="before")
    @classmethod
    def _no_share_of_nothing(cls, value: object) -> object:
        """Where there are only rows to measure, none of them are dev."""
        if isinstance(value, dict) and "test" in value and not value.keys() & {"file", "train", "dev"}:
            return {**value, "dev": None}
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> DataSpec:
        if self.file is None and self.train is None and self.test is None:
            raise ValueError(_("no training rows; give `train`, or `file` with every split in it"))
        if self.file is not None and self.train is not None:
            raise ValueError(_("`train` and `file` are both given; keep one of them"))
        return self


class TrainingSpec(Options):
    """How the parameters are fitted."""

    epochs: float = Field(
        default=3, gt=0, description="passes over the training rows; a fraction is allowed"
    )  # Devlin et al. 2019, appendix A.3: 2 to 4
    max_steps: int | None = Field(
        default=None, gt=0, description="optimiser steps at most; `epochs` ends training where that is sooner"
    )
    max_minutes: float | None = Field(
        default=None, gt=0, description="stop after this much time, with an evaluation and a saved model"
    )
    batch_size: int = Field(default=32, gt=0, description="rows an optimiser step")  # Devlin et al. 2019: 16 or 32
    token_budget: int | None = Field(
        default=None, gt=0, description="tokens a micro-batch; only splits a step, never changes it"
    )
    max_length: int | None = Field(
        default=None, gt=4, description="tokens a text; default: the model's limit, at most 512"
    )
    order: Literal["grouped", "random", "given"] = Field(
        default="grouped", description="rows of a batch of like length, any, or as in the file"
    )
    optimizer: Literal["adamw", "adam", "sgd"] = Field(default="adamw", description="adamw, adam, or sgd with momentum")
    learning_rate: float | None = Field(
        default=None, gt=0, description="peak learning rate; default: the method's, for this model"
    )
    head_learning_rate: float | None = Field(
        default=None,
        gt=0,
        description="peak learning rate of the new head; default: learning_rate, or 2e-2 for one layer on the mean of "
        "a narrow model's tokens",
    )
    layer_decay: float = Field(
        default=1.0, gt=0, le=1, description="learning rate of each layer relative to the one above it"
    )
    betas: tuple[Beta, Beta] = Field(
        default=(0.9, 0.999), strict=False, description="decay of AdamW's and Adam's two running means"
    )  # Kingma & Ba 2015, section 2
    epsilon: float = Field(default=1e-8, gt=0, description="what keeps AdamW and Adam from dividing by zero")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="momentum of sgd")
    weight_decay: float = Field(
        default=0.01, ge=0, description="decoupled for adamw; never on biases and norms"
    )  # Devlin et al. 2019, appendix A.2
    l1: float = Field(default=0.0, ge=0, description="L1 penalty on the trained weights (not biases and norms)")
    l2_sp: float = Field(
        default=0.0, ge=0, description="L2 penalty on the distance from the pretrained weights (Li et al. 2018)"
    )
    schedule: Literal["linear", "cosine", "constant", "polynomial", "inverse_sqrt"] = Field(
        default="linear", description="how the learning rate falls after the warm-up"
    )
    schedule_power: float = Field(default=2.0, gt=0, description="power of the polynomial schedule")
    warmup: float = Field(default=0.1, ge=0, description="share of the steps (below 1) or number of steps")
    clip: float | None = Field(default=1.0, gt=0, description="largest gradient norm; null for none")
    objective: Choice | None = Field(
        default=None,
        description="what is minimised: a name, or a mapping with `name` and its options; default: plain",
    )
    ema: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="decay of a running average of the weights, which is measured and kept in their place, such as "
        "0.999; null for none",
    )  # Polyak & Juditsky 1992
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of each target spread over all classes (Szegedy et al. 2016)"
    )
    precision: Literal["fp32", "bf16"] = Field(
        default="fp32", description="bf16: mixed precision, refused on CPUs that are slow at it"
    )
    gradient_checkpointing: bool = Field(
        default=False, description="less memory for about a third more time: activations are computed twice"
    )
    evaluate_every: int | None = Field(
        default=None, gt=0, description="steps between evaluations on dev; default: once an epoch"
    )
    metric: str | None = Field(
        default=None, description="dev metric that chooses the best checkpoint, or loss; default: the task's first"
    )
    patience: int | None = Field(
        default=None, gt=0, description="stop after this many evaluations without a better dev metric"
    )
    stop_at: float | None = Field(default=None, description="stop when the dev metric is as good as this")
    checkpoint_every: int | None = Field(
        default=None, gt=0, description="steps between checkpoints; default: with each evaluation"
    )
    keep_checkpoints: int = Field(default=2, ge=1, description="newest checkpoints to keep, beside the best model")
    threads: int | None = Field(
        default=None, gt=0, description="torch threads; default: one a core (in a container, of its quota)"
    )

    @field_validator("warmup")
    @classmethod
    def _whole_steps(cls, value: float) -> float:
        if value >= 1 and value != int(value):
            raise ValueError(_("got {got}; expected a share below 1 or a whole number of steps").format(got=value))
        return value

    @model_validator(mode="after")
    def _warmup_ends(self) -> TrainingSpec:
        if self.max_steps is not None and self.warmup >= max(self.max_steps, 1) and self.warmup >= 1:
            raise ValueError(
                _("`warmup` takes {warmup} steps, but `max_steps` ends training after {steps}").format(
                    warmup=int(self.warmup), steps=self.max_steps
                )
            )
        return self


class EvaluationSpec(Options):
    """How the run is measured."""

    resamples: int = Field(default=2000, ge=100, description="bootstrap resamples of every interval")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="coverage of every interval")
    baselines: tuple[str, ...] | None = Field(
        default=None, strict=False, description="cheap baselines beside the score; default: the task's"
    )


class ReportSpec(Options):
    """What the report shows."""

    texts: bool = Field(
        default=True, description="false keeps every text out of report.json, report.html and the model card"
    )
    language: Literal["en", "zh_CN"] | None = Field(
        default=None, description="language of the report; default: the environment's"
    )


class TrackingSpec(Options):
    """Who else is told how training goes; log.jsonl always is."""

    trackers: tuple[Literal["tensorboard", "wandb", "mlflow", "swanlab"], ...] = Field(
        default=(),
        strict=False,
        description="any of tensorboard, wandb, mlflow and swanlab; they write below the run and open no connection, "
        "unless their own environment variables say otherwise",
    )
    project: str = Field(default="weitiao", min_length=1, description="what they file the run under")


class Recipe(Options):
    """A whole run."""

    task: Choice = Field(description="what to learn: a name, or a mapping with `name` and the task's options")
    model: ModelSpec = Field(description="the pretrained model: its reference, or a mapping")
    data: DataSpec = Field(description="the labelled rows: one source, or a mapping")
    method: Choice = Field(description="which parameters learn: a name, or a mapping with `name` and its options")
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    report: ReportSpec = ReportSpec()
    tracking: TrackingSpec = TrackingSpec()
    seed: int = Field(default=17, ge=0, lt=2**32, description="of the new head, the row order and dropout")
    seeds: int = Field(
        default=1, ge=1, description="number of runs with seeds seed, seed + 1, ...; the report gives the spread"
    )
    folds: int | None = Field(
        default=None,
        ge=2,
        description="k more fits, each measured on the part of the training rows it did not see",
    )
    output: str = Field(default="runs/run", min_length=1, description="folder of the run; never overwritten")


def share_of(source: Source | None) -> float | None:
    """0.1 for '10%'; None where the source is no share."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*", source) if isinstance(source, str) else None
    return float(found[1]) / 100 if found else None


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
