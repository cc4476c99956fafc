"""How fast this machine fits models: what earlier runs took, else a short measurement.

`remember_speed` is called by `train` after a run; `machine_speed` is what the plan divides by. The unit is the plan's:
floating-point operations of real training work a second.
"""

from __future__ import annotations

import platform
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from weitiao.artifact import cache_folder, read_json, write_json
from weitiao.errors import WeitiaoError
from weitiao.machine import cores

PROBE_SECONDS = 0.04  # a few products; `check` waits for them
PROBE_ROWS, PROBE_WIDTH, PROBE_INNER = 512, 384, 1536  # a micro-batch times a small encoder's largest matrix
EFFICIENCY = 0.75  # training work by a bare matrix product of numpy; by benchmarks/plan_accuracy.py, two AVX2 cores
SHORTEST = 5.0  # seconds of training from which a run says something about the machine
LEAST = 2e12  # operations from which it does: half a minute of two cores; below, start-up and overhead count as work
TRUST = 0.5  # weight of the newest run against all before it


def machine_speed(key: str) -> tuple[float, bool]:
    """(operations a second, whether an earlier run measured them) for what `speed_key` names."""
    remembered = _read().get(key)
    if isinstance(remembered, int | float) and remembered > 0:
        return float(remembered), True
    return EFFICIENCY * probe(), False


def remember_speed(work: float, seconds: float, key: str) -> None:
    """Keep what a run showed; a cache folder that cannot be written is no reason to fail.

    Args:
        work: `Plan.work` of the steps that were done.
        seconds: what they took.
        key: of `speed_key`.
    """
    if seconds < SHORTEST or work < LEAST:
        return
    known, measured = _read(), work / seconds
    before = known.get(key)
    if isinstance(before, int | float) and before > 0:
        measured = measured**TRUST * float(before) ** (1 - TRUST)
    with suppress(WeitiaoError, OSError):
        write_json(_file(), {**known, key: measured})


def probe(seconds: float = PROBE_SECONDS) -> float:
    """Operations a second of a float32 matrix product, the best of several tries."""
    rng = np.random.default_rng(0)
    left = rng.standard_normal((PROBE_ROWS, PROBE_WIDTH), dtype=np.float32)
    right = rng.standard_normal((PROBE_WIDTH, PROBE_INNER), dtype=np.float32)
    operations = 2.0 * PROBE_ROWS * PROBE_WIDTH * PROBE_INNER
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begun = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - begun)
    return operations / best


def speed_key(hidden: int, threads: int | None) -> str:
    """Name of a measurement in the cache, which a shared home folder may serve to several machines.

    Args:
        hidden: width of the model: small matrices run at a fraction of the speed of large ones.
        threads: that the recipe asks for; None for what torch takes by itself.
    """
    return f"{platform.node()}/{platform.machine()}/{cores()}/{threads or 'all'}/{hidden}"


def _file() -> Path:
    return cache_folder() / "machine.json"


def _read() -> dict[str, object]:
    with suppress(WeitiaoError):
        return read_json(_file())
    return {}
