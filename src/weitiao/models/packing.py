"""Batches without padding, through transformers' attention interface.

The backbone is called with an ordinary padded batch. Behind the embeddings the rows are laid end to end, [1, N, H], so
that linear layers, norms and dropout see real tokens only; the attention function registered here attends within each
row; behind the last layer the rows are padded again, so that every family's own pooler and head read what they expect.

Notation: B rows, T tokens of the longest row, N tokens without padding, G rows of a group, L longest row of a group,
P places of a learnt prefix, A attention heads, D width of a head, H = A * D hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from weitiao.models.dropout import keep_mask, random_bits
from weitiao.models.stack import Stack

NAME = "weitiao"

# Families whose layers read hidden states and nothing else that has a token axis, and attend through the interface;
# each is proven equal to its padded run by tests/models/test_packing.py.
PACKABLE = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "ernie"})

# Where the head reads the first token alone: the module of a layer behind attention, called with hidden states only.
FIRST_TOKEN = dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie"), "attention.output")

WORTH_PACKING = 1.03  # padded tokens per real token below which laying end to end saves nothing
GROUP_WASTE = 1.15  # padded tokens per real token allowed inside an attention group
LONG = 96  # tokens from which a row attends alone: its own matrices are then large enough

PREFIX = "prefix"  # child of an attention module: () -> learnt keys and values, [A, P, D], that stand before a text's
Learnt = tuple[Tensor, Tensor]
_watch: ContextVar[dict[nn.Module, Tensor] | None] = ContextVar("watch", default=None)


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring rows that attend in one call.

    Args:
        start, stop: their tokens in the packed sequence.
        rows, length: G and L.
        scatter: [stop - start] padded place of each token; None where all rows have length L.
        bias: [G, 1, 1, L], 0 or -inf on padded keys; None likewise.
    """

    start: int
    stop: int
    rows: int
    length: int
    scatter: Tensor | None
    bias: Tensor | None


@dataclass(frozen=True, slots=True)
class Packing:
    """How the rows of a batch lie end to end.

    Args:
        index: [N] flat place of each token in the padded batch.
        shape: (B, T).
        groups: for attention; they cover the rows in order.
        firsts: [B] packed place of each row's first token.
    """

    index: Tensor
    shape: tuple[int, int]
    groups: Sequence[Group]
    firsts: Tensor

    def pack(self, padded: Tensor) -> Tensor:
        """[B, T, H] -> [1, N, H]."""
        return take_rows(padded.flatten(0, 1), self.index)[None]

    def pad(self, packed: Tensor) -> Tensor:
        """[1, N, H] -> [B, T, H], zeros where there is no token."""
        return put_rows(packed[0], self.index, self.shape[0] * self.shape[1]).view(*self.shape, -1)

    def pad_firsts(self, firsts: Tensor) -> Tensor:
        """[1, B, H], first tokens only -> [B, T, H], zeros elsewhere."""
        places = torch.arange(self.shape[0]) * self.shape[1]
        return put_rows(firsts[0], places, self.shape[0] * self.shape[1]).view(*self.shape, -1)


def plan_packing(lengths: Tensor) -> Packing:
    """The packing of rows with these lengths, [B]."""
    sizes = lengths.tolist()
    longest = max(sizes)
    inside = torch.arange(longest)[None, :] < lengths[:, None]  # [B, T]
    index = inside.flatten().nonzero().squeeze(1)
    groups, row, start = [], 0, 0
    for count in _group_sizes(sizes):
        group = _group(sizes[row : row + count], start)
        groups.append(group)
        row, start = row + count, group.stop
    return Packing(index, (len(sizes), longest), groups, lengths.cumsum(0) - lengths)


def _group_sizes(sizes: Sequence[int]) -> Iterator[int]:
    """How many neighbouring rows attend together: the waste stays bounded, and long rows go alone."""
    count, total, longest = 0, 0, 0
    for size in sizes:
        wider = max(longest, size)
        fits = (count + 1) * wider <= GROUP_WASTE * (total + size) or (count + 1) * wider < LONG
        if count and (not fits or (wider >= LONG and size != longest)):
            yield count
            count, total, wider = 0, 0, size
        count, total, longest = count + 1, total + size, wider
    if count:
        yield count


def _group(sizes: Sequence[int], start: int) -> Group:
    length, total = max(sizes), sum(sizes)
    if min(sizes) == length:
        return Group(start, start + total, len(sizes), length, None, None)
    lengths = torch.tensor(sizes)
    inside = torch.arange(length)[None, :] < lengths[:, None]  # [G, L]
    scatter = inside.flatten().nonzero().squeeze(1)
    bias = torch.zeros(len(sizes), 1, 1, length).masked_fill_(~inside[:, None, None, :], float("-inf"))
    return Group(start, start + total, len(sizes), length, scatter, bias)


