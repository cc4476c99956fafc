"""Options of each objective, without torch: what a recipe may say under `training.objective`.

`OBJECTIVE_OPTIONS` is what the recipe, its schema and the plan read; the objectives themselves, which need torch, are
in `OBJECTIVES` of this package. Another package adds both under one name: entry points of the groups
`weitiao.objectives` and `weitiao.objective_options`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from weitiao.messages import _
from weitiao.methods.options import Learning
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import dropout_rates
from weitiao.recipe import Finding, Options, Recipe
from weitiao.tables import Table
from weitiao.tasks import Task

KEY = ("training", "objective")
ONE_ANSWER = frozenset({"answer", "classify", "intent_slot", "relate", "score", "tag"})  # heads with `divergence`


class ObjectiveOptions(Options):
    """Base of every objective's options.

    Attributes:
        work: operations of a step, as a multiple of those of the plain loss.
        copies: how many forward passes are held in memory at once.
    """

    work: ClassVar[float] = 1.0
    copies: ClassVar[int] = 1

    def misfits(self, recipe: Recipe, task: Task[Any, Any]) -> Iterator[Finding]:  # noqa: ARG002
        """Why the objective cannot work with this recipe, whatever the model."""
        yield from ()

    def model_misfits(self, recipe: Recipe, folder: ModelFolder, learning: Learning) -> Iterator[Finding]:  # noqa: ARG002
        """Why it cannot work with this model, of which the method lets `learning` learn."""
        yield from ()


class PlainOptions(ObjectiveOptions):
    """The task's own loss."""


class RDropOptions(ObjectiveOptions):
    """R-Drop: each row twice under different dropout, and both answers are to agree (Liang et al. 2021)."""

    work: ClassVar[float] = 2.0
    copies: ClassVar[int] = 2
    weight: float = Field(
        default=1.0, gt=0, description="of the disagreement against the two losses"
    )  # Liang et al. 2021: alpha of 0.1 to 1 for language understanding (section 4.2), 5 for translation (4.1)

    def misfits(self, recipe: Recipe, task: Task[Any, Any]) -> Iterator[Finding]:
        if reason := without_distribution(recipe, task, crf=True):
            message = _("`training.objective: rdrop` compares two distributions over one answer, and {reason}")
            yield Finding("misfit", KEY, message.format(reason=reason))
        if recipe.model.dropout == 0:
            message = _("`training.objective: rdrop` needs dropout, and `model.dropout` is 0; raise it, such as 0.1")
            yield Finding("misfit", ("model", "dropout"), message)

    def model_misfits(self, recipe: Recipe, folder: ModelFolder, learning: Learning) -> Iterator[Finding]:  # noqa: ARG002
        inside = folder.config.get("text_config")
        rates = dropout_rates(inside if isinstance(inside, Mapping) else folder.config)
        if recipe.model.dropout is None and rates and not any(rates.values()):
            message = _(
                "`training.objective: rdrop` needs dropout, and this model's config sets every rate to 0; "
                "set model.dropout, such as 0.1"
            )
            yield Finding("misfit", KEY, message)


def without_distribution(recipe: Recipe, task: Task[Any, Any], *, crf: bool) -> str:
    """Why two answers of the task cannot be compared as distributions; empty where they can.

    Args:
        crf: whether the answer of a CRF, a whole sequence, is none.
    """
    options = task.head_options()
    if task.head not in ONE_ANSWER:
        return _("the task '{task}' answers with none").format(task=recipe.task.name)
    if crf and options.get("crf"):
        return _("a CRF answers with a whole sequence; set task.crf=false")
    if options.get("loss") == "ranking":
        return _("the loss 'ranking' compares the rows of a step; take another task.loss")
    return ""


class FGMOptions(ObjectiveOptions):
    """FGM: the loss, and the loss where the word embeddings are moved against it (Miyato et al. 2017)."""

    work: ClassVar[float] = 7 / 3  # forward and backward twice, and once backward for the embeddings' gradient alone
    copies: ClassVar[int] = 2
    epsilon: float = Field(
        default=1.0, gt=0, description="length of the move, of all of a row's word embeddings together"
    )

    def model_misfits(self, recipe: Recipe, folder: ModelFolder, learning: Learning) -> Iterator[Finding]:  # noqa: ARG002
        if learning.cached:
            message = _(
                "`training.objective: fgm` moves the word embeddings, and the frozen layers above them are cached; "
                "set method.cache=false, or take another objective"
            )
            yield Finding("misfit", KEY, message)


class LwFOptions(ObjectiveOptions):
    """Learning without Forgetting: the answers of an earlier model are soft targets, too (Li & Hoiem 2016)."""

    work: ClassVar[float] = 4 / 3  # once forward more, in the teacher
    teacher: str = Field(min_length=1, description="the earlier model: the model/ folder of a run of the same task")
    weight: float = Field(
        default=1.0, gt=0, description="of the distance from the teacher's answers against the loss"
    )  # Li & Hoiem 2016, section 3: lambda_o is 1 in most of their experiments
    temperature: float = Field(
        default=2.0, ge=1, description="what logits are divided by, so that small probabilities count"
    )  # Li & Hoiem 2016, section 3, after Hinton et al. 2015

    def misfits(self, recipe: Recipe, task: Task[Any, Any]) -> Iterator[Finding]:
        if reason := without_distribution(recipe, task, crf=False):
            message = _("`training.objective: lwf` compares two distributions over one answer, and {reason}")
            yield Finding("misfit", KEY, message.format(reason=reason))
        if not (Path(self.teacher) / "task.json").is_file():
            message = _("`teacher` is {folder}, where there is no task.json; expected the model/ folder of a run")
            yield Finding("misfit", KEY, message.format(folder=self.teacher))


OBJECTIVE_OPTIONS: Mapping[str, type[ObjectiveOptions]] = Table(
    "objective_option",
    {
        "plain": "weitiao.training.options:PlainOptions",
        "rdrop": "weitiao.training.options:RDropOptions",
        "fgm": "weitiao.training.options:FGMOptions",
        "lwf": "weitiao.training.options:LwFOptions",
    },
)
