"""Prefix tuning; the part itself is in models/additions/prefix.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from weitiao.methods.insertion import Insertion
from weitiao.models.network import Network


class PrefixTuning(Insertion):
    """Keys and values in every layer learn, made by a small network unless `width` is 0 (Li and Liang 2021).

    When to use: as P-tuning v2, which is this without the network; with it the prefix learns at ordinary rates. Needs:
    gradients through all layers; while it learns, the network's own parameters. Compares: with adapters,
    for generation (Li and Liang 2021, section 6.1).
    """

    addition: ClassVar[str] = "prefix"

    def given(self, network: Network) -> Mapping[str, Any]:  # noqa: ARG002
        return {"count": self.options.count, "width": self.options.width}