@contextmanager
def packed_layers(stack: Stack, packing: Packing, first: int, narrow: str = "") -> Iterator[None]:
    """Pack before the layer at `first` (0: the lowest; above 0 the input is packed already) and pad behind the last.

    `narrow` names the module of the last layer behind whose entry only first tokens are needed (see `FIRST_TOKEN`);
    everything behind it then runs on B tokens instead of N, with the same result for those.
    """
    handles: list[RemovableHandle] = []
    pad: Callable[[Tensor], Tensor] = packing.pad
    if first == 0:
        handles.append(stack.layers[0].register_forward_pre_hook(_pack_hook(packing), with_kwargs=True))
    if narrow and first < len(stack):
        pad = packing.pad_firsts
        module = stack.layers[-1].get_submodule(narrow)
        handles.append(module.register_forward_pre_hook(lambda _module, args: tuple(_firsts(packing, args))))
    handles.append(stack.layers[-1].register_forward_hook(lambda _layer, _args, output: _on_hidden(pad, output)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def narrowed(stack: Stack, narrow: str) -> Iterator[None]:
    """Have a padded batch go on with first tokens only, [B, 1, H], from the module `narrow` of the last layer on.

    Without a name nothing changes.
    """
    if not narrow:
        yield
        return
    module = stack.layers[-1].get_submodule(narrow)
    handle = module.register_forward_pre_hook(lambda _module, args: tuple(hidden[:, :1] for hidden in args))
    try:
        yield
    finally:
        handle.remove()


def _firsts(packing: Packing, args: Sequence[Tensor]) -> Iterator[Tensor]:
    """First tokens of the hidden states that a module is called with, each [1, N, H] -> [1, B, H]."""
    for hidden in args:
        yield take_rows(hidden[0], packing.firsts)[None]


def _pack_hook(packing: Packing) -> Any:
    def hook(
        _layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (packing.pack(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": packing.pack(kwargs["hidden_states"])}

    return hook


def _on_hidden(change: Any, output: Any) -> Any:
    """Apply to a layer's hidden states, which some families return inside a tuple."""
    return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)


@contextmanager
def watched() -> Iterator[Mapping[nn.Module, Tensor]]:
    """Module -> its last keys, [B, A, T, D], of all that attend through `attention` inside the block."""
    seen: dict[nn.Module, Tensor] = {}
    token = _watch.set(seen)
    try:
        yield seen
    finally:
        _watch.reset(token)


def attention(
    module: nn.Module,
    query: Tensor,  # [B, A, T, D], or [1, A, N, D] when packed
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    packing: Packing | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Scaled dot-product attention; with `packing`, within each row of the packed sequence."""
    if (seen := _watch.get()) is not None:
        seen[module] = key
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    prefix = module._modules.get(PREFIX)
    learnt = None if prefix is None else prefix()
    if packing is None:
        if learnt is not None:
            if attention_mask is None and _is_causal(module, kwargs):  # texts are read whole: as many queries as keys
                attention_mask = torch.ones(2 * (query.shape[2],), dtype=torch.bool).tril()[None, None]
            key, value, attention_mask = _behind(learnt, key, value, attention_mask)
        if dropout and query.device.type == "cpu" and _plain(module, query, key, kwargs):
            bias = _additive(attention_mask, query.dtype)
            return dropout_attention(query, key, value, bias, dropout, scale).transpose(1, 2).contiguous(), None
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **kwargs)
    tokens = [projected[0].transpose(0, 1) for projected in (query, key, value)]  # three [N, A, D]
    attended = [_attend(group, tokens, dropout, scale, learnt) for group in packing.groups]
    return torch.cat(attended)[None], None


def _attend(group: Group, tokens: Sequence[Tensor], dropout: float, scale: float, learnt: Learnt | None) -> Tensor:
    """Attention within the rows of one group; [stop - start, A, D]."""
    grouped = []
    for each in tokens:
        chosen = each[group.start : group.stop]
        if group.scatter is not None:
            chosen = put_rows(chosen, group.scatter, group.rows * group.length)
        grouped.append(chosen.view(group.rows, group.length, *chosen.shape[1:]).transpose(1, 2))  # [G, A, L, D]
    query, key, value = grouped
    bias = group.bias
    if learnt is not None:
        key, value, bias = _behind(learnt, key, value, bias)
    if dropout and query.dtype == torch.float32:
        attended = dropout_attention(query, key, value, bias, dropout, scale)
    else:
        bias = None if bias is None else bias.to(query.dtype)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout, scale=scale)
    flat = attended.transpose(1, 2).flatten(0, 1)  # [G * L, A, D]
    return flat if group.scatter is None else take_rows(flat, group.scatter)


def _behind(learnt: Learnt, key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """Keys and values with the learnt ones before them, which every query sees; [B, A, P + T, D]."""
    key, value = (
        torch.cat([first.to(each.dtype).expand(len(each), -1, -1, -1), each], dim=2)
        for first, each in zip(learnt, (key, value), strict=True)
    )
    seen = float(mask is not None and mask.dtype == torch.bool)  # True of a boolean mask, 0 of an additive one
    return key, value, None if mask is None else F.pad(mask, (learnt[0].shape[1], 0), value=seen)


def _is_causal(module: nn.Module, kwargs: dict[str, Any]) -> bool:
    causal = kwargs.get("is_causal")
    return bool(getattr(module, "is_causal", True) if causal is None else causal)


def _plain(module: nn.Module, query: Tensor, key: Tensor, kwargs: dict[str, Any]) -> bool:
    """Whether this is bidirectional attention without extras, which `dropout_attention` computes."""
    return (
        not _is_causal(module, kwargs)
        and query.shape[1] == key.shape[1]
        and kwargs.get("position_bias") is None
        and query.dtype == torch.float32
    )


def _additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The mask as numbers to add; finite, because padding in a sliding window may see no token at all (ModernBERT)."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)


class _TakeRows(torch.autograd.Function):
    """Rows at distinct places; torch's own index_select adds its gradient up row by row, since places may repeat."""

    @staticmethod
    def forward(context: Any, rows: Tensor, places: Tensor) -> Tensor:
        context.save_for_backward(places)
        context.count = rows.shape[0]
        return rows.index_select(0, places)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (places,) = context.saved_tensors
        gradient = gradients[0]
        return gradient.new_zeros(context.count, *gradient.shape[1:]).index_copy_(0, places, gradient), None


def take_rows(rows: Tensor, places: Tensor) -> Tensor:
    """rows[places], [.., ...] -> [n, ...]; the places are distinct."""
    return _TakeRows.apply(rows, places)  # type: ignore[no-any-return, no-untyped-call]


def put_rows(rows: Tensor, places: Tensor, count: int) -> Tensor:
    """`rows` at distinct `places` among `count` rows, zeros elsewhere; [n, ...] -> [count, ...]."""
    return rows.new_zeros(count, *rows.shape[1:]).index_copy(0, places, rows)


class _DropoutAttention(torch.autograd.Function):
    """softmax(Q K^T) with dropout, times V; the probabilities and the random bits are kept for backward."""

    @staticmethod
    def forward(
        context: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, rate: float, scale: float
    ) -> Tensor:
        scores = torch.matmul(query * scale, key.transpose(-1, -2))  # [G, A, L, L]
        if bias is not None:
            scores += bias
        probabilities = torch.softmax(scores, -1)
        bits = random_bits(probabilities.shape)
        dropped = keep_mask(bits, rate).mul_(probabilities)
        output = torch.matmul(dropped, value).mul_(1.0 / (1.0 - rate))  # [G, A, L, D]
        context.save_for_backward(query, key, value, probabilities, bits, output)
        context.rate, context.scale = rate, scale
        return output

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, probabilities, bits, output = context.saved_tensors
        gradient = gradients[0]
        mask = keep_mask(bits, context.rate)
        kept = 1.0 / (1.0 - context.rate)
        row = (gradient * output).sum(-1, keepdim=True)  # [G, A, L, 1]: sum over keys of dP * P
        inner = torch.matmul(gradient, value.transpose(-1, -2)).mul_(mask).mul_(kept).sub_(row).mul_(probabilities)
        d_value = torch.matmul(mask.mul_(probabilities).transpose(-1, -2), gradient).mul_(kept)
        d_query = torch.matmul(inner, key).mul_(context.scale)
        d_key = torch.matmul(inner.transpose(-1, -2), query).mul_(context.scale)
        return d_query, d_key, d_value, None, None, None


def dropout_attention(
    query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, rate: float, scale: float
) -> Tensor:
    """Attention with dropout on its probabilities; all [G, A, L, D], bias broadcastable to [G, A, L, L]."""
    return _DropoutAttention.apply(query, key, value, bias, rate, scale)  # type: ignore[no-any-return, no-untyped-call]


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
