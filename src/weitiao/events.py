"""What a verb tells while it works: a mapping with a `kind` (phase, problems, step, evaluation, note) at a time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

OnEvent = Callable[[dict[str, Any]], None]


def silent(_event: dict[str, Any]) -> None:
    """For those who want to hear nothing."""


def is_main() -> bool:
    """Whether this process is the one that writes and speaks: the only one, or the launcher's first."""
    return int(os.environ.get("RANK", "0")) == 0
