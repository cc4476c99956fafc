"""The workers of this process's Ray: found, and killed."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

# Ray uses what it says itself is deprecated; users do not see warnings of that kind
RAY = (
    pytest.mark.xdist_group("ray"),  # in one process, so that two Rays do not share two cores
    pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\..*"),
    pytest.mark.filterwarnings(r"ignore::ResourceWarning:ray\..*"),
)


def kill_one(name: str) -> None:
    """End one whose title holds `name` as a machine that runs out of memory would."""
    found = [each for each in psutil.Process().children(recursive=True) if name in " ".join(each.cmdline())]
    os.kill(found[0].pid, signal.SIGKILL)
