"""A fit without steps: what the method finds in one go, its score on dev, and the same result as of any fit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from weitiao.methods.base import Method
from weitiao.models.network import Network
from weitiao.records import Feature
from weitiao.training.journal import Journal
from weitiao.training.processes import Processes
from weitiao.training.terms import FitResult, Hooks


def settle(network: Network, method: Method, features: Sequence[Feature], hooks: Hooks, *, log: Path) -> FitResult:
    """Let `method` settle on `features`; done anew where it was broken off.

    Raises:
        Interrupted: `hooks.stop` asked for it.
    """
    started = time.monotonic()
    method.settle(network, features, hooks.stop)
    network.eval()
    entry = {"step": 0, "epoch": 0.0, **({} if hooks.evaluate is None else {"dev": dict(hooks.evaluate())})}
    if Processes.current().is_main:
        journal = Journal(log)
        journal.rewind(-1)
        journal.write(entry)
    best = None if hooks.evaluate is None else 0
    tokens = sum(len(feature) for feature in features)
    return FitResult(0, 0.0, time.monotonic() - started, tokens, best, [entry], "")
