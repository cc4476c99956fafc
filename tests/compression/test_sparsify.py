"""sparsify: the right weights become zero, and what is said about them is true."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from tests.compression.sources import saved, source
from tests.models.families import network
from weitiao.compression import STEP_OPTIONS, STEPS
from weitiao.compression.sparsify import linear_weights, zero_smallest, zipped
from weitiao.models.network import load


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_the_smallest_of_each_matrix_are_zero_and_the_others_as_they_were(family: str, tmp_path: Path) -> None:
    made = source(saved(family, tmp_path / "model"))
    facts = STEPS["sparsify"](STEP_OPTIONS["sparsify"](share=0.25)).run(made, tmp_path / "sparse")
    before, after = load(made.folder), load(tmp_path / "sparse")
    pruned = list(linear_weights(after))
    assert len(pruned) == facts["matrices"] == (12 if family == "bert" else 8)
    for old, new in zip(linear_weights(before), pruned, strict=True):
        gone = new == 0
        assert int(gone.sum()) == round(0.25 * new.numel())
        assert old[gone].abs().max() <= old[~gone].abs().min()
        assert torch.equal(old[~gone], new[~gone])
    assert facts["zeros"] == sum(int((each == 0).sum()) for each in pruned)
    own = {each.data_ptr() for each in pruned}
    others = [(name, each) for name, each in after.named_parameters() if each.data_ptr() not in own]
    assert others and all(torch.equal(each, before.get_parameter(name)) for name, each in others)


def test_ties_do_not_take_more_than_the_share() -> None:
    weight = torch.ones(4, 5)
    assert zero_smallest(weight, 0.5) == 10


def test_bytes_are_those_on_disk_and_in_a_zip(tmp_path: Path) -> None:
    made = source(saved("bert", tmp_path / "model"))
    options = STEP_OPTIONS["sparsify"](share=0.9)
    facts = STEPS["sparsify"](options).run(made, tmp_path / "sparse")
    weights = tmp_path / "sparse" / "model.safetensors"
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(weights)
    (member,) = zipfile.ZipFile(tmp_path / "a.zip").infolist()
    assert facts["bytes"] == weights.stat().st_size == (made.folder / "model.safetensors").stat().st_size
    assert facts["bytes_zip"] == zipped(tmp_path / "sparse") == pytest.approx(member.compress_size, rel=0.001)
    assert facts["bytes_zip"] < facts["bytes_zip_before"] < facts["bytes"]
    count, stored = options.told(facts)
    assert count.endswith("weights in 12 linear layers are zero (90.0%).")
    assert "stored dense" in stored and "it is not faster" in stored


def test_shared_weights_are_counted_once(tmp_path: Path) -> None:
    once = sum(each.numel() for each in {id(each): each for each in linear_weights(network("albert"))}.values())
    facts = STEPS["sparsify"](STEP_OPTIONS["sparsify"]()).run(source(saved("albert", tmp_path / "m")), tmp_path / "s")
    assert facts["weights"] == once
