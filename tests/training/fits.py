"""A small fit in a folder, for the tests of the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.models.families import features as made_features
from tests.models.families import network as made_network
from weitiao.methods.base import Method
from weitiao.methods.full import Full
from weitiao.methods.options import FullOptions
from weitiao.models.inference import infer
from weitiao.models.network import Network
from weitiao.records import Feature
from weitiao.training.loop import fit, total_steps
from weitiao.training.optimiser import OptimiserSpec
from weitiao.training.terms import FitResult, Hooks, LoopSettings, Objective

SETTINGS = LoopSettings(epochs=3, batch_size=8, optimiser=OptimiserSpec(learning_rate=2e-3))


class StoppedError(Exception):
    """Stands for a process killed between two steps."""


def run(
    folder: Path,
    settings: LoopSettings = SETTINGS,
    *,
    dropout: float = 0.0,
    rows: Sequence[Feature] | None = None,
    stop_after: int | None = None,
    stop_at_step: int | None = None,
    evaluate: Callable[[Network], dict[str, float]] | None = None,
    family: str = "bert",
    objective: Objective = Network.loss,
    loss: Mapping[str, Any] | None = None,
    method: Method | None = None,
    **changes: Any,
) -> tuple[Network, FitResult, list[dict[str, Any]]]:
    """Fit a tiny network; (network, result, events).

    Args:
        stop_after: step after which the process is killed.
        stop_at_step: step at which a signal asks it to leave.
        loss: options of the head's loss, such as class_weights.
        method: to be applied; full fine-tuning where none is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    features = rows if rows is not None else made_features(family, 52, longest=12)
    network = made_network(family, dropout=dropout, **(loss or {}))
    method, settings = method or Full(FullOptions()), replace(settings, **changes)
    method.apply(network, total_steps(features, settings))
    events: list[dict[str, Any]] = []

    def on_event(event: dict[str, Any]) -> None:
        events.append(event)
        if event["kind"] == "step" and event["step"] == stop_after:
            raise StoppedError

    hooks = Hooks(
        evaluate=None if evaluate is None else lambda: evaluate(network),
        describe=lambda row: f"rows.csv:{row + 2}",
        on_event=on_event,
        objective=objective,
        stop=lambda: stop_at_step is not None and any(event.get("step") == stop_at_step for event in events),
    )
    result = fit(
        network, method, features, settings, hooks,
        folder=folder / "checkpoints", log=folder / "log.jsonl",
    )  # fmt: skip
    return network, result, events


def accuracy(network: Network, rows: Sequence[Feature]) -> float:
    """Share of right answers."""
    answers = [int(np.argmax(output["logits"])) for output in infer(network, rows)]
    return float(np.mean([answer == int(row.targets["labels"]) for answer, row in zip(answers, rows, strict=True)]))


def weights(network: Network) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
