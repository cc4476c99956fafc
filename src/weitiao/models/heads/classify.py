"""Classification heads: the family's own (`stock`), or mean pooling with our own layers (`mean`).

`stock` keeps the model loadable in plain transformers; it reads the first token (encoders) or the last one (decoders),
through a pooler that many checkpoints never trained. `mean` averages over all tokens, which suits contrastively trained
encoders such as both starters better; it loads through weitiao. Of a pair it reads three means as long: that of all
tokens, how far those of the two texts are apart in each number, and their products (after InferSent, Conneau et al.
2017, section 3.1, where the texts are read apart); a frozen model says little about a pair by one mean alone.

Notation: B rows, T tokens, H hidden, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.divergence import binary, categorical
from weitiao.records import SECOND

LIGHTEST = 0.01  # of a positive row against a negative one: "balanced" gives 0 where there are no negatives


class ClassifyHead(nn.Module):
    """Logits and loss of single-label and multi-label classification.

    Args:
        classes: C.
        multi_label: a sigmoid a class instead of one softmax.
        class_weights: [C], or None for equal weights: of each class in the softmax; multi-label, of a class's positive
            rows against its negative ones, floored at `LIGHTEST` so that a class that every row has still learns.
        label_smoothing: share of the target mass spread over all classes (Szegedy et al. 2016, section 7).
        pooled_size: H of a mean head; None for a stock head, where `hidden` already is the logits.
        pair: whether a mean head reads the two texts of a pair apart, too.
        hidden_layers: widths of extra layers of a mean head.
        dropout: rate before each layer of a mean head.
        initializer_range: standard deviation of a mean head's new weights, as in the backbone's config.
    """

    stock: ClassVar[str] = "AutoModelForSequenceClassification"
    token_axes: ClassVar[Mapping[str, int]] = {}
    first_token: ClassVar[bool] = True

    def __init__(
        self,
        classes: int,
        *,
        multi_label: bool = False,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        pooled_size: int | None = None,
        pair: bool = False,
        hidden_layers: Sequence[int] = (),
        dropout: float = 0.1,
        initializer_range: float = 0.02,
    ) -> None:
        super().__init__()
        self.multi_label = multi_label
        self.label_smoothing = label_smoothing
        self.class_weights: Tensor | None
        floored = class_weights.clamp_min(LIGHTEST) if multi_label and class_weights is not None else class_weights
        self.register_buffer("class_weights", floored, persistent=False)
        self.layers = (
            nn.Identity()
            if pooled_size is None
            else _layers(3 * pooled_size if pair else pooled_size, hidden_layers, classes, dropout, initializer_range)
        )
        self.pools = pooled_size is not None
        self.pair = pair

    @classmethod
    def of(cls, spec: HeadSpec) -> ClassifyHead:
        """The head of a `HeadSpec`."""
        return cls(
            len(spec.classes),
            multi_label=spec.options.get("multi_label", False),
            class_weights=spec.class_weights,
            label_smoothing=spec.label_smoothing,
            pooled_size=spec.size,
            pair=spec.options.get("pair", False),
            hidden_layers=spec.hidden_layers,
            dropout=spec.dropout,
            initializer_range=spec.initializer_range,
        )

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> str:
        """As transformers names it."""
        return "multi_label_classification" if options.get("multi_label") else "single_label_classification"

    def read(self, answer: Any) -> Tensor:
        """The logits, [B, C]."""
        return answer.logits  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"logits": [B, C]} from `hidden`: [B, T, H] for a mean head, the logits themselves for a stock one."""
        return {"logits": self.layers(self.pooled(hidden, batch) if self.pools else hidden)}

    def pooled(self, hidden: Tensor, batch: Batch) -> Tensor:
        """What the layers of a mean head read: [B, T, H] -> [B, H], of a pair [B, 3H]."""
        mean = mean_pool(hidden, batch)
        if not self.pair:
            return mean
        second = batch.places[SECOND]  # [B, 2]
        before = torch.stack([torch.zeros_like(second[:, 0]), second[:, 0]], dim=1)  # [B, 2]
        first, last = span_mean(hidden, before), span_mean(hidden, second)
        return torch.cat([mean, (first - last).abs(), first * last], dim=-1)

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """Cross-entropy, or mean binary cross-entropy over classes, summed over the rows with a target.

        As torch's losses with the same weights: single-label the divisor is the sum of the rows' weights
        (`CrossEntropyLoss`), multi-label the weights do not change it (`BCEWithLogitsLoss`, `pos_weight`).
        """
        return self.loss_of(self.outputs(hidden, batch), batch)

    def loss_of(self, outputs: Mapping[str, Tensor], batch: Batch) -> Loss:
        """The same, from the outputs."""
        logits = wide(outputs["logits"])
        if not batch.targets:
            return Loss(logits.sum() * 0.0, torch.zeros(()))
        if self.multi_label:
            return self._binary(logits, batch.targets["labels"], batch.weight)
        return self._categorical(logits, batch.targets["labels"], batch.weight)

    def divergence(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Of the distributions of two passes, summed over rows and weighed as in the loss: []."""
        one, other = wide(first["logits"]), wide(second["logits"])
        if self.multi_label:
            return torch.dot(binary(one, other).mean(-1), batch.weight)
        weight = (
            batch.weight if self.class_weights is None else batch.weight * self.class_weights[batch.targets["labels"]]
        )
        return torch.dot(categorical(one, other), weight)

    def _categorical(self, logits: Tensor, labels: Tensor, weight: Tensor) -> Loss:
        rows = F.cross_entropy(
            logits, labels, weight=self.class_weights, label_smoothing=self.label_smoothing, reduction="none"
        )  # [B]
        divisor = weight if self.class_weights is None else weight * self.class_weights[labels]
        return Loss((rows * weight).sum(), divisor.sum())

    def _binary(self, logits: Tensor, labels: Tensor, weight: Tensor) -> Loss:
        each = F.binary_cross_entropy_with_logits(
            logits, labels, pos_weight=self.class_weights, reduction="none"
        )  # [B, C]
        return Loss((each.mean(-1) * weight).sum(), weight.sum())


def wide(logits: Tensor) -> Tensor:
    """At least in float32: half precision is too coarse for a sum."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def mean_pool(hidden: Tensor, batch: Batch) -> Tensor:
    """Mean over each row's real tokens, [B, T, H] -> [B, H]."""
    mask = batch.inputs["attention_mask"].to(hidden.dtype)[:, :, None]  # [B, T, 1]
    return (hidden * mask).sum(1) / mask.sum(1).clamp_min(1.0)


def span_mean(hidden: Tensor, bounds: Tensor) -> Tensor:
    """Mean over the tokens of each row's span, [B, T, H] and [B, 2] -> [B, H]."""
    place = torch.arange(hidden.shape[1], device=hidden.device)[None]  # [1, T]
    inside = ((place >= bounds[:, :1]) & (place < bounds[:, 1:])).to(hidden.dtype)[:, :, None]  # [B, T, 1]
    return (hidden * inside).sum(1) / inside.sum(1).clamp_min(1.0)


def _layers(
    size: int, hidden_layers: Sequence[int], classes: int, dropout: float, initializer_range: float
) -> nn.Sequential:
    modules: list[nn.Module] = []
    for width in (*hidden_layers, classes):
        linear = nn.Linear(size, width)
        nn.init.normal_(linear.weight, std=initializer_range)
        nn.init.zeros_(linear.bias)
        modules += [nn.Dropout(dropout), linear, nn.GELU()]
        size = width
    return nn.Sequential(*modules[:-1])
