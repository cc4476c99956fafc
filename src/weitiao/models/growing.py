"""A saved model's weights in a network that may know more classes: what they share is copied, new classes start new.

The network is built on the saved backbone, whose head may have another shape. Old classes stand first and in their old
order, so of each parameter whose shape differs the old entries are a part of the new ones.

Notation: C classes before, D after.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.network import Network, load


def carry_over(network: Network, folder: Path, *, trust_remote_code: bool = False) -> None:
    """Give `network` every weight of the saved model in `folder`; entries of classes that it lacks stay as they are.

    Raises:
        Refused: the saved model has other parts than the network, or parts that a method put in.
    """
    with torch.random.fork_rng(devices=[]):  # what is loaded draws new weights first, and the fit's draws are to stay
        saved = load(folder, trust_remote_code=trust_remote_code)
    if saved.inserted:
        message = _(
            "{folder}: its method put parts into the model ({name}) that cannot be gone on with; train anew instead"
        )
        raise Refused(message.format(folder=folder, name=min(saved.inserted)))
    before, after = len(saved.spec.labels), len(network.spec.labels)
    old = saved.state_dict()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if name not in old or old[name].ndim != tensor.ndim:
                message = _("{folder}: has no '{name}' to go on with; keep the head and options of that run")
                raise Refused(message.format(folder=folder, name=name))
            places = [
                _places(*sizes, before, after) for sizes in zip(old[name].shape, tensor.shape, strict=True)
            ]  # fmt: skip
            _put(tensor, old[name], places)


def _places(old: int, new: int, before: int, after: int) -> list[int]:
    """Where the entries of an axis stand in the longer one.

    An axis has an entry a class, or several blocks of them (first and last units of spans), and perhaps one more behind
    (the border of a CRF); otherwise its old entries are the first ones.
    """
    if new < old:
        raise Refused(_("the head that is gone on with knows more classes than the new one"))
    blocks, uneven = divmod(new - old, after - before) if after > before else (0, 0)
    border = old - blocks * before
    if uneven or not blocks or border not in (0, 1):
        return list(range(old))
    inside = [block * after + each for block in range(blocks) for each in range(before)]
    return inside + [new - 1] * border


def _put(tensor: Tensor, old: Tensor, places: Sequence[Sequence[int]]) -> None:
    """Write `old` into these places of each axis of `tensor`."""
    if tensor.shape == old.shape:
        tensor.copy_(old)
    else:
        tensor[torch.meshgrid(*(torch.tensor(each) for each in places), indexing="ij")] = old
