"""The loop's terms: settings and hooks in, a result out, so that it knows no recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weitiao.events import OnEvent, silent
from weitiao.models.batch import Batch
from weitiao.models.heads import Loss
from weitiao.models.inference import Frozen
from weitiao.models.network import Network
from weitiao.training.batching import Order
from weitiao.training.optimiser import OptimiserSpec
from weitiao.training.schedule import Name

Objective = Callable[[Network, Batch], Loss]
Evaluate = Callable[[], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How long, in what order and how carefully; names and meanings as in the recipe's `training`.

    Args:
        checkpoint_epochs: whether each evaluation is followed by a checkpoint, which choosing the best needs.
    """

    epochs: float = 3
    max_steps: int | None = None
    max_minutes: float | None = None
    batch_size: int = 32
    token_budget: int | None = None
    order: Order = "grouped"
    schedule: Name = "linear"
    schedule_power: float = 2.0
    warmup: float = 0.1
    clip: float | None = 1.0
    ema: float | None = None
    bf16: bool = False
    evaluate_every: int | None = None
    metric: str = "accuracy"
    patience: int | None = None
    stop_at: float | None = None
    checkpoint_every: int | None = None
    checkpoint_epochs: bool = True
    keep_checkpoints: int = 2
    seed: int = 17
    optimiser: OptimiserSpec = OptimiserSpec()  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the loop is handed by whoever calls it.

    Args:
        evaluate: dev metrics of the network as it is; None without a dev split.
        describe: feature index -> 'FILE:LINE', for messages.
        frozen: cached output of the frozen layers, by feature index.
        on_event: told of steps, evaluations and notes.
        objective: network and batch -> loss.
        stop: whether a signal asks to leave; asked after each step.
    """

    evaluate: Evaluate | None = None
    describe: Callable[[int], str] = str
    frozen: Frozen | None = None
    on_event: OnEvent = silent
    objective: Objective = Network.loss
    stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class FitResult:
    """How the fitting went.

    Args:
        steps, epochs, seconds, tokens: what was done; real tokens, over all processes.
        best_step: step of the weights that were kept; None where there was no dev split.
        history: one entry an evaluation: step, epoch, train_loss, and dev metrics.
        stopped: why it ended before its last step; empty if it did not.
    """

    steps: int
    epochs: float
    seconds: float
    tokens: int
    best_step: int | None
    history: Sequence[Mapping[str, Any]]
    stopped: str
