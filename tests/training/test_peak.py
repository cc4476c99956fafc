"""The peak of memory is that of the block it is taken of."""

from __future__ import annotations

import mmap
from pathlib import Path

import pytest

from weitiao.training import peak
from weitiao.training.peak import peak_bytes, reset_peak

BLOCK = 200_000_000


def filled() -> None:
    """Touch memory that is new to the process: an array might lie in what earlier tests have freed."""
    with mmap.mmap(-1, BLOCK) as block:
        for place in range(0, BLOCK, mmap.PAGESIZE):
            block[place] = 1


@pytest.mark.skipif(not peak.CLEAR.exists(), reason="only Linux starts the peak anew")
def test_what_was_freed_before_does_not_count() -> None:
    reset_peak()
    before = peak_bytes()
    filled()
    assert peak_bytes() > before + 0.9 * BLOCK
    reset_peak()
    assert peak_bytes() < before + 0.5 * BLOCK


def test_without_proc_it_is_the_maximum_so_far(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(peak, "STATUS", tmp_path / "absent")
    monkeypatch.setattr(peak, "CLEAR", tmp_path / "absent" / "too")
    reset_peak()
    filled()
    assert peak_bytes() > BLOCK
