"""The objective of distillation: a student answers as its teacher, thinks as it does, and gets the gold labels right.

Not an entry of `OBJECTIVES`, for it needs a teacher; otherwise one like those: a sum and its divisor, the rows of the
batch, with or without a target.

Notation: B rows, T tokens, N tokens without padding, H hidden, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weitiao.models.batch import Batch
from weitiao.models.heads import Loss
from weitiao.models.heads.classify import wide
from weitiao.models.network import Network

Kind = Literal["classes", "odds", "tokens", "numbers"]
SOFT: Mapping[str, Mapping[str, Kind]] = {  # head -> output -> what its numbers are; others say what they chose only
    "answer": {"start": "tokens", "end": "tokens"},
    "classify": {"logits": "classes"},
    "cloze": {"logits": "classes"},
    "cloze_causal": {"logits": "classes"},
    "embed": {"vector": "numbers"},
    "entail": {"logits": "odds"},
    "intent_slot": {"intents": "classes", "logits": "classes"},
    "relate": {"logits": "classes"},
    "score": {"logits": "numbers"},
    "tag": {"logits": "classes"},
}
PROJECTIONS = "projections"  # child of a student that is narrower than its teacher, while it learns


class Distillation:
    """gold + soft * T^2 * KL(teacher || student) + hidden * the squared error of hidden states, each a mean over rows.

    Answers: both distributions at temperature T (Hinton et al. 2015, section 2); numbers and vectors by their squared
    error. Hidden states: of matched layers (Jiao et al. 2020, equation 8), a token's squared error divided by the
    teacher's own square, so that families with large activations count like others; the student's go through a learnt
    projection where it is narrower. Rows without a target learn from the teacher alone. Gold labels: the head's own
    loss of each row by itself, so that a long sentence counts as much as a short one, and how a step is split changes
    nothing; of a head whose loss compares rows, which is never split, that of the batch.

    Args:
        teacher: left as it is.
        pairs: (layer of the student, layer of the teacher) whose outputs are compared.
        temperature: T.
        soft, hidden, gold: weights of the three parts.
    """

    def __init__(
        self,
        teacher: Network,
        pairs: Sequence[tuple[int, int]],
        *,
        temperature: float = 2.0,
        soft: float = 1.0,
        hidden: float = 1.0,
        gold: float = 1.0,
    ) -> None:
        self.teacher = teacher.eval()
        self.pairs = pairs
        self.temperature, self.soft, self.hidden, self.gold = temperature, soft, hidden, gold
        self.kinds = _kinds(teacher)

    def __call__(self, network: Network, batch: Batch) -> Loss:
        """The loss of the rows."""
        apart, gold = self._parts(network, batch)
        total = self.soft * apart["soft"].sum() + self.hidden * apart["hidden"].sum()
        if self.gold and batch.targets:
            total = total + self.gold * gold
        return Loss(total, torch.tensor(float(len(batch.rows))))

    def apart(self, network: Network, batch: Batch) -> Mapping[str, Tensor]:
        """How far the student is from its teacher: "soft" and "hidden" of each row, [B], unweighted."""
        return self._parts(network, batch)[0]

    def _parts(self, network: Network, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        with torch.no_grad(), _seen(self.teacher, [theirs for _own, theirs in self.pairs]) as taught:
            said = self.teacher.outputs(batch)
        with _seen(network, [own for own, _theirs in self.pairs]) as thought:
            hidden = network.hidden(batch)
        outputs = network.head.outputs(hidden, batch)
        nothing = torch.zeros(len(batch.rows))
        soft = sum((self._answer(name, outputs[name], said[name], network, batch) for name in self.kinds), nothing)
        states = sum(
            (self._state(network, index, thought[index], taught[index], batch) for index in range(len(self.pairs))),
            nothing,
        ) / max(len(self.pairs), 1)
        return {"soft": soft, "hidden": states}, _gold(network, hidden, batch)

    def _answer(self, name: str, own: Tensor, theirs: Tensor, network: Network, batch: Batch) -> Tensor:
        """How far apart one output of both is, [B]."""
        kind, heat = self.kinds[name], self.temperature
        own, theirs = wide(own), wide(theirs)
        inside = _inside(batch)  # [B, T]
        if kind == "numbers":
            return (own - theirs).square().flatten(1).sum(-1)
        if kind == "tokens":
            own, theirs = (each.masked_fill(~inside, torch.finfo(each.dtype).min) for each in (own, theirs))
        apart = (_binary if kind == "odds" else _categorical)(own / heat, theirs / heat) * heat**2  # without classes
        if network.head.token_axes.get(name, 0) == 1 and kind != "tokens":
            return (apart * inside).sum(1) / batch.lengths
        return apart

    def _state(self, network: Network, index: int, own: Tensor, theirs: Tensor, batch: Batch) -> Tensor:
        """How far apart the outputs of two matched layers are, [B]."""
        projections = network._modules.get(PROJECTIONS)
        if isinstance(projections, nn.ModuleList):
            own = projections[index](own)
        error = (own - theirs).square().mean(-1) / theirs.square().mean(-1).clamp_min(1e-6)
        return _by_row(error, batch, rows_first=network.rows_first)


def _gold(network: Network, hidden: Tensor, batch: Batch) -> Tensor:
    """The head's own loss, the mean of each row, summed over the rows with a target: []."""
    head: Any = network.head
    if getattr(head, "coupled", False):
        seen_several_times = getattr(head, "views", 1) > 1
        loss = network.loss(batch) if seen_several_times else head.loss(hidden, batch)
        return batch.weight.sum() * _mean(loss)
    rows = [_mean(head.loss(hidden[row : row + 1], batch.taken([row]))) for row in range(len(batch.rows))]
    return torch.dot(torch.stack(rows), batch.weight.to(rows[0].dtype))


