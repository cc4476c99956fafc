"""Tiny networks of every family, and features with the family's own special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

import numpy as np
import torch

from weitiao.models.network import Network, NetworkSpec, build
from weitiao.models.packing import PACKABLE
from weitiao.models.tiny import tiny
from weitiao.records import Feature
from weitiao.text import load_tokenizer

FAMILIES = (
    "bert",
    "distilbert",
    "roberta",
    "electra",
    "gpt2",
    "llama",
    "t5",
    "bart",
    "modernbert",
    "deberta-v2",
    "albert",
    "xlm-roberta",
)
MEAN_ONLY = ("xlnet",)  # its own head reads the last place of a row, which in our batches may be padding
PACKED = tuple(family for family in FAMILIES if family in PACKABLE)
LABELS = ("negative", "neutral", "positive")
WORDS = ["good", "bad", "film", "room", "food", "service", "好", "差", "房间", "服务", "味道", "快"]


@cache
def folder(family: str) -> Path:
    path = Path(mkdtemp()) / family
    tiny(family, path)
    return path


def network(
    family: str,
    kind: Literal["stock", "mean"] = "stock",
    *,
    seed: int = 1,
    dropout: float | None = 0.0,
    **options: object,
) -> Network:
    torch.manual_seed(seed)
    pad_id = load_tokenizer(folder(family)).pad_id
    spec = NetworkSpec("classify", kind, LABELS, pad_id=pad_id, dropout=dropout, **options)  # type: ignore[arg-type]
    return build(folder(family), spec)


def lively(net: Network, spread: float = 0.15) -> Network:
    """The network with noise on every parameter, as if trained: fresh tiny ones answer nearly the same to any text,
    and equality of such answers would prove little."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=spread)
    return net


def features(family: str, count: int = 12, *, longest: int = 24, seed: int = 0) -> list[Feature]:
    """Texts of 1 to `longest` words whose label can be learnt: the first word decides it.

    Labels are skewed, so that the rows' gradients do not cancel and relative bounds on them mean something.
    """
    rng = np.random.default_rng(seed)
    first = rng.integers(0, len(WORDS), count)
    texts = [" ".join([WORDS[word], *rng.choice(WORDS, rng.integers(0, longest))]) for word in first]
    encoded = load_tokenizer(folder(family)).encode(texts, max_length=100)
    return [
        Feature(each.ids, each.types, {"labels": np.array(max(0, word - 8) % len(LABELS))}, group)
        for group, (each, word) in enumerate(zip(encoded, first, strict=True))
    ]


def gradients_of(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.grad.clone() for name, value in network.named_parameters() if value.grad is not None}


def assert_gradients_equal(
    got: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float = 1e-5
) -> None:
    """Promise 3: within `tolerance` of each tensor's largest entry. Keys' biases, whose gradient is zero in exact
    arithmetic (a softmax does not see a constant), are compared with a thousandth of the network's largest."""
    assert got.keys() == expected.keys()
    floor = 1e-3 * max(float(value.abs().max()) for value in expected.values())
    for name, value in expected.items():
        scale = max(float(value.abs().max()), floor)
        assert float((got[name] - value).abs().max()) <= tolerance * scale, name


def rows_of(indices: Sequence[int], every: Sequence[Feature]) -> list[Feature]:
    return [every[index] for index in indices]
