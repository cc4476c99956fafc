"""Tiny models: every family loads as transformers would load it, and the same call gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from weitiao.errors import Refused
from weitiao.models.tiny import FAMILIES, POSITIONS, tiny
from weitiao.text import load_tokenizer

TEXTS = ["送餐很快，味道不错！", "A film I would watch again."]


@pytest.mark.parametrize("family", FAMILIES)
def test_family_classifies_and_is_small(family: str, tmp_path: Path) -> None:
    folder = tiny(family, tmp_path / family)
    model, info = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=3, output_loading_info=True)
    heads = ("classif", "score", "pooler", "head", "pre_", "sequence_summary", "logits_proj")
    missing = {name for name in info["missing_keys"] if not name.startswith(heads)}
    assert missing == set(), "only the new head may be missing"
    assert model.num_parameters() < 150_000
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model.eval()
    with torch.no_grad():
        logits = model(**tokenizer(TEXTS[1], return_tensors="pt")).logits  # [1, 3]
    assert logits.shape == (1, 3)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("family", FAMILIES)
def test_tokenizer_is_the_same_with_and_without_transformers(family: str, tmp_path: Path) -> None:
    folder = tiny(family, tmp_path / family)
    theirs, ours = AutoTokenizer.from_pretrained(folder), load_tokenizer(folder)
    encoded = ours.encode(TEXTS)
    for text, (ids, types, cut, _second) in zip(TEXTS, encoded, strict=True):
        expected = theirs(text)
        assert ids.tolist() == expected["input_ids"]
        assert (types is None) == ("token_type_ids" not in expected)
        assert cut == 0
    (pair, types, *_more) = ours.encode(TEXTS[:1], TEXTS[1:])[0]
    expected = theirs(*TEXTS)
    assert pair.tolist() == expected["input_ids"]
    if types is not None:
        assert types.tolist() == expected["token_type_ids"]
    assert ours.max_length == POSITIONS


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_same_call_gives_same_bytes(family: str, tmp_path: Path) -> None:
    state = torch.random.get_rng_state()
    folders = [tiny(family, tmp_path / name) for name in "ab"]
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    other = tiny(family, tmp_path / "c", seed=1)
    assert (other / "model.safetensors").read_bytes() != (folders[0] / "model.safetensors").read_bytes()
    assert torch.equal(state, torch.random.get_rng_state()), "the global random state must be left alone"


def test_config_is_passed_on(tmp_path: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(
        tiny("bert", tmp_path, layers=4, hidden=16, hidden_dropout_prob=0.0)
    )
    assert model.config.num_hidden_layers == len(model.bert.encoder.layer) == 4
    assert (model.config.hidden_size, model.config.hidden_dropout_prob) == (16, 0.0)


def test_unknown_family_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"unknown tiny model 'brt'; expected one of: albert, .*; did you mean 'bert'\?"):
        tiny("brt", tmp_path)
