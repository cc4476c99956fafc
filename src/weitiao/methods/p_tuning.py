"""P-tuning, version 1 (virtual tokens from a small network) and version 2 (learnt keys and values in every layer)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from weitiao.methods.insertion import Insertion
from weitiao.methods.prompt import opening
from weitiao.models.network import Network


class PTuning(Insertion):
    """Virtual tokens that a small network makes learn (Liu et al. 2021, 'GPT understands, too').

    When to use: as prompt tuning, where that is slow to learn: the network ties the virtual tokens together. Needs: as
    prompt tuning, and the network's own parameters. Compares: below P-tuning v2 on small bases (Liu et al. 2022).
    """

    addition: ClassVar[str] = "virtual_tokens"

    def given(self, network: Network) -> Mapping[str, Any]:
        options = self.options
        return {
            "count": options.count, "place": opening(network), "encoder": options.encoder, "width": options.width,
        }  # fmt: skip


class PTuningV2(Insertion):
    """Keys and values of their own in every layer learn (Liu et al. 2022, section 3).

    When to use: small and middle-sized bases, where virtual tokens at the input alone are too weak. Needs: gradients
    through all layers; the text keeps all of the model's positions. Compares: with full fine-tuning in the paper, at a
    larger learning rate.
    """

    addition: ClassVar[str] = "prefix"

    def given(self, network: Network) -> Mapping[str, Any]:  # noqa: ARG002
        return {"count": self.options.count}
