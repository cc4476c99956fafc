"""What the CPU can do, as the system lists it."""

from __future__ import annotations

from pathlib import Path

import pytest

from weitiao import machine
from weitiao.machine import cores, cpu_flags, memory, quota, stamp


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


def test_without_control_groups_the_machine_is_ours(tmp_path: Path) -> None:
    assert quota(tmp_path) is None
    assert cores(tmp_path) >= 1 and (memory(tmp_path) or 0) > 10**8


@pytest.mark.parametrize(
    ("files", "paid", "limit"),
    [
        ({"cpu.max": "50000 100000\n", "memory.max": "1000000\n"}, 1, 10**6),
        ({"cpu.max": "250000 100000\n", "memory.max": "max\n"}, 3, None),
        ({"cpu.max": "max 100000\n"}, None, None),
        (
            {
                "cpu/cpu.cfs_quota_us": "200000\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": "2000000\n",
            },
            2,
            2 * 10**6,
        ),
        (
            {
                "cpu/cpu.cfs_quota_us": "-1\n",
                "cpu/cpu.cfs_period_us": "100000\n",
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            None,
            None,
        ),
    ],
)
def test_a_containers_limits(tmp_path: Path, files: dict[str, str], paid: int | None, limit: int | None) -> None:
    unlimited = memory(tmp_path), cores(tmp_path)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    assert quota(tmp_path) == paid
    assert cores(tmp_path) == min(paid or 10**6, unlimited[1])
    assert memory(tmp_path) == (limit or unlimited[0])
