"""Options of each method, without torch: what a recipe may say under `method`.

`METHOD_OPTIONS` is what the recipe, its schema and the plan read; the methods themselves, which need torch, are in
`METHODS` of this package. Another package adds both under one name: entry points of the groups `weitiao.methods` and
`weitiao.method_options`. Each model also carries the learning rate that a recipe without one gets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from weitiao.messages import _
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import Shape, stack_depth_of
from weitiao.recipe import Finding, Options, Recipe, TrainingSpec
from weitiao.tables import Table

COST = 2.0  # of a head that is solved; by benchmarks/head_rate.py
COST_BEFORE = 1.0  # which recipes of older runs name under any solver
NARROW = 384  # width of the starters: pretrained weights of such models take larger steps than those of wide ones
NARROW_RATE = 1e-4
NARROW_TOKEN_RATE = 2e-4  # under a head that looks at every token, see benchmarks/understanding.py
NARROW_HEAD_RATE = 2e-2  # of one new layer on the mean of such a model's tokens, which starts from nothing
SET_ASIDE = ("epochs", "batch_size", "learning_rate")  # keys under training that most recipes have, for any method
OF_STEPS = (  # the others that speak of optimiser steps
    "max_steps", "max_minutes", "token_budget", "order", "optimizer", "betas", "epsilon", "head_learning_rate",
    "layer_decay", "weight_decay", "l1", "l2_sp", "schedule", "warmup", "clip", "ema", "objective", "label_smoothing",
    "gradient_checkpointing", "evaluate_every", "patience", "stop_at", "checkpoint_every", "keep_checkpoints",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Learning:
    """Which part of a model learns.

    Args:
        frozen: lowest layers that stand still, through which no gradient has to go.
        embeddings: whether the embeddings learn.
        cached: whether the frozen part is computed once a row.
        own: parameters that learn beside the head where whole layers do not; None where they do.
    """

    frozen: int
    embeddings: bool
    cached: bool
    own: int | None = None


class MethodOptions(Options):
    """Base of every method's options.

    Attributes:
        moves: whether pretrained weights themselves learn by steps; those of a narrow model then learn faster.
        portable: whether what was learnt is kept as an adapter too, to be put on a fresh base.
        stepwise: whether it learns by steps; otherwise it settles in one go, and `training` speaks of no step of it.
        body_first: whether the whole body learns before the fit, in a stage of its own length and rate.
        learns: whether anything learns at all.
        needs_rows: whether there must be training rows.
        labels: the label space, where there are neither training rows nor labels of the task.
    """

    learning_rate: ClassVar[float]
    """Peak learning rate where the recipe gives none; `rate` raises it for narrow models whose weights move."""
    moves: ClassVar[bool] = False
    portable: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    body_first: ClassVar[bool] = False
    learns: ClassVar[bool] = True
    needs_rows: ClassVar[bool] = True

    def rate(self, width: int, *, tokens: bool) -> float:
        """Peak learning rate where the recipe gives none.

        Args:
            width: numbers in the vector of a token of the model.
            tokens: whether the head looks at every token.
        """
        if not self.moves or width > NARROW:
            return self.learning_rate
        return max(self.learning_rate, NARROW_TOKEN_RATE if tokens else NARROW_RATE)

    def head_rate(self, width: int) -> float | None:
        """Peak learning rate of one new layer on the mean of the tokens; None for that of the rest.

        At the rate of pretrained weights such a layer is not done when a few hundred steps end: with starter:en, 2,000
        rows and 3 epochs of banking77 an accuracy of 0.675 was reached, and 0.883 at this rate (one seed).

        Args:
            width: numbers in the vector of a token of the model; nothing was measured on wide ones.
        """
        return NARROW_HEAD_RATE if width <= NARROW else None

    def within(self, recipe: Recipe) -> Self:  # noqa: ARG002
        """These options as they take effect in a recipe, which settles what they leave open."""
        return self

    @property
    def going_on(self) -> Self | None:
        """By what a later run goes on from what was learnt; None where it cannot."""
        return self if self.stepwise and self.needs_rows else None

    @property
    def labels(self) -> Sequence[str]:
        return ()

    @property
    def positions(self) -> int:
        """Of the model's positions, how many the method takes from each text."""
        return 0

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:  # noqa: ARG002
        """Why the method cannot work with this recipe on this model; paths of findings start at the recipe's root."""
        yield from ()

    def unfit(self, records: Mapping[str, Sequence[Any]]) -> Iterator[Finding]:  # noqa: ARG002
        """Why the method cannot work with these rows, split -> Records."""
        yield from ()

    def doubts(self, labels: Sequence[str]) -> Iterator[Finding]:  # noqa: ARG002
        """What is odd about the method with these labels, and stops nothing."""
        yield from ()

    def first_stage(self, rows: int) -> tuple[int, float]:  # noqa: ARG002
        """(pairs of texts at most, passes over them) of the stage in which the body learns first, for the plan."""
        return 0, 0.0

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        """What learns, for the plan.

        Args:
            packable: whether rows are laid end to end, on which the cache of frozen layers rests too.
        """
        return Learning(frozen=0, embeddings=True, cached=False)


