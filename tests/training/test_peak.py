"""The peak of memory is that of the block it is taken of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from weitiao.training import peak
from weitiao.training.peak import peak_bytes, reset_peak

BLOCK = 200_000_000


def filled() -> int:
    return int(np.ones(BLOCK, dtype=np.int8)[-1])


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
