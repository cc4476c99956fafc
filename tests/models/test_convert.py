"""Old weights: converted bit for bit, refused when they hold more than tensors."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from weitiao.errors import Failed, Refused
from weitiao.models import convert as module
from weitiao.models.convert import convert
from weitiao.models.reference import resolve
from weitiao.models.tiny import tiny


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A tiny BERT as it would have been saved years ago."""
    folder = tiny("bert", tmp_path / "old")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    (folder / "training_args.bin").write_bytes(b"no model")
    return folder


def shard(folder: Path) -> dict[str, torch.Tensor]:
    """Split the folder's weights over two files and an index; return all of them."""
    state = torch.load(folder / "pytorch_model.bin", weights_only=True)
    places = {name: f"pytorch_model-0000{1 + index % 2}-of-00002.bin" for index, name in enumerate(state)}
    for file in sorted(set(places.values())):
        torch.save({name: tensor for name, tensor in state.items() if places[name] == file}, folder / file)
    (folder / "pytorch_model.bin").unlink()
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    return dict(state)


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_new_folder_loads_the_same(old: Path, tmp_path: Path) -> None:
    state = torch.load(old / "pytorch_model.bin", weights_only=True)
    assert convert(old, tmp_path / "new") == tmp_path / "new"
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
    assert same(load_file(tmp_path / "new" / "model.safetensors"), state)
    assert same(dict(AutoModel.from_pretrained(tmp_path / "new").state_dict()), state)
    assert resolve(str(tmp_path / "new")).family == "bert"
    assert (old / "pytorch_model.bin").is_file(), "the source must be left alone"


def test_sharded_weights_stay_sharded(old: Path, tmp_path: Path) -> None:
    state = shard(old)
    new = convert(old, tmp_path / "new")
    assert sorted(path.name for path in new.glob("model*")) == [
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json",
    ]  # fmt: skip
    assert not list(new.glob("pytorch_model*"))
    assert same(dict(AutoModel.from_pretrained(new).state_dict()), state)
    assert resolve(str(new)).parameters == {name: tuple(tensor.shape) for name, tensor in state.items()}


@pytest.mark.parametrize("sharded", [False, True])
def test_conversion_beside_the_old_files(old: Path, sharded: bool) -> None:
    before = shard(old) if sharded else torch.load(old / "pytorch_model.bin", weights_only=True)
    names = {path.name for path in old.iterdir()}
    assert convert(old, old) == old
    added = {path.name for path in old.iterdir()} - names
    assert added == (
        {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
        if sharded
        else {"model.safetensors"}
    )
    assert same(dict(AutoModel.from_pretrained(old).state_dict()), before)
    with pytest.raises(Refused, match="has safetensors weights already; there is nothing to convert"):
        convert(old, old)


def test_shared_strided_and_odd_tensors(old: Path, tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    state = {
        "tied": base, "also tied": base, "view": base[1], "transposed": base.t(), "empty": torch.zeros(0, 3),
        "scalar": torch.tensor(2), "half": torch.ones(3, dtype=torch.bfloat16),
        "nan": torch.tensor([float("nan"), -0.0]),
    }  # fmt: skip
    torch.save(state, old / "pytorch_model.bin")
    written = load_file(convert(old, tmp_path / "new") / "model.safetensors")
    assert written.keys() == state.keys()
    for name, tensor in state.items():
        assert written[name].dtype == tensor.dtype, name
        torch.testing.assert_close(written[name], tensor, rtol=0, atol=0, equal_nan=True, msg=name)


class Malicious:
    """Unpickled the old way, it makes a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_malicious_file_is_refused_and_not_run(old: Path, tmp_path: Path, how: str) -> None:
    state = {"embeddings.weight": Malicious(tmp_path / "trace")}
    if how == "torch":
        torch.save(state, old / "pytorch_model.bin")
    else:
        (old / "pytorch_model.bin").write_bytes(pickle.dumps(state, protocol=2))
    with pytest.raises(Refused) as caught:
        convert(old, tmp_path / "new")
    assert str(caught.value).startswith(f"{old / 'pytorch_model.bin'}: refused, it holds more than weights (")
    assert "mkdir" in str(caught.value)
    assert str(caught.value).endswith(
        "which could run code; nothing in it was run. Get the model as safetensors from a source you trust"
    )
    assert not (tmp_path / "trace").exists()
    assert not (tmp_path / "new").exists()


def test_torn_file_is_refused(old: Path, tmp_path: Path) -> None:
    content = (old / "pytorch_model.bin").read_bytes()
    (old / "pytorch_model.bin").write_bytes(content[: len(content) // 2])
    with pytest.raises(Refused, match=r"pytorch_model.bin: the weights cannot be read \(.+\); copy or download"):
        convert(old, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_file_of_something_else_is_refused(old: Path, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {}}, old / "pytorch_model.bin")
    with pytest.raises(Refused, match="not the weights of a model; expected tensors by name"):
        convert(old, tmp_path / "new")


def test_folders_without_old_weights_are_refused(tmp_path: Path) -> None:
    folder = tiny("bert", tmp_path / "new")
    with pytest.raises(Refused, match=r"has no old weights to convert; expected pytorch_model\.bin in it"):
        convert(folder, tmp_path / "other")


def test_missing_shard_is_named(old: Path, tmp_path: Path) -> None:
    shard(old)
    (old / "pytorch_model-00002-of-00002.bin").unlink()
    with pytest.raises(
        Refused, match=r"names weight files that are missing: pytorch_model-00002-of-00002.bin; download"
    ):
        convert(old, tmp_path / "new")


def test_existing_target_is_never_overwritten(old: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with pytest.raises(Refused, match="is already there and is never overwritten; name a new folder"):
        convert(old, tmp_path / "new")


def test_a_disk_that_lies_is_noticed(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_a_bit(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
        name = next(iter(tensors))
        real({**tensors, name: tensors[name] + 1e-6}, path, metadata)

    real = module.save_file
    monkeypatch.setattr(module, "save_file", lose_a_bit)
    with pytest.raises(Failed, match="what was written differs from its source"):
        convert(old, tmp_path / "new")
    assert not (tmp_path / "new").exists()
