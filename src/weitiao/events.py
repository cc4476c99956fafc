"""What a verb tells while it works: a mapping with a `kind` (phase, problems, step, evaluation, note) at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OnEvent = Callable[[dict[str, Any]], None]


def silent(_event: dict[str, Any]) -> None:
    """For those who want to hear nothing."""
