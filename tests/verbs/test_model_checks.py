"""The note on untrained poolers: told by headers, for the families whose stock head reads through one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.model_folder import make_model_folder

from weitiao.models.reference import ModelFolder, resolve
from weitiao.models.starters import STARTERS
from weitiao.recipe import Recipe, load_recipe
from weitiao.tasks.classify import Classify
from weitiao.verbs.check import check
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.preparing.model_checks import MEAN_POOLED, POOLERS, untrained_pooler

TASK = Classify()
MESSAGE = "the stock head of this model starts with an untrained pooler; `model.head=mean` usually learns faster"


def recipe(**model: Any) -> Recipe:
    return load_recipe({"task": "classify", "model": {"name": "m", **model}, "data": "a.csv"}, frame())


def without_pooler(folder: Path) -> None:
    """Rename the pooler's tensors in the header, which keeps the length of the file."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b'"pooler.dense', b'"poolee.dense'))


def sharded(folder: Path) -> None:
    """The same weights under an index of one shard."""
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    index = {"weight_map": {"pooler.dense.weight": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")


def notes(folder: Path, **model: Any) -> list[str]:
    return [finding.message for finding in untrained_pooler(recipe(**model), TASK, resolve(str(folder)))]


@pytest.mark.parametrize("in_shards", [False, True])
def test_a_lacking_pooler_is_noted_under_a_stock_head(in_shards: bool, tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "m")
    if in_shards:
        sharded(folder)
    assert notes(folder) == []
    if not in_shards:
        without_pooler(folder)
        assert notes(folder) == [MESSAGE]
        assert notes(folder, head="mean") == []


def test_a_shard_without_a_pooler(tmp_path: Path) -> None:
    folder = make_model_folder(tmp_path / "m")
    without_pooler(folder)
    sharded(folder)
    assert notes(folder) == [MESSAGE]


def test_check_says_so_as_a_note_at_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    without_pooler(make_model_folder(tmp_path / "m"))
    rows = "".join(f"good film {n},{n % 2}\n" for n in range(40))
    Path("a.csv").write_text("text,label\n" + rows, "utf-8")
    Path("r.yaml").write_text("task: classify\nmodel: ./m\ndata: a.csv\n", "utf-8")
    (found,) = [problem for problem in check("r.yaml").problems if problem.code == "untrained-pooler"]
    assert (found.severity, str(found)) == ("note", f"r.yaml:2: {MESSAGE}")


@pytest.mark.parametrize("family", ["roberta", "distilbert", "gpt2"])
def test_other_families_have_none_to_lack(family: str) -> None:
    folder = ModelFolder(Path(), "m", {"model_type": family}, {}, "")
    assert list(untrained_pooler(recipe(), TASK, folder)) == []


def test_starters_are_known_whatever_their_files_hold() -> None:
    assert {f"starter:{name}" for name, each in STARTERS.items() if each.conversion != "gguf"} == MEAN_POOLED
    shapes = {"pooler.dense.weight": (384, 384)}
    folder = ModelFolder(Path(), "starter:en", {"model_type": "bert"}, shapes, "Apache-2.0")
    assert [finding.message for finding in untrained_pooler(recipe(), TASK, folder)] == [MESSAGE]


@pytest.mark.parametrize(("family", "tensor"), sorted(POOLERS.items()))
def test_each_familys_stock_class_has_that_tensor_and_reads_it(family: str, tensor: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    config = AutoConfig.for_model(
        family, vocab_size=30, hidden_size=8, num_attention_heads=2, num_hidden_layers=1, intermediate_size=16,
        embedding_size=8, input_embedding_size=8, output_embedding_size=8, pad_token_id=0,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config)
    held = [name for name, _tensor in model.named_parameters() if name.endswith(tensor)]
    assert len(held) == 1
    logits = model(input_ids=torch.ones((1, 4), dtype=torch.long)).logits
    assert reaches(logits.grad_fn, dict(model.named_parameters())[held[0]])


def reaches(node: Any, parameter: Any) -> bool:
    """Whether the parameter stands somewhere behind this node of the graph."""
    pending, seen = [node], set()
    while pending:
        each = pending.pop()
        if each is None or each in seen:
            continue
        seen.add(each)
        if getattr(each, "variable", None) is parameter:
            return True
        pending += [parent for parent, _place in each.next_functions]
    return False
