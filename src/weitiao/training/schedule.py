"""Learning-rate schedules as plain functions of the step."""

from __future__ import annotations

import math
from typing import Literal

Name = Literal["linear", "cosine", "constant", "polynomial", "inverse_sqrt"]


def warmup_steps(warmup: float, total_steps: int) -> int:
    """`warmup` below 1 is a share of the steps (rounded up), from 1 on a number of steps."""
    return math.ceil(warmup * total_steps) if warmup < 1 else int(warmup)


def factor(name: Name, step: int, warmup: int, total: int, power: float = 2.0) -> float:
    """What the peak learning rate is multiplied with at `step`, from 0: a linear rise, then the named fall.

    linear: Devlin et al. 2019; cosine: Loshchilov and Hutter 2017, to zero; inverse_sqrt: Vaswani et al. 2017, section
    5.3;
    polynomial: (1 - progress) ** power.
    """
    if step < warmup:
        return step / max(1, warmup)
    if name == "constant":
        return 1.0
    if name == "inverse_sqrt":
        return math.sqrt(max(1, warmup) / max(1, step))
    left = max(0.0, (total - step) / max(1, total - warmup))
    if name == "cosine":
        return 0.5 * (1.0 - math.cos(math.pi * left))
    return left if name == "linear" else left**power
