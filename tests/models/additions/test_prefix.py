"""Learnt keys and values stand before a text's, for every token, in every way that attention is computed."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.models.families import PACKED, assert_gradients_equal, features, gradients_of, lively, network
from weitiao.errors import Refused
from weitiao.models.additions.prefix import Prefix
from weitiao.models.batch import collate
from weitiao.models.inference import infer
from weitiao.models.network import Network
from weitiao.models.packing import attention

PREFIXED = (*PACKED, "gpt2", "llama", "modernbert", "albert")
COUNT = 3


class Attending(nn.Module):
    """Stands for a family's attention module."""

    def __init__(self, causal: bool, groups: int) -> None:
        super().__init__()
        self.is_causal = causal
        self.num_key_value_groups = groups
        self.prefix = Prefix(COUNT, 4 // groups, 5)


def by_formula(module: Attending, query: Tensor, key: Tensor, value: Tensor, seen: Tensor) -> Tensor:
    """Softmax over the prefix and the keys that may be seen, [B, T, A, D]."""
    first_key, first_value = (each.expand(len(query), -1, -1, -1) for each in module.prefix())
    groups = module.num_key_value_groups
    keys = torch.cat([first_key, key], 2).repeat_interleave(groups, 1)
    values = torch.cat([first_value, value], 2).repeat_interleave(groups, 1)
    always = torch.ones(*seen.shape[:-1], COUNT, dtype=torch.bool)
    scores = query @ keys.transpose(-1, -2) / math.sqrt(query.shape[-1])
    scores = scores.masked_fill(~torch.cat([always, seen], -1), float("-inf"))
    return (torch.softmax(scores, -1) @ values).transpose(1, 2)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("mask", ["none", "boolean", "additive"])
@pytest.mark.parametrize("causal", [False, True])
def test_every_token_sees_the_prefix(causal: bool, mask: str, groups: int) -> None:
    torch.manual_seed(0)
    module = Attending(causal, groups)
    nn.init.normal_(module.prefix.key)
    nn.init.normal_(module.prefix.value)
    query = torch.randn(2, 4, 6, 5)
    key, value = torch.randn(2, 4 // groups, 6, 5), torch.randn(2, 4 // groups, 6, 5)
    seen = torch.ones(2, 1, 6, 6, dtype=torch.bool)
    if causal:
        seen = seen.tril()
    if mask != "none":
        seen = seen & (torch.arange(6) < torch.tensor([[6], [4]]))[:, None, None, :]
    given = {
        "none": None,
        "boolean": seen,
        "additive": torch.zeros(seen.shape).masked_fill(~seen, float("-inf")),
    }[mask]
    got, _weights = attention(module, query, key, value, given)
    torch.testing.assert_close(got, by_formula(module, query, key, value, seen), rtol=1e-5, atol=1e-6)


def test_keys_of_a_cache_are_no_part_of_a_causal_mask() -> None:
    """No text is read in parts; a mask of the wrong diagonal would be no error, and a wrong answer."""
    key = torch.randn(1, 4, 6, 5)
    with pytest.raises(RuntimeError, match="must match"):
        attention(Attending(causal=True, groups=1), torch.randn(1, 4, 2, 5), key, key, None)


def own_gradients(net: Network) -> dict[str, Tensor]:
    """Of what was put in."""
    return {name: value for name, value in gradients_of(net).items() if name in net.inserted}


@pytest.mark.parametrize("width", [0, 16])
@pytest.mark.parametrize("family", PACKED)
def test_packed_equals_padded(family: str, width: int) -> None:
    net = lively(network(family)).train()
    net.insert("prefix", {"count": COUNT, "width": width})
    lively(net)
    batch = collate(features(family), net.spec.pad_id)
    found = []
    for checkpointed in (False, True):
        net.zero_grad()
        net.checkpointed = checkpointed  # turns packing off
        assert net.packable is not checkpointed
        loss = net.loss(batch)
        (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
        found.append((float(loss.total.detach()), own_gradients(net)))
    (packed, gradients), (padded, expected) = found
    assert packed == pytest.approx(padded, rel=1e-6)
    assert_gradients_equal(gradients, expected)


@pytest.mark.parametrize("family", PREFIXED)
def test_a_batch_equals_its_rows_one_at_a_time(family: str) -> None:
    net = lively(network(family))
    net.insert("prefix", {"count": COUNT, "width": 0})
    rows = features(family)
    plain = infer(lively(network(family)), rows)
    for row, together, before in zip(rows, infer(lively(net), rows), plain, strict=True):
        np.testing.assert_allclose(infer(net, [row])[0]["logits"], together["logits"], rtol=1e-4, atol=1e-5)
        assert np.abs(before["logits"] - together["logits"]).max() > 1e-3


@pytest.mark.parametrize("width", [0, 16])
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_layers_may_be_recomputed(family: str, width: int) -> None:
    found = []
    for checkpointed in (False, True):
        net = network(family).train()
        net.insert("prefix", {"count": COUNT, "width": width})
        lively(net)
        if checkpointed:
            net.checkpoint_gradients()
        net.loss(collate(features(family), net.spec.pad_id)).total.backward()  # type: ignore[no-untyped-call]
        found.append(own_gradients(net))
    assert_gradients_equal(*found)


@pytest.mark.parametrize("family", PACKED)
def test_dropout_of_attention_reaches_the_prefix_too(family: str) -> None:
    net = network(family, dropout=0.1).train()
    net.insert("prefix", {"count": COUNT, "width": 0})
    batch = collate(features(family, 4, longest=12), net.spec.pad_id)
    with torch.no_grad():
        draws = torch.stack([net.outputs(batch)["logits"] for _ in range(100)])
        net.eval()
        calm = net.outputs(batch)["logits"]
    assert draws.std(0).min() > 0
    assert (draws.mean(0) - calm).abs().max() < 6 * draws.std(0).max() / 100**0.5 + 0.02


@pytest.mark.parametrize("family", ["t5", "bart", "deberta-v2"])
def test_families_that_attend_in_their_own_way_are_refused(family: str) -> None:
    with pytest.raises(Refused, match=f"the layers of the family '{family}' do not attend through transformers'"):
        network(family).insert("prefix", {"count": COUNT})
