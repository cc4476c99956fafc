"""Objectives: what a step minimises, as wrappers of the head's own loss; one callable of network and batch each.

Each gives a sum and its divisor, of parts that belong to one row each, so that micro-batches, packing and the order of
rows change nothing.

Notation: B rows, T tokens, E width of a word embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.batch import Batch
from weitiao.models.heads import Loss
from weitiao.models.network import Network, load
from weitiao.training.options import FGMOptions, LwFOptions, PlainOptions, RDropOptions

ALIKE = 1e-6  # outputs of two passes that differ by no more are of passes without dropout


class Plain:
    """The head's own loss.

    When to use: always first; what the others are compared with.
    """

    def __init__(self, options: PlainOptions) -> None:
        self.options = options

    def __call__(self, network: Network, batch: Batch) -> Loss:
        """The loss of the rows."""
        return network.loss(batch)


class RDrop:
    """Two passes under different dropout, both losses, and the symmetric divergence of the two answers.

    Liang et al. 2021, equation 4: -log p1(y) - log p2(y) + weight * (KL(p1, p2) + KL(p2, p1)) / 2.

    When to use: few rows, and time for twice the work. Needs: dropout, and a head that answers with a distribution (or
    a number, whose squared difference stands for the divergence). Compares: another cost than FGM's, with which it does
    not share its step; without dropout it is twice the plain loss.
    """

    def __init__(self, options: RDropOptions) -> None:
        self.options = options
        self._seen_apart = False

    def __call__(self, network: Network, batch: Batch) -> Loss:
        """The loss of the rows, each seen twice in one batch of double size."""
        head: Any = network.head
        if not hasattr(head, "divergence"):
            raise Refused(
                _("the objective rdrop compares two distributions over one answer, which {head} does not give").format(
                    head=type(head).__name__
                )
            )
        double = batch.repeated(2)
        outputs = network.outputs(double)  # each [2 B, ...]
        loss: Loss = head.loss_of(outputs, double)
        if not batch.targets:
            return Loss(loss.total, loss.weight / 2)
        first, second = ({name: each.chunk(2)[half] for name, each in outputs.items()} for half in (0, 1))
        if network.training:
            self._see_apart(first, second)
        apart: Tensor = head.divergence(first, second, batch)
        return Loss(loss.total + self.options.weight * apart, loss.weight / 2)

    def _see_apart(self, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
        """See that dropout is live somewhere: frozen layers run without, and no config tells a head's."""
        if self._seen_apart:
            return
        if all(torch.allclose(each, second[name], rtol=0.0, atol=ALIKE) for name, each in first.items()):
            raise Refused(
                _(
                    "`training.objective: rdrop` compares two passes under different dropout, and with this model and "
                    "method they are the same: nothing that runs has dropout; set model.dropout, or let layers learn"
                )
            )
        self._seen_apart = True


