"""Parsing head: deep biaffine scores of every word under every head, and of the relations (Dozat & Manning 2017).

A word is read at its first token; the root is a learnt vector in front of the words. Of the relations only the best one
of each pair leaves the head, which is all that decoding needs. The part of speech is a linear layer over the words.

Notation: B rows, T tokens, W words of the longest row, H hidden, S width of a layer, P parts of speech, D relations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import IGNORED, Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.tasks.trees import DEPREL, UPOS, names_of

ROOT = "root"  # UD: the relation of the word whose head is 0, and of no other
SLOPE = 0.1  # of the leaky rectifier below 0; Dozat & Manning 2017, appendix


class ParseHead(nn.Module):
    """Scores of arcs, relations and parts of speech, and their summed loss over the words.

    Args:
        size: H.
        parts: names of the parts of speech, P.
        relations: names of the relations, D.
        arc_size, label_size: S of the layers before the arcs and before the relations.
        dropout: rate over the words and behind each layer.
        initializer_range: standard deviation of the root and of the linear layer over the words.
    """

    stock: ClassVar[str] = ""
    token_axes: ClassVar[Mapping[str, int]] = {}
    first_token: ClassVar[bool] = False

    def __init__(
        self,
        size: int,
        parts: Sequence[str],
        relations: Sequence[str],
        *,
        arc_size: int,
        label_size: int,
        dropout: float = 0.1,
        initializer_range: float = 0.02,
    ) -> None:
        super().__init__()
        self.relations = list(relations)
        self.dropout = nn.Dropout(dropout)
        self.root = nn.Parameter(torch.empty(size).normal_(std=initializer_range))
        self.upos = nn.Linear(size, len(parts))
        nn.init.normal_(self.upos.weight, std=initializer_range)
        nn.init.zeros_(self.upos.bias)
        self.arc_word, self.arc_head = (_layer(size, arc_size, dropout) for _side in range(2))
        self.label_word, self.label_head = (_layer(size, label_size, dropout) for _side in range(2))
        self.arcs = Biaffine(arc_size, 1)
        self.labels = Biaffine(label_size, len(relations))

    @classmethod
    def of(cls, spec: HeadSpec) -> ParseHead:
        """The head of a `HeadSpec`."""
        assert spec.size is not None, "no stock class parses"
        return cls(
            spec.size,
            names_of(UPOS, spec.classes),
            names_of(DEPREL, spec.classes),
            arc_size=spec.options["arc_size"],
            label_size=spec.options["label_size"],
            dropout=spec.dropout,
            initializer_range=spec.initializer_range,
        )

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """No class of transformers reads this config's labels."""

    def read(self, answer: Any) -> Tensor:
        """The hidden states, [B, T, H]."""
        return answer.last_hidden_state  # type: ignore[no-any-return]

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"arcs": [B, W, W + 1]}, the best relation of each pair and the best part of each word.

        They are whole numbers: "deprels" [B, W, W + 1] and "upos" [B, W].
        """
        words, heads = self._sides(hidden, batch)
        relations = self.labels.pairs(self.label_word(words), self.label_head(heads))  # [B, W, W + 1, D]
        if ROOT in self.relations:
            of_root = torch.tensor([name == ROOT for name in self.relations])  # [D]
            on_root = torch.arange(heads.shape[1]) == 0  # [W + 1]
            relations = relations.masked_fill(of_root != on_root[:, None], -torch.inf)
        return {
            "arcs": self._arcs(words, heads),
            "deprels": relations.argmax(-1),
            "upos": self.upos(words).argmax(-1),
        }

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """Cross-entropies of head, relation to the gold head and part of speech, summed over the words with a target.

        The divisor is the number of those words. A word whose head the model does not read teaches its part of speech.
        """
        if not batch.targets:
            return Loss(hidden.sum() * 0.0, torch.zeros(()))
        words, heads = self._sides(hidden, batch)
        gold, upos = batch.targets["heads"], batch.targets["upos"]  # [B, W]
        relation = batch.targets["deprels"].masked_fill(gold == IGNORED, IGNORED)  # [B, W]
        possible = self._arcs(words, heads).masked_fill(self._impossible(batch), -torch.inf)  # [B, W, W + 1]
        of_gold = self.label_head(heads).gather(1, _as_index(gold.clamp_min(0), self.labels.size))  # [B, W, S]
        relations = self.labels.matched(self.label_word(words), of_gold)  # [B, W, D]
        each = (_summed(possible, gold), _summed(relations, relation), _summed(self.upos(words), upos))
        total = torch.stack(each).sum()
        return Loss(total, (upos != IGNORED).sum().to(total.dtype))

    def _sides(self, hidden: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """The words, [B, W, H], and the root with the words, [B, W + 1, H]."""
        tokens = batch.places["tokens"].clamp_min(0)  # [B, W]
        words = hidden.gather(1, _as_index(tokens, hidden.shape[-1]))  # [B, W, H]
        root = self.root.to(hidden.dtype).expand(hidden.shape[0], 1, -1)  # [B, 1, H]
        words = self.dropout(words)
        return words, torch.cat([root, words], 1)

    def _arcs(self, words: Tensor, heads: Tensor) -> Tensor:
        """[B, W, W + 1]."""
        return self.arcs.pairs(self.arc_word(words), self.arc_head(heads))[..., 0]

    @staticmethod
    def _impossible(batch: Batch) -> Tensor:
        """Heads that a word cannot have: itself, and words that its row does not have, [B, W, W + 1]."""
        absent = batch.places["tokens"] < 0  # [B, W]
        width = absent.shape[1]
        itself = torch.eye(width, width + 1, dtype=torch.bool).roll(1, 1)  # [W, W + 1]
        return F.pad(absent, (1, 0))[:, None, :] | itself


class Biaffine(nn.Module):
    """Scores of pairs of vectors: x U y with a 1 behind both, so that it holds their linear terms and a bias too.

    Weights begin at zero, as in Dozat & Manning's own code.

    Args:
        size: S of the vectors.
        outputs: scores of a pair.
    """

    def __init__(self, size: int, outputs: int) -> None:
        super().__init__()
        self.size = size
        self.weight = nn.Parameter(torch.zeros(outputs, size + 1, size + 1))

    def pairs(self, words: Tensor, heads: Tensor) -> Tensor:
        """[B, W, S] and [B, V, S] -> [B, W, V, outputs]."""
        return torch.einsum("bwoj,bvj->bwvo", self._half(words), _with_one(heads))

    def matched(self, words: Tensor, heads: Tensor) -> Tensor:
        """[B, W, S] and the head of each, [B, W, S] -> [B, W, outputs]."""
        return torch.einsum("bwoj,bwj->bwo", self._half(words), _with_one(heads))

    def _half(self, words: Tensor) -> Tensor:
        return torch.einsum("bwi,oij->bwoj", _with_one(words), self.weight)  # [B, W, outputs, S + 1]


def _with_one(vectors: Tensor) -> Tensor:
    return F.pad(vectors, (0, 1), value=1.0)


def _layer(size: int, width: int, dropout: float) -> nn.Sequential:
    linear = nn.Linear(size, width)
    nn.init.orthogonal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return nn.Sequential(linear, nn.LeakyReLU(SLOPE), nn.Dropout(dropout))


def _as_index(places: Tensor, size: int) -> Tensor:
    """[B, W] -> [B, W, size], to gather whole vectors."""
    return places[:, :, None].expand(-1, -1, size)


def _summed(scores: Tensor, gold: Tensor) -> Tensor:
    """Cross-entropy over the last axis, summed over the places with a target."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))  # half precision is too coarse for a sum
    return F.cross_entropy(scores.flatten(0, 1), gold.flatten(), ignore_index=IGNORED, reduction="sum")
