"""Build, save, load: the same answers from every family and head, and nothing silently random."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, T5EncoderModel

from tests.models.families import (
    FAMILIES,
    LABELS,
    assert_gradients_equal,
    features,
    folder,
    gradients_of,
    lively,
    network,
)
from weitiao.errors import Refused
from weitiao.models.backbone import open_config
from weitiao.models.batch import collate
from weitiao.models.inference import infer
from weitiao.models.network import Network, NetworkSpec, build, load
from weitiao.models.tiny import tiny


def save(net: Network, path: Path) -> Path:
    """A run's `model/` without its tokenizer."""
    path.mkdir(exist_ok=True)
    net.save(path)
    spec = asdict(net.spec)
    card = {"labels": spec.pop("labels"), "network": {**spec, "reinit_layers": 0, "class_weights": None}}
    (path / "task.json").write_text(json.dumps(card), "utf-8")
    return path


def logits_of(net: Network, family: str) -> np.ndarray[Any, Any]:
    return np.stack([each["logits"] for each in infer(net, features(family))])


@pytest.mark.parametrize(("kind", "options"), [("stock", {}), ("mean", {}), ("mean", {"hidden_layers": (8,)})])
@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_saved_answers_the_same(family: str, kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    net = lively(network(family, kind, **options))  # type: ignore[arg-type]
    saved = save(net, tmp_path / "model")
    torch.manual_seed(99)
    again = load(saved)
    assert not again.training
    assert np.ptp(logits_of(net, family), axis=0).min() > 0.01, "rows differ, so that equal answers mean something"
    np.testing.assert_allclose(logits_of(again, family), logits_of(net, family), rtol=0, atol=1e-6)
    if kind == "stock":
        np.testing.assert_allclose(plain_logits(saved, family), logits_of(net, family), rtol=0, atol=1e-5)


def plain_logits(saved: Path, family: str) -> np.ndarray[Any, Any]:
    """What transformers alone answers, one row at a time."""
    model, loading = AutoModelForSequenceClassification.from_pretrained(saved, output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    model.eval()
    rows = []
    with torch.no_grad():
        for feature in features(family):
            inputs = collate([feature], 0).inputs
            rows.append(model(**inputs).logits[0].numpy())
    return np.stack(rows)


def test_the_encoder_of_a_saved_t5_loads_in_plain_transformers(tmp_path: Path) -> None:
    net = network("t5", "mean").eval()
    model = T5EncoderModel.from_pretrained(save(net, tmp_path / "model"))
    batch = collate(features("t5", 3), net.spec.pad_id)
    with torch.no_grad():
        torch.testing.assert_close(model(**batch.inputs).last_hidden_state, net.hidden(batch))


def lose(path: Path, part: str) -> str:
    """Take the first tensor whose name has `part` in it out of a safetensors file."""
    tensors = load_file(path)
    name = next(each for each in tensors if part in each)
    del tensors[name]
    save_file(tensors, path, metadata={"format": "pt"})
    return name


@pytest.mark.parametrize(
    ("family", "kind", "part"),
    [("bert", "stock", "layer.1.output"), ("bert", "stock", "classifier.weight"), ("bert", "mean", "embeddings"),
     ("t5", "mean", "encoder.block.0"), ("t5", "mean", "encoder.embed_tokens"), ("bart", "mean", "embed_positions")],
)  # fmt: skip
def test_a_saved_run_without_a_tensor_is_refused(family: str, kind: str, part: str, tmp_path: Path) -> None:
    saved = save(network(family, kind), tmp_path / "model")  # type: ignore[arg-type]
    name = lose(saved / "model.safetensors", part)
    with pytest.raises(Refused, match=r"model: the saved weights lack '.+', or have it in another shape") as caught:
        load(saved)
    assert name.removeprefix("encoder.") in str(caught.value)


def test_a_saved_run_with_a_tensor_of_another_shape_is_refused(tmp_path: Path) -> None:
    saved = save(network("bert"), tmp_path / "model")
    tensors = load_file(saved / "model.safetensors")
    save_file({**tensors, "classifier.bias": torch.zeros(9)}, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Refused, match=r"lack 'backbone\.classifier\.bias', or have it in another shape; copy the"):
        load(saved)


@pytest.mark.parametrize("how", ["absent", "incomplete", "other"])
def test_a_mean_head_that_is_not_whole_is_refused(how: str, tmp_path: Path) -> None:
    saved = save(network("bert", "mean"), tmp_path / "model")
    head = saved / "head.safetensors"
    tensors = load_file(head)
    head.unlink()
    if how != "absent":
        changed = {} if how == "incomplete" else {"layers.1.weight": torch.zeros(2, 2)}
        save_file({"layers.1.bias": tensors["layers.1.bias"], **changed}, head)
    with pytest.raises(Refused, match=r"the saved weights lack 'head\.layers\.1\.weight', or have it"):
        load(saved)


CODE = """
from transformers import BertConfig, BertForSequenceClassification
from pathlib import Path
Path({trace!r}).touch()
class OwnConfig(BertConfig):
    model_type = "own"
class Own(BertForSequenceClassification):
    config_class = OwnConfig
"""


@pytest.mark.parametrize("model_type", ["own", "bert"])
def test_code_in_a_model_folder_is_not_run_whatever_the_folder_says(model_type: str, tmp_path: Path) -> None:
    saved, trace = save(network("bert"), tmp_path / "model"), tmp_path / "trace"
    (saved / "own.py").write_text(CODE.format(trace=str(trace)))
    config = json.loads((saved / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "own.OwnConfig", "AutoModelForSequenceClassification": "own.Own"}
    (saved / "config.json").write_text(json.dumps({**config, "model_type": model_type}))
    card = json.loads((saved / "task.json").read_text())
    card["network"]["trust_remote_code"] = True
    (saved / "task.json").write_text(json.dumps(card))
    with pytest.raises(Refused, match=r"code of its own, which is not run; .* load it with trust_remote_code=True"):
        load(saved)
    assert not trace.exists()
    assert np.isfinite(logits_of(load(saved, trust_remote_code=True), "bert")).all()
    assert trace.exists()


@pytest.mark.parametrize("family", ["llama", "gpt2", "roberta"])
def test_the_padding_of_our_batches_is_the_models(family: str, tmp_path: Path) -> None:
    """The config names another padding token than the tokenizer; a row's answer must not depend on its neighbours."""
    path = Path(shutil.copytree(folder(family), tmp_path / family))
    config = json.loads((path / "config.json").read_text())
    own_pad = network(family).spec.pad_id
    (path / "config.json").write_text(json.dumps({**config, "pad_token_id": 3}))
    torch.manual_seed(1)
    spec = NetworkSpec("classify", "stock", LABELS, pad_id=own_pad, dropout=0.0)
    net = lively(build(path, spec)).eval()
    rows = features(family)
    together = net.outputs(collate(rows, own_pad))["logits"]
    alone = torch.cat([net.outputs(collate([row], own_pad))["logits"] for row in rows])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(logits_of(load(save(net, tmp_path / "saved")), family), alone.detach(), atol=1e-5)


def test_top_layers_start_anew_and_no_others() -> None:
    plain, again = network("bert", seed=1), network("bert", seed=1, reinit_layers=1)
    states = plain.state_dict(), again.state_dict()
    for name, value in states[0].items():
        changed = not torch.equal(value, states[1][name])
        constant = value.unique().numel() == 1  # fresh biases and norms are what tiny models have anyway
        assert changed == (".layer.1." in name and not constant) or "classifier" in name or "pooler" in name, name
    fresh = again.get_parameter("backbone.bert.encoder.layer.1.intermediate.dense.weight").detach()
    assert float(fresh.std()) == pytest.approx(0.02, rel=0.1)  # BERT's initializer_range


def test_more_new_layers_than_there_are_is_refused() -> None:
    with pytest.raises(Refused, match=r"model\.reinit_layers is 3, but the model has 2 layers"):
        network("bert", reinit_layers=3)


def test_dropout_sets_every_rate_but_not_how_often_a_layer_is_left_out(tmp_path: Path) -> None:
    path = tiny("bart", tmp_path, encoder_layerdrop=0.25, attention_dropout=0, dropout=0.3)
    config = open_config(path, NetworkSpec("classify", "stock", ("a", "b"), dropout=0.2))
    rates = {key: getattr(config, key) for key in ("dropout", "attention_dropout", "activation_dropout")}
    assert rates == {"dropout": 0.2, "attention_dropout": 0.2, "activation_dropout": 0.2}
    assert (config.classifier_dropout, config.encoder_layerdrop, config.decoder_layerdrop) == (0.2, 0.25, 0.0)
    assert (open_config(path, NetworkSpec("classify", "stock", ("a", "b")))).dropout == 0.3


@pytest.mark.parametrize(
    ("family", "kind", "parts"),
    [("bert", "stock", {"backbone.bert.pooler", "backbone.classifier"}), ("bert", "mean", {"head.layers"}),
     ("gpt2", "stock", {"backbone.score"}), ("t5", "mean", {"head.layers"})],
)  # fmt: skip
def test_head_parameters_are_those_that_the_folder_lacks(
    family: str, kind: str, parts: set[str], tmp_path: Path
) -> None:
    path = tiny(family, tmp_path)
    if family == "bert":
        for part in ("pooler.dense.weight", "pooler.dense.bias"):
            lose(path / "model.safetensors", part)
    net = build(path, NetworkSpec("classify", kind, ("a", "b")))  # type: ignore[arg-type]
    head = net.head_parameters()
    assert {next((part for part in parts if name.startswith(part)), name) for name in head} == parts
    assert net.added == ({name for name in head if name.startswith("backbone.")} if kind == "stock" else set())


@pytest.mark.parametrize("family", ["bert", "gpt2", "t5"])
def test_gradient_checkpointing_changes_no_gradient(family: str) -> None:
    gradients, runs = [], []
    for checkpointed in (False, True):
        net = network(family)
        if checkpointed:
            net.checkpoint_gradients()
            assert not net.packable
        inner = next(module for module in net.stack.layers[0].modules() if "Norm" in type(module).__name__)
        inner.register_forward_hook(lambda *_args, done=checkpointed: runs.append(done))
        net.train().loss(collate(features(family), net.spec.pad_id)).total.backward()  # type: ignore[no-untyped-call]
        gradients.append(gradients_of(net))
    assert runs == [False, True, True], "the checkpointed layer runs again in the backward pass"
    assert_gradients_equal(gradients[1], gradients[0])


def test_a_family_that_cannot_classify_is_refused(tmp_path: Path) -> None:
    from transformers import VitsConfig

    VitsConfig().save_pretrained(tmp_path)
    with pytest.raises(Refused, match="no AutoModelForSequenceClassification of the family 'vits'; head: mean works"):
        build(tmp_path, NetworkSpec("classify", "stock", ("a", "b")))


def test_a_config_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-family"}')
    with pytest.raises(Refused, match="the model cannot be loaded"):
        build(tmp_path, NetworkSpec("classify", "stock", ("a", "b")))
