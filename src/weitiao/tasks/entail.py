"""Entail: classify by which statement about the text a model of natural-language inference takes to follow from it.

Each label is a statement, `template` with the label's description in it (Yin et al. 2019, section 3.2). A record gives
one `Feature` a label, the text with that statement as its second text, in the order of the labels; the head `entail`
reads the pretrained entailment class and puts out one logit, and a softmax over the labels' logits is the answer. Works
without any training, and learns on from a few labels: the right statement follows, the others do not.

Notation: C labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from weitiao.messages import _
from weitiao.recipe import Finding, Options, TrainingSpec
from weitiao.records import ClassifyPrediction, ClassifyRecord, Feature, Outputs
from weitiao.tasks import FieldSpec, Settings
from weitiao.tasks.classify import LABEL, TEXT, Classify, ClassifyOptions
from weitiao.tasks.pairs import CHUNK
from weitiao.tasks.steps import no_smoothing
from weitiao.tasks.values import text_of
from weitiao.text import Tokenizer

SLOT = "{description}"


class EntailOptions(Options):
    """What a recipe may say under `task: {name: entail, ...}`."""

    descriptions: dict[str, str] = Field(
        default_factory=dict, description="label -> what it means, in a few words; default: the label's own name"
    )
    template: str = Field(
        default="This text is about {description}.",
        description="the statement that stands for a label, with {description} in it",
    )  # Yin et al. 2019, section 4.3: 'this text is about'
    abstain_below: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="give no answer when the probability of the most likely label is below this",
    )

    @field_validator("descriptions", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """YAML reads `{0: bad}` with a number for a label."""
        return {text_of(label): each for label, each in value.items()} if isinstance(value, dict) else value

    @field_validator("descriptions")
    @classmethod
    def _two_at_least(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) == 1:
            raise ValueError(_("give a description of each of at least two labels"))
        return value

    @field_validator("template")
    @classmethod
    def _has_its_place(cls, value: str) -> str:
        if SLOT not in value:
            raise ValueError(_("got '{got}'; expected a text with {{description}} in it").format(got=value))
        return value


class Entail(Classify):
    """The task: see `weitiao.tasks.Task`."""

    name: ClassVar[str] = "entail"
    options_model: ClassVar[type[Any]] = EntailOptions
    head: ClassVar[str] = "entail"
    hub: ClassVar[str] = ""
    decisive: ClassVar[Sequence[str]] = ()
    pools: ClassVar[bool] = False
    fields: ClassVar[Sequence[FieldSpec]] = (TEXT, LABEL)

    def __init__(self, options: EntailOptions | None = None) -> None:
        self.entail = options or EntailOptions()
        labels = tuple(self.entail.descriptions) or None
        super().__init__(ClassifyOptions(labels=labels, abstain_below=self.entail.abstain_below))

    def statement(self, label: str) -> str:
        """What is asked of a text for a label."""
        return self.entail.template.replace(SLOT, self.entail.descriptions.get(label, label))

    def classes(self, labels: Sequence[str]) -> Sequence[str]:  # noqa: ARG002
        return ["follows"]

    def misfits(self, training: TrainingSpec) -> Iterator[Finding]:
        yield from no_smoothing(training, self.name)

    def encode(
        self, records: Sequence[ClassifyRecord], tokenizer: Tokenizer, labels: Sequence[str], max_length: int
    ) -> list[Feature]:
        statements = [self.statement(label) for label in labels]
        asked = [(group, option) for group in range(len(records)) for option in range(len(labels))]
        features = []
        for start in range(0, len(asked), CHUNK):
            chunk = asked[start : start + CHUNK]
            texts = [records[group].text for group, _option in chunk]
            pairs = [statements[option] for _group, option in chunk]
            encoded = tokenizer.encode(texts, pairs, max_length=max_length)
            for (group, option), each in zip(chunk, encoded, strict=True):
                target = _targets(records[group], labels, option)
                features.append(Feature(each.ids, each.types, target, group, each.cut))
        return features

    def decode(
        self,
        record: ClassifyRecord,
        features: Sequence[Feature],
        outputs: Sequence[Outputs],
        labels: Sequence[str],
        settings: Settings,
    ) -> ClassifyPrediction:
        logits = np.concatenate([np.atleast_1d(each["logits"]) for each in outputs])  # [C]
        return super().decode(record, features, [{"logits": logits}], labels, settings)


def _targets(record: ClassifyRecord, labels: Sequence[str], option: int) -> Mapping[str, Any]:
    """{"score": []}, 1 where the statement is the right one; nothing where the gold is missing or train lacks it."""
    if record.labels is None or record.labels[0] not in labels:
        return {}
    return {"score": np.asarray(record.labels[0] == labels[option], dtype=np.float32)}
