"""Options of the methods for few labels and for none, without torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from weitiao.messages import _, ngettext
from weitiao.methods.options import COST, Learning, MethodOptions, on_mean_head
from weitiao.models.reference import ModelFolder
from weitiao.models.shape import Shape
from weitiao.recipe import Finding, Recipe
from weitiao.records import ClassifyRecord
from weitiao.tables import did_you_mean

WHOLE = ("cloze", "entail")  # tasks whose head is pretrained, so that nothing has to be made


class ContrastiveOptions(MethodOptions):
    """For eight to a few dozen labels a class: the body learns from pairs of texts, then the head is solved on it."""

    portable = False
    learning_rate: ClassVar[float] = 2e-5  # of the body: the setfit package's
    stepwise: ClassVar[bool] = False
    body_first: ClassVar[bool] = True
    body_epochs: float = Field(
        default=2, gt=0, description="passes of the first stage over its pairs"
    )  # of 32 pairs a step: as many steps as one pass of the setfit package's 16
    body_learning_rate: float = Field(
        default=2e-5, gt=0, description="peak learning rate of the first stage"
    )  # 5e-5 gained on sst2 and lost on waimai_10k at 8 labels
    pairs_per_text: int = Field(
        default=16,
        gt=0,
        description="partners of its own label, and as many of others, that each text is given; below that many all",
    )  # Tunstall et al. 2022, section 4: 20; with 16 labels in all either is every pair there is
    max_pairs: int = Field(default=8000, ge=2, description="pairs at most, of both kinds together")
    loss: Literal["cosine", "cosent"] = Field(
        default="cosine",
        description="cosine: cosines of pairs of one label go to 1, others to 0 (Reimers & Gurevych 2019); cosent: "
        "pairs of one label lie closer than others (Su 2022)",
    )
    cost: float = Field(
        default=COST, gt=0, description="weight of the rows against the head's L2 penalty, as scikit-learn's `C`"
    )

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:  # noqa: ARG002
        yield from on_mean_head(recipe, "contrastive")
        if getattr(recipe.task.options, "multi_label", False):
            message = _("`method: contrastive` pairs texts by their one label, and `multi_label` gives them several")
            yield Finding("misfit", ("method",), message)
        if recipe.training.token_budget is not None:
            message = _("`training.token_budget` splits a step, and `method: contrastive` compares all of its pairs")
            yield Finding("misfit", ("training", "token_budget"), message)

    def unfit(self, records: Mapping[str, Sequence[Any]]) -> Iterator[Finding]:
        train = [each for each in records.get("train", ()) if isinstance(each, ClassifyRecord)]
        if any(record.text_pair is not None for record in train):
            message = _("`method: contrastive` compares texts with each other, and these rows are pairs; take full")
            yield Finding("misfit", ("method",), message)
        counts = Counter(record.labels for record in train)
        if train and max(counts.values()) < 2:
            message = _("`method: contrastive` needs two rows of one label at least, and each row here has its own")
            yield Finding("misfit", ("method",), message)

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        return Learning(shape.depth, embeddings=False, cached=True)

    def first_stage(self, rows: int) -> tuple[int, float]:
        return min(2 * self.pairs_per_text * rows, rows * (rows - 1), self.max_pairs), self.body_epochs


class ZeroShotOptions(MethodOptions):
    """No training: classes are found by what describes them, or by what a pretrained head says (cloze, entail)."""

    portable = False
    learning_rate: ClassVar[float] = 5e-5  # nothing learns
    stepwise: ClassVar[bool] = False
    learns: ClassVar[bool] = False
    needs_rows: ClassVar[bool] = False
    descriptions: dict[str, str] = Field(
        default_factory=dict, description="label -> what it means, in a few words; default: the label's own name"
    )
    template: str = Field(
        default="{description}", description="the text that stands for a label, with {description} in it"
    )
    scale: float = Field(
        default=20.0, gt=0, description="what cosines are multiplied by: higher makes the answers surer"
    )  # as in the task `embed`

    @field_validator("descriptions", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """YAML reads `{0: bad}` with a number for a label."""
        return {str(label): each for label, each in value.items()} if isinstance(value, dict) else value

    @field_validator("template")
    @classmethod
    def _has_its_place(cls, value: str) -> str:
        if "{description}" not in value:
            raise ValueError(_("got '{got}'; expected a text with {{description}} in it").format(got=value))
        return value

    @property
    def labels(self) -> Sequence[str]:
        return tuple(self.descriptions)

    def text(self, label: str) -> str:
        """What stands for a label."""
        return self.template.replace("{description}", self.descriptions.get(label, label))

    def misfits(self, recipe: Recipe, folder: ModelFolder) -> Iterator[Finding]:  # noqa: ARG002
        if recipe.task.name not in WHOLE:
            yield from on_mean_head(recipe, "zero_shot")
            return
        for name in sorted(self.model_fields_set):
            message = _("`method.{name}` has no effect on the task '{task}', which asks its own words; remove it")
            yield Finding("misfit", ("method", name), message.format(name=name, task=recipe.task.name))

    def unfit(self, records: Mapping[str, Sequence[Any]]) -> Iterator[Finding]:
        told = [each for split in records.values() for each in split if isinstance(each, ClassifyRecord)]
        seen = {label for record in told for label in record.labels or ()}
        for label in self.descriptions:
            if seen and label not in seen:
                message = _("`method.descriptions` names the label '{label}', which no row has{hint}")
                text = message.format(label=label, hint=did_you_mean(label, seen))
                yield Finding("unknown-label", ("method", "descriptions", label), text)

    def doubts(self, labels: Sequence[str]) -> Iterator[Finding]:
        left = [label for label in labels if label not in self.descriptions]
        if self.descriptions and left:
            message = ngettext(
                "`method.descriptions` says nothing of the label {labels}, for which its own name stands",
                "`method.descriptions` says nothing of the labels {labels}, for which their own names stand",
                len(left),
            )
            text = message.format(labels=", ".join(f"'{label}'" for label in left))
            yield Finding("no-description", ("method", "descriptions"), text)

    def learning(self, shape: Shape, *, packable: bool) -> Learning:  # noqa: ARG002
        return Learning(shape.depth, embeddings=False, cached=True)
