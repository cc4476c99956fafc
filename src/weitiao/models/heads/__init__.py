"""The Head seam: hidden states -> Outputs and loss; one file a kind of answer.

A head's loss is a sum and its divisor, never a mean, so that steps can be split over micro-batches and processes
exactly. A head reads the backbone's hidden states, or what the family's own class in transformers says (`stock`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, Self

from torch import Tensor

from weitiao.models.batch import Batch
from weitiao.tables import Table

HEADS = Table(
    "head",
    {
        "answer": "weitiao.models.heads.answer:AnswerHead",
        "classify": "weitiao.models.heads.classify:ClassifyHead",
        "cloze": "weitiao.models.heads.cloze:ClozeHead",
        "cloze_causal": "weitiao.models.heads.cloze:CausalClozeHead",
        "embed": "weitiao.models.heads.embed:EmbedHead",
        "entail": "weitiao.models.heads.entail:EntailHead",
        "event": "weitiao.models.heads.event:EventHead",
        "intent_slot": "weitiao.models.heads.intent_slot:IntentSlotHead",
        "parse": "weitiao.models.heads.parse:ParseHead",
        "relate": "weitiao.models.heads.relate:RelateHead",
        "score": "weitiao.models.heads.score:ScoreHead",
        "span": "weitiao.models.heads.span:SpanHead",
        "tag": "weitiao.models.heads.tag:TagHead",
    },
)


@dataclass(frozen=True, slots=True)
class Loss:
    """A sum of row losses and what to divide it by.

    Args:
        total: scalar with gradient.
        weight: scalar without; 0 when nothing in the batch had a target.
    """

    total: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """What a head is built from.

    Args:
        classes: names of its outputs, C of them.
        size: H of the hidden states that it reads; None where it reads what the family's own class says.
        options: the task's, such as {"multi_label": True}.
        class_weights: weight of each class in the loss, [C].
        label_smoothing: share of the target mass spread over all classes.
        hidden_layers: widths of extra layers.
        dropout: rate before each layer.
        initializer_range: standard deviation of new weights, as in the backbone's config.
        told: what the pretrained folder calls its own classes, by index.
    """

    classes: Sequence[str]
    size: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    class_weights: Tensor | None = None
    label_smoothing: float = 0.0
    hidden_layers: Sequence[int] = ()
    dropout: float = 0.1
    initializer_range: float = 0.02
    told: Mapping[Any, str] = field(default_factory=dict)


class Head(Protocol):
    """What a head must answer; `hidden` is what `Network.hidden` returned.

    A head may also have `coupled` (its loss compares all rows of a step, which is then never split), `views` (how often
    the loss sees each row, each time under other dropout), `files(max_length)` (JSON for other libraries), `pretrained`
    (the stock class comes with all its weights, so that a folder that lacks some is refused) and `around(backbone,
    batch)` (what is open while the backbone runs). One that answers with a distribution has `loss_of(outputs, batch)`
    (the loss from what `outputs` gave) and `divergence(first, second, batch)` (how far apart the outputs of two passes
    over a batch are, summed as the loss is), for R-Drop.
    """

    stock: ClassVar[str]
    """transformers' Auto class whose answer the head reads under `kind: stock`; empty where there is none."""
    token_axes: ClassVar[Mapping[str, int]]
    """Output -> how many of its axes behind the row's count tokens, such as {"logits": 1}."""
    first_token: ClassVar[bool]
    """Whether the stock class reads the first token alone."""

    @classmethod
    def of(cls, spec: HeadSpec) -> Self:
        """The head, with new weights."""
        ...

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> str | None:
        """What the saved config says of the stock class's loss, in transformers' words."""
        ...

    def read(self, answer: Any) -> Tensor:
        """What of the stock class's answer the head goes on with."""
        ...

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Named arrays with one entry a row, such as {"logits": [B, C]}."""
        ...

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """The loss over the rows with a target."""
        ...


def pretrained(name: str) -> bool:
    """Whether the stock class of a head comes with all its weights, and with its own names of its classes."""
    return bool(getattr(HEADS[name], "pretrained", False))
