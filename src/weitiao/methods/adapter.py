"""Bottleneck adapters; the part itself is in models/additions/bottleneck.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from weitiao.methods.insertion import Insertion
from weitiao.models.network import Network


class Adapter(Insertion):
    """A small network behind each sublayer learns (Houlsby et al. 2019; Pfeiffer et al. 2021).

    When to use: several tasks on one base, or a model that would not fit with full fine-tuning's optimiser. Needs:
    gradients through all layers, memory for a few per cent of the parameters; a little slower to answer than the base.
    Compares: within half a point of full fine-tuning on GLUE (Houlsby et al. 2019, section 3.2); unlike LoRA it cannot
    be folded into the base.
    """

    addition: ClassVar[str] = "bottleneck"

    def given(self, network: Network) -> Mapping[str, Any]:  # noqa: ARG002
        return self.options.model_dump()  # type: ignore[no-any-return]
