"""What the CPU can do, as the system lists it."""

from __future__ import annotations

from pathlib import Path

import pytest

from weitiao import machine
from weitiao.machine import cpu_flags, stamp


def test_cpu_flags(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    assert cpu_flags(path) == set()
    path.write_text("processor : 0\nflags\t\t: fpu avx2 avx512_bf16\nprocessor : 1\nflags : fpu\n")
    assert cpu_flags(path) == {"fpu", "avx2", "avx512_bf16"}
    path.write_text("Features : fp asimd bf16\n")
    assert cpu_flags(path) == {"fp", "asimd", "bf16"}


def test_the_stamp_keeps_what_decides_about_matrix_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cpu_flags", lambda: {"fpu", "avx2", "avx"})
    made = stamp()
    assert made["instructions"] == ["avx", "avx2"] and made["machine"]
