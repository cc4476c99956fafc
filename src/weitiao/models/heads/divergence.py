"""How far apart two answers to the same rows are: half the sum of both Kullback-Leibler divergences, from logits.

(KL(p, q) + KL(q, p)) / 2 is half the sum of (p - q)(log p - log q), in which what normalises the logits cancels out.
"""

from __future__ import annotations

from torch import Tensor


def categorical(first: Tensor, second: Tensor) -> Tensor:
    """Of two softmax distributions over the last axis, [..., C] each -> [...]; what is -inf in both takes no part."""
    apart = (first - second).masked_fill(first.isneginf() & second.isneginf(), 0.0)
    return ((first.softmax(-1) - second.softmax(-1)) * apart).sum(-1) / 2


def binary(first: Tensor, second: Tensor) -> Tensor:
    """Of two Bernoulli distributions an entry, [...] each -> [...]."""
    return (first.sigmoid() - second.sigmoid()) * (first - second) / 2
