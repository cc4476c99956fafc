"""What a pretrained language model says in a gap, as logits of classes: its own class, with nothing new on it.

The logit of a word is the mean of its pieces' log-probabilities, all read in the one gap (up to a constant that all
words share); that of a class the logarithm of its words' mean probability. So a word of several pieces is judged by how
well each of them would stand there, which needs no second pass, and cannot see their order; one piece a word is best.
Only what stands in the gap goes through the vocabulary.

Notation: B rows, T tokens, H hidden, V vocabulary, C classes, W words of a class, P pieces of a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.classify import ClassifyHead


class ClozeHead(nn.Module):
    """Logits and loss of classification, from a masked-language-model head.

    Args:
        spec: of one label a text.
    """

    stock: ClassVar[str] = "AutoModelForMaskedLM"
    token_axes: ClassVar[Mapping[str, int]] = {}
    first_token: ClassVar[bool] = False
    pretrained: ClassVar[bool] = True

    def __init__(self, spec: HeadSpec) -> None:
        super().__init__()
        self.classify = ClassifyHead.of(spec)

    @classmethod
    def of(cls, spec: HeadSpec) -> ClozeHead:
        """The head of a `HeadSpec`."""
        return cls(spec)

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """The class has a loss of its own kind only."""

    def read(self, answer: Any) -> Tensor:
        """The vocabulary's logits: in the gap, [B, 1, V], or everywhere, [B, T, V]."""
        return answer.logits  # type: ignore[no-any-return]

    def around(self, backbone: PreTrainedModel, batch: Batch) -> AbstractContextManager[Any]:
        """While this is open, only the gap of each row goes through the vocabulary, where the family's head is one
        linear layer behind all else."""
        decoder: nn.Module | None = backbone.get_output_embeddings()  # type: ignore[no-untyped-call]
        if decoder is None or "gap" not in batch.places:
            return nullcontext()

        def in_the_gap(_module: nn.Module, args: Any) -> Any:
            return (_at(args[0], batch), *args[1:])

        handle: AbstractContextManager[Any] = decoder.register_forward_pre_hook(in_the_gap)
        return handle

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"logits": [B, C]} from the vocabulary's logits."""
        return {"logits": self._classes(hidden, batch)}

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """Cross-entropy over the classes, summed over the rows with a target (Schick and Schütze 2021, section 3.1)."""
        return self.classify.loss(self._classes(hidden, batch), batch)

    def _classes(self, hidden: Tensor, batch: Batch) -> Tensor:
        """[B, 1 or T, V] -> [B, C]."""
        said = _at(hidden, batch)[:, 0]  # [B, V]
        pieces = batch.places["pieces"]  # [B, C, W, P]
        there = pieces >= 0
        each = said.gather(1, pieces.clamp_min(0).flatten(1)).view(pieces.shape).masked_fill(~there, 0.0)
        words = each.sum(-1) / there.sum(-1).clamp_min(1)  # [B, C, W]
        known = there.any(-1)
        return words.masked_fill(~known, -torch.inf).logsumexp(-1) - known.sum(-1).log()  # [B, C]


class CausalClozeHead(ClozeHead):
    """The same, from what a causal language model would say next."""

    stock: ClassVar[str] = "AutoModelForCausalLM"


def _at(hidden: Tensor, batch: Batch) -> Tensor:
    """What stands in the gap of each row, [B, T, X] -> [B, 1, X]; as it is, where only that is left."""
    if hidden.shape[1] == 1:
        return hidden
    gap = batch.places["gap"][:, 0]  # [B]
    return hidden[torch.arange(gap.shape[0]), gap][:, None]
