"""Virtual tokens are to the backbone what tokens are, and to the heads nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.families import FAMILIES, PACKED, assert_gradients_equal, features, gradients_of, lively, network
from weitiao.models.additions.virtual_tokens import find_embedding
from weitiao.models.batch import collate
from weitiao.models.inference import infer
from weitiao.models.network import Network
from weitiao.records import Feature

COUNT = 3
WORDS = (7, 11, 9)  # ids that some virtual tokens are given the vectors of


def prompted(net: Network, place: int, **options: Any) -> Network:
    """With virtual tokens that are the vectors of `WORDS`."""
    net.insert("virtual_tokens", {"count": COUNT, "place": place, **options})
    if not options:
        embedding, _rows_first = find_embedding(net)
        with torch.no_grad():
            (virtual,) = net.virtual
            virtual.encoder.get_parameter("embedding.weight").copy_(embedding(torch.tensor(WORDS)))
    return net


def spelt(feature: Feature, place: int) -> Feature:
    """The feature with the words themselves in its text."""
    ids = feature.input_ids
    types = feature.token_type_ids
    longer = np.concatenate([ids[:place], np.array(WORDS, ids.dtype), ids[place:]])
    return replace(
        feature, input_ids=longer, token_type_ids=None if types is None else np.insert(types, place, [0] * COUNT)
    )


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in ("t5", "bart")])
def test_they_stand_for_the_words_whose_vectors_they_have(family: str, place: int) -> None:
    net = lively(network(family))
    rows = features(family)
    expected = infer(net, [spelt(row, place) for row in rows])
    got = infer(prompted(net, place), rows)
    for first, second in zip(expected, got, strict=True):
        np.testing.assert_allclose(first["logits"], second["logits"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("place", [0, 1])
def test_the_gap_of_a_cloze_moves_with_them(place: int) -> None:
    net = prompted(network("bert"), place)
    batch = collate(features("bert", 4), net.spec.pad_id)
    gap = torch.tensor([[0], [1], [2], [3]])
    (virtual,) = net.virtual
    moved = virtual.widened(replace(batch, places={"gap": gap})).places["gap"]
    assert moved.flatten().tolist() == [each + COUNT * (each >= place) for each in range(4)]


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_so_they_do_in_an_encoder(family: str) -> None:
    """Hidden states of the text's own tokens, which is all that a head of ours sees."""
    net = lively(network(family, "mean")).eval()
    rows = features(family, 5)
    longer = net.hidden(collate([spelt(row, 1) for row in rows], net.spec.pad_id)).detach()
    batch = collate(rows, net.spec.pad_id)
    got = prompted(net, 1).hidden(batch)
    inside = batch.inputs["attention_mask"].bool()
    expected = torch.cat([longer[:, :1], longer[:, 1 + COUNT :]], dim=1)
    torch.testing.assert_close(got[inside], expected[inside], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_rows_one_at_a_time(family: str) -> None:
    net = prompted(lively(network(family)), 1)
    rows = features(family)
    for row, together in zip(rows, infer(net, rows), strict=True):
        np.testing.assert_allclose(infer(net, [row])[0]["logits"], together["logits"], rtol=1e-4, atol=1e-5)


def own_gradients(net: Network) -> dict[str, torch.Tensor]:
    """Of what was put in."""
    return {name: value for name, value in gradients_of(net).items() if name in net.inserted}


@pytest.mark.parametrize("kind", ["stock", "mean"])
@pytest.mark.parametrize("family", PACKED)
def test_packed_equals_padded(family: str, kind: str) -> None:
    net = prompted(lively(network(family, kind)), 1).train()  # type: ignore[arg-type]
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


@pytest.mark.parametrize("encoder", ["lstm", "mlp"])
def test_a_network_may_make_them(encoder: str) -> None:
    net = prompted(lively(network("bert")), 1, encoder=encoder, width=5)
    net.loss(collate(features("bert"), net.spec.pad_id)).total.backward()  # type: ignore[no-untyped-call]
    assert len(net.inserted) > 3
    for name in net.inserted:
        gradient = net.get_parameter(name).grad
        assert gradient is not None and gradient.abs().max() > 0, name


def test_what_runs_the_backbone_by_itself_sees_no_virtual_token() -> None:
    net = network("bert").eval()
    ids = torch.tensor([[2, 8, 9, 3]])
    before = net.backbone(input_ids=ids).logits
    assert torch.equal(prompted(net, 1).backbone(input_ids=ids).logits, before)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_embedding_is_found_by_running(family: str) -> None:
    embedding, rows_first = find_embedding(network(family))
    assert rows_first
    assert embedding.num_embeddings == network(family).backbone.config.vocab_size
