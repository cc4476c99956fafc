"""Options of each method, without torch: what a recipe may say under `method`.

`METHOD_OPTIONS` is what the recipe, its schema and the plan read; the methods themselves, which need torch, are in
`METHODS` of this package. Another package adds both under one name: entry points of the groups `weitiao.methods` and
`weitiao.method_options`. Each model also carries the learning rate that a recipe without one gets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from weitiao.recipe import Options
from weitiao.tables import Table


class MethodOptions(Options):
    """Base of every method's options."""

    learning_rate: ClassVar[float]
    """Peak learning rate where the recipe gives none."""


class FullOptions(MethodOptions):
    """Every parameter learns: the best score where there are rows and time enough."""

    learning_rate: ClassVar[float] = 5e-5  # Devlin et al. 2019, appendix A.3: 2e-5 to 5e-5


class CacheOptions(MethodOptions):
    """Options of a frozen part, which runs without dropout: it is computed once a text and kept on disk."""

    cache: bool = Field(
        default=True, description="compute the frozen part once and keep its output on disk, memory-mapped"
    )
    cache_precision: Literal["fp16", "fp32"] = Field(
        default="fp16",
        description="numbers of that cache; fp16 halves its size and rounds the frozen output to 11 bits",
    )


class FreezeOptions(CacheOptions):
    """The embeddings and the first layers stay as pretrained: several times faster, a little less accurate."""

    learning_rate: ClassVar[float] = 1e-4  # fewer parameters move, each may move further
    layers: int | None = Field(
        default=None,
        ge=0,
        description="frozen layers, counted from the embeddings; default: two thirds of the model's depth",
    )

    def frozen(self, depth: int) -> int:
        """How many of the model's `depth` layers stand still."""
        return round(depth * 2 / 3) if self.layers is None else self.layers


class HeadOptions(CacheOptions):
    """A linear probe: only the new head learns; the quickest look at what a pretrained model already knows."""

    learning_rate: ClassVar[float] = 1e-3  # a convex problem on fixed features: no pretrained weight to spoil


METHOD_OPTIONS: Mapping[str, type[MethodOptions]] = Table(
    "method_option",
    {
        "full": "weitiao.methods.options:FullOptions",
        "freeze": "weitiao.methods.options:FreezeOptions",
        "head": "weitiao.methods.options:HeadOptions",
    },
)
