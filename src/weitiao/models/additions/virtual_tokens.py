"""Virtual tokens: learnt vectors that stand among those of a text's tokens (Lester et al. 2021, section 2).

A batch gets `count` places more, of which the embeddings give the learnt vectors; behind the backbone the places are
taken out again. So positions, masks, packing and the families' own heads see an ordinary, longer text, and our heads
see the text alone. They stand behind the special token that opens a text, where the tokenizer puts one (heads read it,
as the first), else in front.

The vectors are a table (`encoder` empty) or what a small network makes of one (P-tuning, Liu et al. 2021, section 3.2):
PEFT's modules.

Notation: B rows, T tokens, P virtual tokens, E width of the embeddings, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.probe import IDS, probe

if TYPE_CHECKING:
    from weitiao.models.network import Network

Encoder = Literal["", "lstm", "mlp"]
NAME = "virtual"  # inside the embedding module
GAP = "gap"  # the place of a cloze, in `Batch.places`


class VirtualTokens(nn.Module):
    """The learnt vectors, and the places where they stand.

    Args:
        encoder: [1, P] indices -> [1, P, E].
        count: P.
        place: tokens of a text that stand before them.
        rows_first: whether the embeddings are asked for [B, T]; else for [T, B], as XLNet does.
    """

    def __init__(self, encoder: nn.Module, count: int, place: int, *, rows_first: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.count = count
        self.place = place
        self.rows_first = rows_first
        self.stands = False

    def vectors(self) -> Tensor:
        """[P, E]."""
        device = next(self.encoder.parameters()).device
        return self.encoder(torch.arange(self.count, device=device)[None])[0]  # type: ignore[no-any-return]

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Inside the block, batches have been through `widened`."""
        self.stands = True
        try:
            yield
        finally:
            self.stands = False

    def widened(self, batch: Batch) -> Batch:
        """The batch with P places more in each row; their ids repeat the row's first, which is never padding."""
        ids = batch.inputs["input_ids"]
        fills = {
            "input_ids": ids[:, :1].expand(-1, self.count),
            "attention_mask": ids.new_ones(len(ids), self.count),
            "token_type_ids": ids.new_zeros(len(ids), self.count),
        }
        inputs = {name: self._between(value, fills[name]) for name, value in batch.inputs.items()}
        places = dict(batch.places)
        if GAP in places:  # which a head reads while the backbone runs
            places[GAP] = places[GAP] + self.count * (places[GAP] >= self.place)
        return replace(batch, inputs=inputs, lengths=batch.lengths + self.count, places=places)

    def without(self, hidden: Tensor) -> Tensor:
        """[B, T + P, ...] -> [B, T, ...]."""
        return torch.cat([hidden[:, : self.place], hidden[:, self.place + self.count :]], dim=1)

    def embed(self, embedded: Tensor) -> Tensor:
        """The vectors of a widened batch, [B, T + P, E] or [T + P, B, E], with the learnt ones in their places."""
        rows = embedded if self.rows_first else embedded.transpose(0, 1)
        vectors = self.vectors().to(rows.dtype).expand(len(rows), -1, -1)  # [B, P, E]
        filled = self._between(self.without(rows), vectors)
        return filled if self.rows_first else filled.transpose(0, 1)

    def _between(self, rows: Tensor, between: Tensor) -> Tensor:
        return torch.cat([rows[:, : self.place], between, rows[:, self.place :]], dim=1)


def insert(network: Network, *, count: int, place: int, encoder: Encoder = "", width: int = 0) -> None:
    """Put `count` virtual tokens behind the first `place` tokens of every text.

    Args:
        network: must not have any yet.
        count: P.
        place: 0 or 1.
        encoder: the network that makes the vectors; empty for a plain table.
        width: of that network.
    """
    embedding, rows_first = find_embedding(network)
    made = _table(embedding, count) if not encoder else _encoder(embedding.embedding_dim, count, encoder, width)
    virtual = VirtualTokens(made.to(embedding.weight.device), count, place, rows_first=rows_first)
    embedding.add_module(NAME, virtual)
    embedding.register_forward_hook(_embed)
    network.virtual = (virtual,)


def _embed(module: nn.Module, _args: Any, output: Tensor) -> Tensor:
    virtual = module.get_submodule(NAME)
    assert isinstance(virtual, VirtualTokens)
    return virtual.embed(output) if virtual.stands else output


def find_embedding(network: Network) -> tuple[nn.Embedding, bool]:
    """The module that looks up the text's tokens, and whether it is asked for [B, T]; told by running the model."""
    asked: list[tuple[nn.Embedding, bool]] = []

    def note(module: nn.Embedding, args: tuple[Tensor, ...]) -> None:
        if tuple(args[0].flatten().tolist()) == IDS:
            asked.append((module, args[0].shape[0] == 1))

    modules = [module for module in network.backbone.modules() if isinstance(module, nn.Embedding)]
    handles = [module.register_forward_pre_hook(note) for module in modules]
    try:
        probe(network, network.backbone, decodes=network.decodes)
    finally:
        for handle in handles:
            handle.remove()
    return asked[0]


def _table(embedding: nn.Embedding, count: int) -> nn.Module:
    """Starts as the vectors of words drawn from the vocabulary (Lester et al. 2021, section 3.2)."""
    from peft import PromptEmbedding, PromptTuningConfig, PromptTuningInit

    config = PromptTuningConfig(
        num_virtual_tokens=count, token_dim=embedding.embedding_dim, num_transformer_submodules=1,
        prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB,
    )  # fmt: skip
    return PromptEmbedding(config, embedding)  # type: ignore[no-untyped-call]


def _encoder(size: int, count: int, encoder: Encoder, width: int) -> nn.Module:
    from peft import PromptEncoder, PromptEncoderConfig

    config = PromptEncoderConfig(
        num_virtual_tokens=count, token_dim=size, num_transformer_submodules=1, encoder_hidden_size=width,
        encoder_reparameterization_type=encoder.upper(),
    )  # fmt: skip
    return PromptEncoder(config)  # type: ignore[no-untyped-call]
