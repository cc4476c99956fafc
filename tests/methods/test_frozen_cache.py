"""The cache answers as the frozen layers do, and tells a full disk before it is filled."""

import resource
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.models.families import PACKED, features, network
from weitiao.errors import StorageFull
from weitiao.methods.freeze import Freeze, LinearProbe
from weitiao.methods.frozen_cache import FrozenCache
from weitiao.methods.options import FreezeOptions, HeadOptions
from weitiao.models.batch import collate
from weitiao.models.inference import infer
from weitiao.models.network import Network


@pytest.mark.parametrize("family", PACKED)
@pytest.mark.parametrize("method", [Freeze(FreezeOptions(layers=1)), LinearProbe(HeadOptions())])
def test_the_cache_answers_as_the_layers_do(method: Freeze | LinearProbe, family: str, tmp_path: Path) -> None:
    net = network(family, dropout=0.1)
    method.apply(net, 1)
    rows = features(family, 30)
    cache = FrozenCache(net, rows, tmp_path / "train.bin", "fp32")
    through, cached = infer(net, rows), infer(net, rows, frozen=cache)
    assert max(np.abs(a["logits"] - b["logits"]).max() for a, b in zip(through, cached, strict=True)) < 1e-6


def test_gradients_from_the_cache_are_those_without_it(tmp_path: Path) -> None:
    net = network("bert", dropout=0.1)
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    rows = features("bert", 8)
    cache = FrozenCache(net, rows, tmp_path / "train.bin", "fp32")
    batch = collate(rows, net.spec.pad_id)
    net.train()
    losses = []
    for each in (batch, replace(batch, frozen=cache(batch.rows))):
        torch.manual_seed(3)  # the same dropout above the frozen part, which has none
        net.zero_grad()
        net.loss(each).total.backward()  # type: ignore[no-untyped-call]
        losses.append([value.grad.clone() for value in net.parameters() if value.grad is not None])
    for plain, cached in zip(*losses, strict=True):
        torch.testing.assert_close(plain, cached, rtol=1e-5, atol=1e-6)


def test_fp16_rounds_a_little(tmp_path: Path) -> None:
    net = network("bert")
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    rows = features("bert", 8)
    full, half = (FrozenCache(net, rows, tmp_path / f"{name}.bin", name)(range(8)).float() for name in ("fp32", "fp16"))
    assert 0 < (full - half).abs().max() < 2**-10 * full.abs().max()
    assert (tmp_path / "fp16.bin").stat().st_size * 2 == (tmp_path / "fp32.bin").stat().st_size


def test_a_cache_of_something_else_is_made_anew_and_its_own_is_kept(tmp_path: Path) -> None:
    net = network("bert")
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    path, rows = tmp_path / "train.bin", features("bert", 8)
    FrozenCache(net, rows, path, "fp32")
    made = path.stat().st_ino
    FrozenCache(net, rows, path, "fp32")
    assert path.stat().st_ino == made
    path.write_bytes(path.read_bytes()[:-4])
    FrozenCache(net, rows, path, "fp32")
    assert path.stat().st_ino != made
    other = features("bert", 8, seed=5)
    cache = FrozenCache(net, other, path, "fp32")
    assert np.abs(infer(net, other, frozen=cache)[0]["logits"] - infer(net, other)[0]["logits"]).max() < 1e-6


@pytest.mark.parametrize("reserves", [True, False])
def test_a_full_disk_is_told_and_nothing_is_left(
    reserves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit on file sizes stands for the disk; without the reservation the mapped file would be a sparse one."""
    net = network("bert")
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    rows = features("bert", 200)
    if not reserves:
        monkeypatch.delattr("os.posix_fallocate")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(StorageFull, match="the disk is full"):
            FrozenCache(net, rows, tmp_path / "train.bin", "fp32")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_the_file_takes_its_room_before_it_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hole in a mapped file that the disk cannot fill ends the process without a word (SIGBUS)."""
    net = network("bert")
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    taken: list[int] = []

    def look(_self: FrozenCache, _network: Network, _rows: object, values: np.memmap[Any, Any], _stop: object) -> None:
        status = Path(str(values.filename)).stat()
        taken.append(512 * status.st_blocks - status.st_size)

    monkeypatch.setattr(FrozenCache, "_fill", look)
    FrozenCache(net, features("bert", 50), tmp_path / "train.bin", "fp32")
    assert taken[0] >= 0


def test_two_processes_may_make_it_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one, with a process id of its own, begins later and is done first."""
    net = network("bert")
    Freeze(FreezeOptions(layers=1)).apply(net, 1)
    rows, path = features("bert", 8), tmp_path / "train.bin"
    fill = FrozenCache._fill
    others: list[Any] = []

    def meanwhile(self: FrozenCache, *args: Any) -> None:
        if not others:
            others.append(None)
            with monkeypatch.context() as inside:
                inside.setattr("os.getpid", lambda: -1)
                others.append(FrozenCache(net, rows, path, "fp32"))
        fill(self, *args)

    monkeypatch.setattr(FrozenCache, "_fill", meanwhile)
    mine = FrozenCache(net, rows, path, "fp32")
    (_none, other) = others
    assert torch.equal(mine(range(8)), other(range(8)))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["train.bin", "train.json"]
