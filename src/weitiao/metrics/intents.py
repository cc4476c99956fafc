"""Scores of intents and slots: a whole utterance right, its intents, its slots, and what is out of scope.

A label space of intents and slots is one flat sequence, in which a prefix says what each label is; `intents:` says
besides that an utterance may have several. Slots are scored as strict spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from weitiao.metrics import Metric
from weitiao.metrics.classification import RATIOS, Tally, divide, summed
from weitiao.metrics.spans import SpanMetric, keys
from weitiao.records import FloatArray, IntentSlotPrediction, IntentSlotRecord

ONE, SEVERAL, SLOT = "intent:", "intents:", "slot:"


@dataclass(frozen=True, slots=True)
class IntentSlotLabels:
    """What a label space holds.

    Args:
        intents: in order.
        slots: in order.
        several: whether an utterance may have several intents.
    """

    intents: Sequence[str]
    slots: Sequence[str]
    several: bool

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """What flat names say; names without a prefix, such as those of tags, are left out."""
        intents = [name.partition(":")[2] for name in names if name.startswith((ONE, SEVERAL))]
        slots = [name.removeprefix(SLOT) for name in names if name.startswith(SLOT)]
        return cls(list(dict.fromkeys(intents)), slots, any(name.startswith(SEVERAL) for name in names))

    def intent_names(self, intents: Sequence[str] | None = None) -> list[str]:
        """These intents (all of them) with their prefix."""
        prefix = SEVERAL if self.several else ONE
        return [prefix + intent for intent in (self.intents if intents is None else intents)]

    def names(self) -> list[str]:
        """The flat sequence."""
        return [*self.intent_names(), *(SLOT + slot for slot in self.slots)]


def intent_slot_metrics(labels: IntentSlotLabels, out_of_scope: str | None = None) -> list[Metric]:
    """Headline (whole utterances right) first; without slots of their own there are no scores of slots."""
    metrics: list[Metric] = [SentenceExact(), IntentAccuracy()]
    if labels.slots or not labels.intents:
        metrics += [SpanMetric(f"slot_{name}", labels.slots, summed(ratio)) for name, ratio in RATIOS.items()]
    if out_of_scope is not None:
        metrics.append(IntentAccuracy(except_for=out_of_scope))
        metrics += [OutOfScope(name, out_of_scope, RATIOS[name]) for name in ("precision", "recall")]
    return metrics


class SentenceExact:
    """Share of the utterances with all intents and all slots right, and none too many."""

    name = "sentence_exact"

    def counts(self, prediction: IntentSlotPrediction, record: IntentSlotRecord) -> FloatArray:
        """[right, 1]."""
        return np.array([whole(prediction, record), 1.0])

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


def whole(prediction: IntentSlotPrediction, record: IntentSlotRecord) -> bool:
    """Whether all of the answer is right."""
    slots = sorted(keys(prediction.spans)) == sorted(keys(record.spans or ()))
    return slots and set(prediction.intents) == set(record.intents or ())


class IntentAccuracy:
    """Share of the utterances whose set of intents is exactly the gold set.

    Args:
        except_for: leave out the utterances with this intent (`in_scope_accuracy`, as Larson et al. 2019 report it).
    """

    def __init__(self, except_for: str | None = None) -> None:
        self.except_for = except_for
        self.name = "intent_accuracy" if except_for is None else "in_scope_accuracy"

    def counts(self, prediction: IntentSlotPrediction, record: IntentSlotRecord) -> FloatArray:
        """[right, 1], or zeros for an utterance that is left out."""
        gold = set(record.intents or ())
        return np.array([set(prediction.intents) == gold, 1.0]) * (self.except_for not in gold)

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


class OutOfScope:
    """A ratio of the utterances out of scope: those found, those answered so, and those that are.

    Args:
        name: of the ratio.
        intent: the one that says 'out of scope'.
        ratio: (hits, answers, gold) -> the metric.
    """

    def __init__(self, name: str, intent: str, ratio: Tally) -> None:
        self.name = f"out_of_scope_{name}"
        self.intent = intent
        self.ratio = ratio

    def counts(self, prediction: IntentSlotPrediction, record: IntentSlotRecord) -> FloatArray:
        """[hit, answered, gold]."""
        answered, gold = self.intent in prediction.intents, self.intent in (record.intents or ())
        return np.array([answered and gold, answered, gold], dtype=np.float64)

    def value(self, total: FloatArray) -> FloatArray:
        return self.ratio(total[..., 0], total[..., 1], total[..., 2])
