"""Parts that a fine-tuning method puts into a network beside its own weights, one file each.

An addition is called with the network and plain options, and puts modules in: as children of modules that are there,
reached by hooks, so that no name of the base changes. `Network.insert` notes it, and its weights are saved apart, so
that a saved run is built again by the same call.
"""

from __future__ import annotations

from weitiao.tables import Table

__all__ = ["ADDITIONS"]

ADDITIONS = Table(
    "addition",
    {
        "bottleneck": "weitiao.models.additions.bottleneck:insert",
        "prefix": "weitiao.models.additions.prefix:insert",
        "virtual_tokens": "weitiao.models.additions.virtual_tokens:insert",
    },
)
