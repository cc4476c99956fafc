"""The answer head: transformers' own loss, whatever the padding; rows without a target; the saved model's own class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForQuestionAnswering

from weitiao.models.batch import Batch, collate
from weitiao.models.heads.answer import AnswerHead
from weitiao.models.inference import infer
from weitiao.models.network import Network, NetworkSpec, build, load
from weitiao.models.tiny import tiny
from weitiao.records import Feature


def feature(length: int, start: int, end: int, seed: int = 0) -> Feature:
    ids = np.random.default_rng(seed + length).integers(5, 60, length).astype(np.int32)
    targets = {"start": np.asarray(start, dtype=np.int64), "end": np.asarray(end, dtype=np.int64)}
    return Feature(ids, np.zeros(length, dtype=np.int32), targets)


@pytest.fixture(scope="module", params=["bert", "distilbert"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Network:
    torch.manual_seed(0)
    folder = tiny(request.param, tmp_path_factory.mktemp("tiny") / request.param)
    return build(folder, NetworkSpec(head="answer", kind="stock", labels=["start", "end"])).eval()


def inputs_of(network: Network, batch: Batch) -> dict[str, torch.Tensor]:
    wanted = {"input_ids", "attention_mask", "token_type_ids"} & set(batch.inputs)
    return {name: batch.inputs[name] for name in wanted}


def tidy(features: list[Feature], network: Network) -> list[Feature]:
    segments = network.backbone.config.model_type == "bert"
    return features if segments else [replace(each, token_type_ids=None) for each in features]


def test_the_loss_is_transformers_own(network: Network) -> None:
    batch = collate(tidy([feature(9, 2, 4), feature(9, 0, 0, 1), feature(9, 8, 8, 2)], network), 0)
    loss = network.loss(batch)
    own = network.backbone(
        **inputs_of(network, batch), start_positions=batch.targets["start"], end_positions=batch.targets["end"]
    ).loss
    torch.testing.assert_close(loss.total / loss.weight, own)
    assert float(loss.weight) == 3


def test_padding_takes_no_part(network: Network) -> None:
    features = tidy([feature(5, 1, 3), feature(17, 4, 16), feature(9, 0, 0)], network)
    together = network.loss(collate(features, 0))
    alone = [network.loss(collate([each], 0)) for each in features]
    torch.testing.assert_close(together.total, torch.stack([each.total for each in alone]).sum())
    together.total.backward()
    gradients = [each.grad for each in network.parameters() if each.grad is not None]
    assert gradients and all(bool(torch.isfinite(each).all()) for each in gradients)
    network.zero_grad()


def test_rows_without_target_weigh_nothing() -> None:
    hidden = torch.randn(3, 6, 2)
    known = [feature(6, 1, 2), replace(feature(6, 0, 0), targets={}), feature(6, 5, 5)]
    head = AnswerHead()
    some = head.loss(hidden, collate(known, 0))
    alone = head.loss(hidden[[0, 2]], collate([known[0], known[2]], 0))
    torch.testing.assert_close((some.total, some.weight), (alone.total, alone.weight))
    none = head.loss(hidden, collate([known[1]] * 3, 0))
    assert (float(none.total), float(none.weight)) == (0.0, 0.0)


def test_outputs_are_each_rows_own_tokens(network: Network) -> None:
    features = tidy([feature(5, 1, 3), feature(17, 4, 16)], network)
    for each, output in zip(features, infer(network, features), strict=True):
        assert {name: value.shape for name, value in output.items()} == {"start": (len(each),), "end": (len(each),)}
        batch = collate([each], 0)
        own = network.backbone(**inputs_of(network, batch))
        np.testing.assert_allclose(output["start"], own.start_logits[0].detach().numpy(), atol=1e-5)
        np.testing.assert_allclose(output["end"], own.end_logits[0].detach().numpy(), atol=1e-5)


def test_the_saved_model_loads_in_transformers(network: Network, tmp_path: Path) -> None:
    import json

    features = tidy([feature(9, 2, 4)], network)
    network.save(tmp_path)
    plain = AutoModelForQuestionAnswering.from_pretrained(tmp_path).eval()
    said = plain(**inputs_of(network, collate(features, 0)))
    (ours,) = infer(network, features)
    np.testing.assert_allclose(ours["start"], said.start_logits[0].detach().numpy(), atol=1e-6)
    spec = {"head": "answer", "kind": "stock"}
    (tmp_path / "task.json").write_text(
        json.dumps({"labels": ["answer"], "network": {**spec, "labels": ["start", "end"]}})
    )
    (again,) = infer(load(tmp_path), features)
    np.testing.assert_array_equal(again["end"], ours["end"])
