"""The first stage: pairs as Features, and a text that stands in several pairs read once, to the same gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.models.families import assert_gradients_equal, features, folder, gradients_of, lively

from weitiao.methods.few_labels import ContrastiveOptions
from weitiao.models.batch import Batch, collate
from weitiao.models.heads import Loss
from weitiao.models.network import Network, NetworkSpec, build
from weitiao.tasks.embed import ANCHOR, PAIR
from weitiao.text import load_tokenizer
from weitiao.verbs.fitting.stages import paired, read_once


def embedding_network(family: str, loss: str) -> Network:
    spec = NetworkSpec(
        "embed",
        "mean",
        ["similarity"],
        options={"loss": loss},
        dropout=0.0,
        pad_id=load_tokenizer(folder(family)).pad_id,
    )
    torch.manual_seed(1)
    return lively(build(folder(family), spec)).train()


@pytest.mark.parametrize("loss", ["cosine", "cosent"])
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_a_text_read_once_gives_the_gradients_of_one_read_in_every_pair(family: str, loss: str) -> None:
    net = embedding_network(family, loss)
    rows = paired(features(family, 6), ContrastiveOptions(), 1)
    batch = collate(rows, net.spec.pad_id)
    values, found = [], []
    for objective in (Network.loss, read_once):
        net.zero_grad()
        step: Loss = objective(net, batch)
        step.total.backward()  # type: ignore[no-untyped-call]
        values.append(float(step.total.detach()))
        found.append(gradients_of(net))
    assert values[0] == pytest.approx(values[1], rel=1e-5)
    assert_gradients_equal(found[1], found[0], tolerance=1e-4)


def test_a_text_goes_through_the_body_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net = embedding_network("bert", "cosine")
    rows = paired(features("bert", 6), ContrastiveOptions(), 1)
    read: list[int] = []
    own = Network.hidden

    def hidden(network: Network, batch: Batch) -> torch.Tensor:
        read.append(len(batch.rows))
        return own(network, batch)

    monkeypatch.setattr(Network, "hidden", hidden)
    read_once(net, collate(rows, net.spec.pad_id))
    assert read == [len({tuple(row.input_ids.tolist()) for row in rows})]


def test_pairs_are_two_features_of_a_group_with_their_score() -> None:
    own = [replace(row, group=index) for index, row in enumerate(features("bert", 8))]
    unlabelled = replace(own[0], targets={})
    rows = paired([*own, unlabelled], ContrastiveOptions(pairs_per_text=2), 1)
    assert [int(row.places["role"][0]) for row in rows] == [ANCHOR, PAIR] * (len(rows) // 2)
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first.group == second.group
        assert float(first.targets["score"]) == float(second.targets["score"])
    assert all(row.targets.keys() == {"score"} for row in rows)
