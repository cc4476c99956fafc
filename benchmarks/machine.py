"""Facts of the machine that a figure was measured on: what it is, how fast it multiplies, and who else was on it.

No torch at import: the process that only starts cells stays small.
"""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

DIRTY = "-dirty"
PACKAGES = ("weitiao", "torch", "transformers", "accelerate", "tokenizers", "numpy", "scikit-learn")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "neon", "asimd", "sve")
SHAPES = ((2048, 2048, 2048), (1024, 384, 1536), (4096, 384, 1536), (1024, 1536, 384))  # (rows, in, out)


def facts() -> dict[str, Any]:
    """What the machine is, and the versions that run on it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "cpu": _cpu_model(),
        "cores": cores,
        "threads": int(os.environ.get("OMP_NUM_THREADS") or cores),
        "instructions": _instructions(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that a figure may hang on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}


def commit() -> str:
    """The repository's commit, marked where files differ from it; empty outside one. Results are no such files."""
    head = _git("rev-parse", "--short", "HEAD")
    changed = head and _git("status", "--porcelain", "--", ":/", ":(top,exclude)benchmarks/results")
    return head + (DIRTY if changed else "")


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )  # fmt: skip
    return answer.stdout.strip()


def gemm_peak(seconds: float = 0.3) -> float:
    """GFLOP/s of the fastest fp32 matrix product among `SHAPES`, best of several repeats each."""
    import torch

    best = 0.0
    for rows, inner, columns in SHAPES:
        left, right = torch.randn(rows, inner), torch.randn(inner, columns)
        work = 2e-9 * rows * inner * columns
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            started = time.perf_counter()
            torch.mm(left, right)
            best = max(best, work / (time.perf_counter() - started))
    return float(round(best, 1))


def peak_mb(pid: int | str = "self") -> float:
    """Largest resident memory so far of this process, or on Linux of another.

    Linux's VmHWM starts anew with each program; getrusage's maximum would carry over from the parent.
    """
    status = Path(f"/proc/{pid}/status")
    if status.is_file():
        line = next(line for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024, 1)
    import resource

    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def resident_mb() -> float:
    """Resident memory of this process now."""
    return float(round(psutil.Process().memory_info().rss / 2**20, 1))


@dataclass(slots=True)
class Watch:
    """Time of a block, and what happened to the machine meanwhile.

    Args:
        seconds: wall clock.
        foreign_cores: cores that other processes used, on average.
        paused: seconds that no core accounts for: a virtual machine was held.
    """

    seconds: float = 0.0
    foreign_cores: float = 0.0
    paused: float = 0.0

    def disturbed(self, foreign_cores: float) -> bool:
        """Whether others used more than so many cores, or the machine was held for over a twentieth of the time."""
        return self.foreign_cores > foreign_cores or self.paused > max(0.5, self.seconds / 20)


@contextmanager
def watch() -> Iterator[Watch]:
    """Time the block and look at who else was busy."""
    result = Watch()
    own, before, started = _own_cpu(), _all_cpu(), time.perf_counter()
    try:
        yield result
    finally:
        result.seconds = time.perf_counter() - started
        busy, every = (now - then for now, then in zip(_all_cpu(), before, strict=True))
        foreign = busy - (_own_cpu() - own)
        result.foreign_cores = round(max(0.0, foreign / max(result.seconds, 1e-9)), 3)
        result.paused = round(max(0.0, result.seconds - every / (os.cpu_count() or 1)), 3)


def _own_cpu() -> float:
    times = psutil.Process().cpu_times()
    return float(times.user + times.system)


def _all_cpu() -> tuple[float, float]:
    """Busy seconds and all seconds of all cores together."""
    times = psutil.cpu_times()
    counted_twice = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    every = float(sum(times) - counted_twice)
    return every - float(times.idle + getattr(times, "iowait", 0.0)), every


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _instructions() -> list[str]:
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return []
    lines = info.read_text("utf-8").splitlines()
    flags = next((line.split(":", 1)[1].split() for line in lines if line.startswith(("flags", "Features"))), [])
    return [name for name in INSTRUCTIONS if name in flags]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