class FullOptions(MethodOptions):
    """Every parameter learns: the best score where there are rows and time enough."""

    moves = True
    portable = False
    learning_rate: ClassVar[float] = 5e-5  # Devlin et al. 2019, appendix A.3: 2e-5 to 5e-5


class CacheOptions(MethodOptions):
    """Options of a frozen part, which runs without dropout: it is computed once a text and kept on disk."""

    cache: bool = Field(
        default=True, description="compute the frozen part once and keep its output on disk, memory-mapped"
    )
    cache_precision: Literal["fp16", "fp32"] = Field(
        default="fp16",
        description="numbers of that cache; fp16 halves its size and rounds the frozen output to 11 bits",
    )


class FreezeOptions(CacheOptions):
    """The embeddings and the first layers stay as pretrained: faster and lighter, a little less accurate."""

    moves = True
    learning_rate: ClassVar[float] = 1e-4  # fewer parameters move, each may move further
    layers: int | None = Field(
        default=None,
        ge=0,
        description="frozen layers, counted from the embeddings; default: half of the model's depth",
    )

    def frozen(self, depth: int) -> int:
        """How many of the model's `depth` layers stand still."""
        return depth // 2 if self.layers is None else self.layers

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:
        depth, again = stack_depth_of(folder.config), recipe.model.reinit_layers
        if not depth:
            return
        frozen = self.frozen(depth)
        if frozen > depth:
            message = _("`method.layers` is {got}, but the model has {depth} layers").format(got=frozen, depth=depth)
            yield Finding("misfit", ("method", "layers"), message)
        elif again <= depth < again + frozen:
            message = _(
                "`model.reinit_layers` starts {again} of {depth} layers anew, "
                "but `method: freeze` keeps {frozen} from learning"
            ).format(again=again, depth=depth, frozen=frozen)
            yield Finding("misfit", ("model", "reinit_layers"), message)

    def learning(self, shape: Shape, *, packable: bool) -> Learning:
        frozen = min(self.frozen(shape.stack), shape.stack) * shape.repeats
        return Learning(frozen, embeddings=False, cached=self.cache and packable and frozen > 0)


