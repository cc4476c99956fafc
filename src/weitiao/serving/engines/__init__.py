"""What answers for a predictor: features in, outputs out. One file an engine, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from weitiao.models.padding import BATCH_TOKENS
from weitiao.records import Feature, Outputs

Wanted = Literal["auto", "torch", "onnx"]


class Engine(Protocol):
    """A fitted network in a form that runs.

    The answer of a feature does not depend on what else is asked in the same call, beyond float rounding.
    """

    @property
    def name(self) -> str:
        """`torch` or `onnx`."""
        ...

    def infer(self, features: Sequence[Feature], *, batch_tokens: int = BATCH_TOKENS) -> list[Outputs]:
        """The head's outputs for each feature, in their order; rows of like length go together.

        Args:
            features: any number.
            batch_tokens: padded tokens a batch.
        """
        ...
