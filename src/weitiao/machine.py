"""What this machine's CPU can do (the instruction sets that decide about speed, and about how int8 kernels round), and
which of the processes on it this is."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

# what matrix kernels choose by: names as Linux has them, of x86 and of Arm
DECISIVE = (
    "sse4_1", "avx", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_int8",
    "asimd", "asimddp", "i8mm", "bf16", "sve",
)  # fmt: skip


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


def is_main() -> bool:
    """Whether this process is the one that writes and speaks: the only one, or the launcher's first."""
    return int(os.environ.get("RANK", "0")) == 0