def _mean(loss: Loss) -> Tensor:
    return loss.total / loss.weight if loss.weight > 0 else loss.total * 0.0


def _kinds(network: Network) -> dict[str, Kind]:
    """Output -> what its numbers are, of this head with its options."""
    options: Mapping[str, Any] = network.spec.options
    several = bool(options.get("multi_label")) or bool(getattr(network.head, "several", False))
    found: dict[str, Kind] = dict(SOFT.get(network.spec.head, {}))
    if several:
        found["intents" if "intents" in found else "logits"] = "odds"
    if network.spec.head == "score" and options.get("loss") == "bce":
        found["logits"] = "odds"
    return found


def _categorical(own: Tensor, theirs: Tensor) -> Tensor:
    """KL(theirs || own) of softmax distributions over the last axis."""
    return F.kl_div(own.log_softmax(-1), theirs.log_softmax(-1), reduction="none", log_target=True).sum(-1)


def _binary(own: Tensor, theirs: Tensor) -> Tensor:
    """KL(theirs || own) of Bernoulli distributions, the mean over a row's."""
    share = theirs.sigmoid()
    each = share * (F.logsigmoid(theirs) - F.logsigmoid(own)) + (1 - share) * (
        F.logsigmoid(-theirs) - F.logsigmoid(-own)
    )
    return each.flatten(1).mean(-1) if each.ndim > 1 else each


def _inside(batch: Batch) -> Tensor:
    return torch.arange(int(batch.lengths.max()))[None, :] < batch.lengths[:, None]


def _by_row(error: Tensor, batch: Batch, *, rows_first: bool) -> Tensor:
    """The mean over each row's tokens; of [B, T], [T, B], packed [1, N], or [1, B] where only first tokens go on."""
    rows, longest = batch.inputs["input_ids"].shape
    if not rows_first:
        error = error.transpose(0, 1)
    if error.shape == (rows, longest):
        return (error * _inside(batch)).sum(1) / batch.lengths
    if error.shape[1] == rows:
        return error[0]
    owner = torch.repeat_interleave(torch.arange(rows), batch.lengths)
    return error.new_zeros(rows).index_add(0, owner, error[0]) / batch.lengths


@contextmanager
def _seen(network: Network, layers: Sequence[int]) -> Iterator[list[Tensor]]:
    """What these layers of the stack put out while this is open, in the order of `layers`."""
    found: list[Tensor] = [torch.empty(0)] * len(layers)

    def note(place: int) -> Any:
        def hook(_layer: nn.Module, _args: Any, output: Any) -> None:
            found[place] = output[0] if isinstance(output, tuple) else output

        return hook

    with ExitStack() as around:
        for place, index in enumerate(layers):
            around.enter_context(network.stack.layers[index].register_forward_hook(note(place)))
        yield found
