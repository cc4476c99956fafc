"""The Method seam: which parameters learn, one file a method.

`METHOD_OPTIONS` (options.py) is what recipes, schema and plan read without torch; `METHODS` are the methods themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from weitiao.methods.options import METHOD_OPTIONS, MethodOptions
from weitiao.tables import Table

if TYPE_CHECKING:
    from weitiao.models.network import Network

__all__ = ["METHODS", "METHOD_OPTIONS", "Method", "MethodOptions"]

METHODS = Table(
    "method",
    {
        "full": "weitiao.methods.full:Full",
        "freeze": "weitiao.methods.freeze:Freeze",
        "head": "weitiao.methods.freeze:LinearProbe",
    },
)


class Method(Protocol):
    """What a method must answer; built as `METHODS[name](options)`.

    Attributes:
        cache: how the output of the frozen layers may be kept; None when nothing is frozen or it is not wanted.
    """

    cache: str | None

    def apply(self, network: Network, total_steps: int) -> None:
        """Choose what learns: set `requires_grad`, `network.frozen_below` and `network.frozen_modules`."""
        ...

    def after_step(self, network: Network, step: int) -> None:
        """Called after each optimiser step, before the gradients are cleared."""
        ...