class HeadOptions(CacheOptions):
    """A linear probe: only the new head learns; the quickest look at what a pretrained model already knows."""

    # a convex problem on fixed features, no pretrained weight to spoil; by dev rows of sst2, stsb and waimai_10k
    learning_rate: ClassVar[float] = 2e-2
    solver: Literal["lbfgs", "sgd"] | None = Field(
        default=None,
        description="lbfgs: logistic regression in one go; sgd: by the steps of `training`; default: lbfgs where the "
        "head is one layer on the mean of the tokens that classifies, and `training` speaks of no steps",
    )
    cost: float = Field(
        default=COST, gt=0, description="weight of the rows against the L2 penalty of lbfgs, as scikit-learn's `C`"
    )

    @property
    def stepwise(self) -> bool:  # type: ignore[override]
        return self.solver != "lbfgs"

    def within(self, recipe: Recipe) -> Self:
        if self.solver is not None:
            return self
        solved = self.solvable(recipe) and not said_of_steps(recipe.training)
        return self.model_copy(update={"solver": "lbfgs" if solved else "sgd"})

    def solvable(self, recipe: Recipe) -> bool:
        """Whether it is left open how the head learns, and one solution of a new head would do."""
        return self.solver is None and not recipe.model.continues and not any(on_mean_head(recipe, "head"))

    def by_steps(self) -> Self:
        """The same, by steps where that was left open."""
        return self if self.solver is not None else self.model_copy(update={"solver": "sgd"})

    @property
    def going_on(self) -> Self:
        return self.model_copy(update={"solver": "sgd", "cost": COST})

    def head_rate(self, width: int) -> float | None:  # noqa: ARG002
        return None  # there is no rest

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:  # noqa: ARG002
        if not self.stepwise:
            yield from on_mean_head(recipe, "head, solver: lbfgs")
        elif self.cost not in (COST, COST_BEFORE):
            message = _("`method.cost` has no effect without `solver: lbfgs`; remove it")
            yield Finding("misfit", ("method", "cost"), message)

    def learning(self, shape: Shape, *, packable: bool) -> Learning:
        return Learning(shape.depth, embeddings=False, cached=self.cache and packable, own=0)


def said_of_steps(training: TrainingSpec, keys: Collection[str] = OF_STEPS) -> list[str]:
    """Keys under `training` that speak of steps and say something else than they do by themselves."""
    return [name for name in keys if getattr(training, name) != TrainingSpec.model_fields[name].default]


def on_mean_head(recipe: Recipe, method: str) -> Iterator[Finding]:
    """What a head that is made in one go needs: classification over the mean of the tokens, in one layer."""
    if recipe.task.name != "classify":
        message = _("`method: {method}` works with the task 'classify'; '{task}' has another head")
        yield Finding("misfit", ("method",), message.format(method=method, task=recipe.task.name))
    elif recipe.model.head != "mean" or recipe.model.hidden_layers:
        message = _("`method: {method}` makes the one layer of a mean head; set `model.head: mean`, no hidden_layers")
        yield Finding("misfit", ("model", "head"), message.format(method=method))


METHOD_OPTIONS: Mapping[str, type[MethodOptions]] = Table(
    "method_option",
    {
        "contrastive": "weitiao.methods.few_labels:ContrastiveOptions",
        "full": "weitiao.methods.options:FullOptions",
        "freeze": "weitiao.methods.options:FreezeOptions",
        "gradual": "weitiao.methods.part_options:GradualOptions",
        "head": "weitiao.methods.options:HeadOptions",
        "lora": "weitiao.methods.peft_options:LoraOptions",
        "adalora": "weitiao.methods.peft_options:AdaLoraOptions",
        "ia3": "weitiao.methods.peft_options:Ia3Options",
        "zero_shot": "weitiao.methods.few_labels:ZeroShotOptions",
        "adapter": "weitiao.methods.insertion_options:AdapterOptions",
        "bitfit": "weitiao.methods.part_options:BitFitOptions",
        "p_tuning": "weitiao.methods.insertion_options:PTuningOptions",
        "p_tuning_v2": "weitiao.methods.insertion_options:PTuningV2Options",
        "prefix": "weitiao.methods.insertion_options:PrefixOptions",
        "prompt": "weitiao.methods.insertion_options:PromptOptions",
    },
)
