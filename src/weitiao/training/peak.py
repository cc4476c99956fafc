"""Largest resident memory of this process since a moment of our choosing.

Linux keeps it as VmHWM and starts it anew on request; elsewhere there is only getrusage's maximum, which a process
inherits from whoever started it and never lowers.
"""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): resets the peak resident set size


def reset_peak() -> None:
    """Forget what was used before, where the system can."""
    with suppress(OSError):
        CLEAR.write_text(RESET_PEAK, "ascii")


def peak_bytes() -> int:
    """The largest resident memory since `reset_peak`, or since the process began where that cannot be told."""
    with suppress(OSError):
        for line in STATUS.read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
