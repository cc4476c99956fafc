"""Vectors of texts, pooled from the bare backbone, and the losses that compare the texts of a step with each other.

`in_batch`: each text must find its own second text among those of the step and all hard negatives (multiple negatives
ranking, Henderson et al. 2017); its own second text once more, and that of an equal text, count for nothing, as the
metrics leave them out. `cosine`: the cosine of a pair must be its score, by squared error (Reimers and Gurevych 2019,
section 3). `cosent`: of two pairs the one with the higher score must have the higher cosine (CoSENT, Su 2022).
`simcse`: each text must find itself under other dropout (Gao et al. 2021, section 3). With `dimensions`, the mean of
the loss over the whole vector and its beginnings (Matryoshka, Kusupati et al. 2022). All need a whole step in one
batch.

Notation: B rows (texts), T tokens, H hidden, n records that learn, m hard negatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.batch import Batch
from weitiao.models.heads import HeadSpec, Loss
from weitiao.models.heads.classify import mean_pool
from weitiao.tasks.embed import ANCHOR, NEGATIVE, PAIR


class EmbedHead(nn.Module):
    """Pooling, and one of the losses; nothing in it learns.

    Args:
        size: H.
        loss: in_batch, cosine, cosent or simcse.
        pooling: mean over the tokens, or cls, the first one.
        scale: what cosines are multiplied by.
        dimensions: beginnings of the vector that serve alone.
    """

    stock: ClassVar[str] = ""
    token_axes: ClassVar[Mapping[str, int]] = {}
    first_token: ClassVar[bool] = False
    coupled: ClassVar[bool] = True

    def __init__(self, size: int, *, loss: str, pooling: str, scale: float, dimensions: Sequence[int]) -> None:
        super().__init__()
        if max(dimensions, default=0) > size:
            message = _("`task.dimensions` asks for {asked} numbers, but the vectors of this model have {size}")
            raise Refused(message.format(asked=max(dimensions), size=size))
        self.size, self.kind, self.pooling, self.scale = size, loss, pooling, scale
        self.sizes = list(dict.fromkeys([size, *dimensions]))

    @classmethod
    def of(cls, spec: HeadSpec) -> EmbedHead:
        """The head of a `HeadSpec`."""
        options = {"loss": "in_batch", "pooling": "mean", "scale": 20.0, "dimensions": (), **spec.options}
        return cls(spec.size or 0, **options)

    @property
    def views(self) -> int:
        """How often the loss sees each row."""
        return 2 if self.kind == "simcse" else 1

    @staticmethod
    def problem_type(options: Mapping[str, Any]) -> None:
        """There is no stock class."""

    def read(self, answer: Any) -> Tensor:
        """The hidden states, [B, T, H]."""
        return answer.last_hidden_state  # type: ignore[no-any-return]

    def pooled(self, hidden: Tensor, batch: Batch) -> Tensor:
        """[B, T, H] -> [B, H]."""
        pooled = mean_pool(hidden, batch) if self.pooling == "mean" else hidden[:, 0]
        return pooled.to(torch.promote_types(pooled.dtype, torch.float32))  # half precision is too coarse for a cosine

    def outputs(self, hidden: Tensor, batch: Batch) -> dict[str, Tensor]:
        """{"vector": [B, H]}, each of length 1."""
        return {"vector": F.normalize(self.pooled(hidden, batch), dim=-1)}

    def loss(self, hidden: Tensor, batch: Batch) -> Loss:
        """The mean loss of the step, with divisor 1; nothing where no record learns."""
        pooled = self.pooled(hidden, batch)  # [B, H]
        losses = {"in_batch": self._in_batch, "cosine": self._cosine, "cosent": self._cosent, "simcse": self._simcse}
        each = [losses[self.kind](F.normalize(pooled[:, :size], dim=-1), batch) for size in self.sizes]
        known = [loss for loss in each if loss is not None]
        if not known:
            return Loss(pooled.sum() * 0.0, torch.zeros(()))
        return Loss(torch.stack(known).mean(), torch.ones(()))

    def _in_batch(self, vectors: Tensor, batch: Batch) -> Tensor | None:
        anchors, pairs, negatives = members(batch)
        if not len(anchors):
            return None
        candidates = torch.cat([pairs, negatives])  # [n + m]
        cosines = vectors[anchors] @ vectors[candidates].T  # [n, n + m]
        same = same_text(batch.inputs["input_ids"][candidates])[: len(anchors)]  # [n, n + m]
        alike = same_text(batch.inputs["input_ids"][anchors])  # [n, n]
        right = same | F.pad(alike, (0, len(negatives)))  # [n, n + m]
        own = torch.eye(*same.shape, dtype=torch.bool)
        scores = (self.scale * cosines).masked_fill(right & ~own, -torch.inf)
        return F.cross_entropy(scores, torch.arange(len(anchors)))

    def _cosine(self, vectors: Tensor, batch: Batch) -> Tensor | None:
        anchors, pairs, _negatives = members(batch)
        if not len(anchors):
            return None
        cosines = (vectors[anchors] * vectors[pairs]).sum(-1)  # [n]
        return F.mse_loss(cosines, batch.targets["score"][anchors])

    def _cosent(self, vectors: Tensor, batch: Batch) -> Tensor | None:
        anchors, pairs, _negatives = members(batch)
        if not len(anchors):
            return None
        gold = batch.targets["score"][anchors]  # [n]
        cosines = self.scale * (vectors[anchors] * vectors[pairs]).sum(-1)  # [n]
        gaps = (cosines[None, :] - cosines[:, None])[gold[:, None] > gold[None, :]]  # lower pair minus higher one
        return torch.logsumexp(torch.cat([gaps.new_zeros(1), gaps]), 0)

    def _simcse(self, vectors: Tensor, batch: Batch) -> Tensor | None:
        learns = batch.weight[: len(vectors) // 2] > 0  # [B / 2]
        if not learns.any():
            return None
        first, second = (half[learns] for half in vectors.chunk(2))  # [n, H]
        return F.cross_entropy(self.scale * first @ second.T, torch.arange(len(first)))

    def files(self, max_length: int) -> Mapping[str, Any]:
        """What sentence-transformers loads the folder by, to the same vectors."""
        pooling = dict.fromkeys(("max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"), False)
        pooling |= {"cls_token": self.pooling == "cls", "mean_tokens": self.pooling == "mean"}
        modules = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))
        return {
            "modules.json": [
                {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"}
                for index, (name, path) in enumerate(modules)
            ],
            "1_Pooling/config.json": {
                "word_embedding_dimension": self.size,
                **{f"pooling_mode_{name}": chosen for name, chosen in pooling.items()},
                "include_prompt": True,
            },
            "sentence_bert_config.json": {"max_seq_length": max_length, "do_lower_case": False},
            "config_sentence_transformers.json": {
                "prompts": {},
                "default_prompt_name": None,
                "similarity_fn_name": "cosine",
            },
        }


def members(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of the anchors and of their second texts, [n] each, and of all hard negatives, [m]; of records that learn.

    The rows of a record stand together, its anchor first.
    """
    role, learns = batch.places["role"][:, 0], batch.weight > 0  # [B]
    record = (role == ANCHOR).cumsum(0)  # [B], which record a row is of, from 1
    anchors = torch.nonzero((role == ANCHOR) & learns)[:, 0]
    pairs = torch.nonzero((role == PAIR) & learns)[:, 0]
    of_record = torch.full((len(role) + 1,), -1)
    of_record[record[pairs]] = pairs
    found = of_record[record[anchors]]  # [n], -1 where a batch has an anchor alone
    return anchors[found >= 0], found[found >= 0], torch.nonzero((role == NEGATIVE) & learns)[:, 0]


def same_text(input_ids: Tensor) -> Tensor:
    """Which texts are the same, [N, T] -> [N, N]."""
    number: Tensor = torch.unique(input_ids, dim=0, return_inverse=True)[1]  # [N]
    return number[:, None] == number[None, :]