class FGM:
    """The loss, and the loss at word embeddings that were moved by epsilon in the direction in which it rises.

    Miyato et al. 2017, equations 5 to 7, with lambda 1: the direction is the gradient by all word embeddings of a row
    together, divided by its length, and is itself no part of the gradient. The embeddings are not normalised before, as
    they are in the paper (equation 4): they are those that the model was pretrained with. "FGM" is what competitions
    call it.

    When to use: noisy or few labels, and time for more than twice the work. Needs: that the gradient reaches the word
    embeddings, so no cache of frozen layers. Compares: works with every head, also those that compare the rows of a
    step; needs no dropout.
    """

    def __init__(self, options: FGMOptions) -> None:
        self.options = options

    def __call__(self, network: Network, batch: Batch) -> Loss:
        """The sum of both losses; the divisor is that of the first."""
        if batch.frozen is not None:
            raise Refused(_("the objective fgm moves word embeddings, which a cache of frozen layers passes over"))
        with torch.enable_grad():
            found: list[Tensor] = []
            with _on_embeddings(network, lambda embedded: _noted(embedded, found)):
                clean = network.loss(batch)
            if not found:
                raise Refused(_("the objective fgm finds no word embeddings in this model; take another objective"))
            moves = self._moves(clean.total, found, rows_first=network.rows_first)
            with _on_embeddings(network, lambda embedded: embedded + next(moves)):
                moved = network.loss(batch)
        return Loss(clean.total + moved.total, clean.weight)

    def _moves(self, total: Tensor, embedded: Sequence[Tensor], *, rows_first: bool) -> Iterator[Tensor]:
        """epsilon * gradient / |gradient| of each row, one a look-up; nothing where a row has no gradient."""
        gradients = torch.autograd.grad(total, embedded, retain_graph=True, allow_unused=True)
        known = [torch.zeros_like(at) if each is None else each for each, at in zip(gradients, embedded, strict=True)]
        axes, shape = ((1, 2), (-1, 1, 1)) if rows_first else ((0, 2), (1, -1, 1))
        squares = [each.square().sum(axes) for each in known]  # [B] each
        length = torch.stack(squares).sum(0).sqrt().clamp_min(torch.finfo(total.dtype).tiny)  # [B]
        return iter([self.options.epsilon * each / length.view(shape) for each in known])


class LwF:
    """The loss, and the distance from the answers that an earlier model gives to the same rows.

    Li & Hoiem 2016, equations 1 to 3: the answers of the old model, at a temperature, are soft targets of the new
    one's outputs for the old classes; here of all rows, replayed ones too. For the distance each head's own
    `divergence` is taken, half the sum of both Kullback-Leibler divergences, where the paper has the cross-entropy; it
    is multiplied by the squared temperature, as in Hinton et al. 2015, section 2. A CRF's transitions take no part.

    When to use: new rows, or new classes, for a model that has to keep what it knows. Needs: the earlier model, and a
    head that answers with a distribution (or a number). Compares: goes well with replay, which needs the old rows;
    a third more work than the plain loss.
    """

    def __init__(self, options: LwFOptions) -> None:
        self.options = options
        self._teacher: Network | None = None

    def __call__(self, network: Network, batch: Batch) -> Loss:
        """The loss of the rows, and the weighed distance; the divisor is that of the loss."""
        head: Any = network.head
        outputs = network.outputs(batch)
        loss: Loss = head.loss_of(outputs, batch)
        if not batch.targets:
            return loss
        with torch.no_grad():
            soft = self.teacher(network).outputs(replace(batch, frozen=None))
        temperature = self.options.temperature
        known = {name: outputs[name][..., : each.shape[-1]] / temperature for name, each in soft.items()}
        apart: Tensor = head.divergence(known, {name: each / temperature for name, each in soft.items()}, batch)
        return Loss(loss.total + self.options.weight * temperature**2 * apart, loss.weight)

    def teacher(self, network: Network) -> Network:
        """The earlier model, loaded once; torch's generator stays where it is, so that a resumed fit is the same."""
        if self._teacher is None:
            trusted = network.spec.trust_remote_code
            with torch.random.fork_rng(devices=[]):
                self._teacher = load(Path(self.options.teacher), trust_remote_code=trusted)
        return self._teacher


def _noted(embedded: Tensor, found: list[Tensor]) -> Tensor:
    """The look-up, asked for its gradient, also where the table does not learn."""
    if not embedded.requires_grad:
        embedded = embedded.detach().requires_grad_()
    found.append(embedded)
    return embedded


@contextmanager
def _on_embeddings(network: Network, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Apply `change` to what the word embeddings give, [B, T, E]; encoder and decoder may each look words up."""
    handles = [
        module.register_forward_hook(lambda _module, _args, output: change(output))
        for module in _word_embeddings(network)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _word_embeddings(network: Network) -> list[nn.Module]:
    """The modules that look up words, of which some families have several with one table."""
    table = network.backbone.get_input_embeddings().weight
    return [
        module
        for module in network.backbone.modules()
        if isinstance(module, nn.Embedding) and getattr(module, "weight", None) is table
    ]
