"""How useful a label of a text would be: how unsure one model is of it, or how far several disagree; 0 to 1, or more.

Numpy only; the outputs are those of the task's head.

Notation: C classes, T tokens, U units of a text, M models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weitiao.records import Feature, FloatArray, Outputs, Prediction

Uncertainty = Callable[[Sequence[Feature], Sequence[Outputs]], float]


def entropy(logits: FloatArray) -> FloatArray:
    """Of the softmax over the last axis, as a share of the largest that there is, [..., C] -> [...]."""
    size = logits.shape[-1]
    shifted = np.asarray(logits, dtype=np.float64) - logits.max(-1, keepdims=True)
    weights = np.exp(shifted)
    total = weights.sum(-1, keepdims=True)
    found = np.log(total[..., 0]) - (weights * shifted).sum(-1) / total[..., 0]
    return found / np.log(size) if size > 1 else np.zeros_like(found)


def binary_entropy(shares: FloatArray) -> FloatArray:
    """Of something that holds with this probability, in bits, [...] -> [...]."""
    inside = np.clip(np.asarray(shares, dtype=np.float64), 1e-12, 1 - 1e-12)
    return -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))


def sigmoid(logits: FloatArray) -> FloatArray:
    """[...] -> [...], without overflow."""
    return np.exp(-np.logaddexp(0.0, -np.asarray(logits, dtype=np.float64)))


def of_classes(_features: Sequence[Feature], outputs: Sequence[Outputs]) -> float:
    """Of one label a text: the entropy of its distribution (Settles 2009, section 3.1)."""
    return float(np.mean([entropy(each["logits"]) for each in outputs]))


def of_several(_features: Sequence[Feature], outputs: Sequence[Outputs]) -> float:
    """Of any number of labels: the mean entropy of whether each holds."""
    return float(np.mean([binary_entropy(sigmoid(each["logits"])).mean() for each in outputs]))


def of_units(features: Sequence[Feature], outputs: Sequence[Outputs]) -> float:
    """Of tags: the mean entropy of a unit, so that long texts are not preferred (Settles & Craven 2008, token entropy).

    The tags of a CRF depend on each other; here each unit's own scores are looked at.
    """
    units = [each["logits"][_tokens(feature)] for feature, each in zip(features, outputs, strict=True)]  # [U, C] each
    found = [entropy(each) for each in units if len(each)]
    return float(np.concatenate(found).mean()) if found else 0.0


def of_intents(features: Sequence[Feature], outputs: Sequence[Outputs]) -> float:
    """Of an intent and slots: the mean of both."""
    return (float(np.mean([entropy(each["intents"]) for each in outputs])) + of_units(features, outputs)) / 2


def of_spans(_features: Sequence[Feature], outputs: Sequence[Outputs]) -> float:
    """Of scored spans: the entropy of the least certain one; of the others most are surely none."""
    found = [each["spans"][each["spans"][:, 0] >= 0, 3] for each in outputs]  # score of each candidate
    return max((float(binary_entropy(sigmoid(each)).max()) for each in found if len(each)), default=0.0)


def several_labels(task: Any) -> bool:
    """Whether a text of the task may have several labels, each with a probability of its own."""
    return bool(task.head_options().get("multi_label"))


def uncertainty_of(task: Any) -> Uncertainty | None:
    """How unsure a model of the task is; None where its answers have no probabilities."""
    several = several_labels(task)
    table: Mapping[str, Uncertainty] = {
        "classify": of_several if several else of_classes,
        "relate": of_classes,
        "tag": of_units,
        "intent_slot": of_intents,
        "span": of_spans,
    }
    return table.get(task.head)


def disagreement(answers: Sequence[Prediction], *, several: bool = False) -> float:
    """How far several models' answers to one text are apart.

    Of distributions the Jensen-Shannon divergence, that is the mean distance of each from their mean (McCallum & Nigam
    1998), as a share of the largest; of numbers the standard deviation; of marked spans and of other answers the vote
    entropy (Dagan & Engelson 1995), of spans its mean over all that any model found.

    Args:
        several: whether a text may have several labels, as `several_labels` says of the task.
    """
    first: Any = answers[0]
    if getattr(first, "scores", None) and not getattr(first, "spans", None):
        return _divergence([each.scores for each in answers], several=several)  # type: ignore[attr-defined]
    if hasattr(first, "score"):
        return float(np.std([each.score for each in answers]))  # type: ignore[attr-defined]
    if hasattr(first, "spans"):
        return _votes([_marked(each) for each in answers])
    return _votes([{each.shown()[0]} for each in answers])


def _divergence(scores: Sequence[Mapping[str, float]], *, several: bool) -> float:
    """Of [M, C] probabilities; labels that a model does not know have none."""
    labels = sorted({label for each in scores for label in each})
    shares = np.array([[each.get(label, 0.0) for label in labels] for each in scores])  # [M, C]
    if several:  # each label is a coin of its own
        coins = binary_entropy(shares.mean(0)) - binary_entropy(shares).mean(0)  # [C]
        return float(coins.mean())
    mean = shares.mean(0)
    found = _nats(mean) - float(np.mean([_nats(each) for each in shares]))
    return max(0.0, found) / float(np.log(len(scores)))


def _nats(shares: FloatArray) -> float:
    held = shares[shares > 0]
    return float(-(held * np.log(held)).sum())


def _votes(answers: Sequence[set[Any]]) -> float:
    """Mean entropy of the votes for each thing that any model answers with."""
    everything = set().union(*answers)
    if not everything:
        return 0.0
    shares = np.array([sum(each in answer for answer in answers) / len(answers) for each in everything])
    return float(np.where((shares == 0) | (shares == 1), 0.0, binary_entropy(shares)).mean())


def _marked(answer: Any) -> set[Any]:
    """Spans, and of an utterance its intents."""
    return {*((*each.bounds, each.label) for each in answer.spans), *getattr(answer, "intents", ())}


def _tokens(feature: Feature) -> Any:
    """The first token of each unit, [U]."""
    places = feature.places["tokens"]
    return places[places >= 0]
