"""Where a fit stands, as its checkpoints keep it; and how fast it goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Progress:
    """The counters that a checkpoint keeps."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    best: float | None = None
    best_step: int | None = None
    without_gain: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    loss_sum: float = 0.0
    loss_steps: int = 0
    stopped: str = ""


@dataclass(slots=True)
class Pace:
    """Real tokens a second, forgetting older steps."""

    tokens: float = 0.0
    seconds: float = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        """One step more; a step twenty steps ago counts a third of it."""
        self.tokens = 0.95 * self.tokens + tokens
        self.seconds = 0.95 * self.seconds + seconds

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(self.seconds, 1e-9)
