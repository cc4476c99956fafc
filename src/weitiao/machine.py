"""What this machine's CPU can do (the instruction sets that decide about speed, and about how int8 kernels round), how
much of the machine is ours, and which of the processes on it this is."""

from __future__ import annotations

import math
import os
import platform
from contextlib import suppress
from pathlib import Path
from typing import Any

# what matrix kernels choose by: names as Linux has them, of x86 and of Arm
DECISIVE = (
    "sse4_1", "avx", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_int8",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip

CONTROL_GROUPS = Path("/sys/fs/cgroup")  # a container's limits; version 2 in files of its own, version 1 a folder each


def cpu_flags(path: Path = Path("/proc/cpuinfo")) -> set[str]:
    """Instruction sets of the CPU; empty where the system does not list them."""
    if not path.is_file():
        return set()
    lines = path.read_text("utf-8", "replace").splitlines()
    listed = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return set(listed.partition(":")[2].split())


def stamp() -> dict[str, Any]:
    """This machine, JSON-able: its kind, and those of its instruction sets that decide about matrix kernels."""
    flags = cpu_flags()
    return {"machine": platform.machine(), "instructions": [each for each in DECISIVE if each in flags]}


def cores(groups: Path = CONTROL_GROUPS) -> int:
    """Cores that this process may use: those it is bound to, and no more than a container's quota pays for."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(bound, quota(groups) or bound)


def quota(groups: Path = CONTROL_GROUPS) -> int | None:
    """Whole cores that a container's quota pays for (`docker run --cpus`); None where there is none.

    Libraries start as many threads as there are cores and know no quota: on 64 cores with a quota of 2 they spend their
    time on waiting for each other.
    """
    version_1 = _numbers(groups / "cpu/cpu.cfs_quota_us") + _numbers(groups / "cpu/cpu.cfs_period_us")
    for paid, period in filter(None, (_numbers(groups / "cpu.max"), version_1)):
        if paid > 0:  # -1: none
            return math.ceil(paid / period)
    return None


def memory(groups: Path = CONTROL_GROUPS) -> int | None:
    """Bytes that this process may fill: the machine's, and no more than a container's limit; None if nothing tells."""
    limits = _numbers(groups / "memory.max") + _numbers(groups / "memory/memory.limit_in_bytes")
    with suppress(AttributeError, OSError, ValueError):  # a system without these names
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(limits, default=None)


def _numbers(path: Path) -> list[int]:
    """The numbers in a file of a control group; none where there is no such file, or it sets no limit (`max`)."""
    try:
        words = path.read_text("ascii").split()
    except OSError:
        return []
    return [] if "max" in words else [int(word) for word in words]


def is_main() -> bool:
    """Whether this process is the one that writes and speaks: the only one, or the launcher's first."""
    return int(os.environ.get("RANK", "0")) == 0
