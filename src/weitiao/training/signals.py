"""SIGINT and SIGTERM, remembered until the run can be left in good order; a second one ends the process at once.

Hold one over everything that a run does: whoever can leave asks `received` and raises `Interrupted`.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Inside the block, the first signal only sets `received`. Outside the main thread, signals do what they did."""

    def __init__(self) -> None:
        self.received = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(self, *_exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.received

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.received:
            signal.signal(number, self._before.get(number, signal.SIG_DFL))
            signal.raise_signal(number)
        self.received = True
