"""Prompt tuning; the part itself is in models/additions/virtual_tokens.py."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any, ClassVar

import numpy as np
import torch

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.methods.insertion import Insertion
from weitiao.models.additions.virtual_tokens import find_embedding
from weitiao.models.network import Network
from weitiao.text import load_tokenizer


class Prompt(Insertion):
    """Virtual tokens before the text learn (Lester et al. 2021).

    When to use: a large base, and as little as possible to keep for each task. Needs: gradients through all layers, and
    `count` tokens more a text. Compares: well below adapters and LoRA on small models; close to full fine-tuning from
    some ten thousand million parameters on (Lester et al. 2021, figure 1).
    """

    addition: ClassVar[str] = "virtual_tokens"

    def given(self, network: Network) -> Mapping[str, Any]:
        return {"count": self.options.count, "place": opening(network)}

    def apply(self, network: Network, total_steps: int) -> None:
        super().apply(network, total_steps)
        if self.options.text is None:
            return
        (virtual,) = network.virtual
        embedding, _rows_first = find_embedding(network)
        ids = torch.tensor(list(islice(cycle(self._words(network)), self.options.count)))
        with torch.no_grad():
            virtual.encoder.get_parameter("embedding.weight").copy_(embedding(ids.to(embedding.weight.device)))

    def _words(self, network: Network) -> np.ndarray:
        """Ids of the text that the virtual tokens start from."""
        tokenizer = load_tokenizer(network.folder)
        ids: np.ndarray = np.array(tokenizer.backend.encode(self.options.text, add_special_tokens=False).ids)
        if not len(ids):
            raise Refused(_("`method.text` has no token for the virtual tokens to start from"))
        return ids


def opening(network: Network) -> int:
    """1 where the tokenizer opens a text with a special token, which heads read; else 0."""
    return min(1, len(load_tokenizer(network.folder).wrapping().before))
