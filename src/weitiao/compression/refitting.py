"""Training inside a step: recovery after pruning, and distillation. All of the network learns, by the one loop.

The rows are the run's; the best evaluation on dev is kept, as in any fit, and what was calibrated on dev is calibrated
anew for the network as it is then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from weitiao.compression.base import Source
from weitiao.errors import Refused
from weitiao.methods.full import Full
from weitiao.methods.options import FullOptions
from weitiao.metrics import value_of
from weitiao.models.inference import infer, infer_with_loss
from weitiao.models.network import Network
from weitiao.records import Feature, Record
from weitiao.tasks import Settings, by_record, decode_all
from weitiao.training.loop import fit, total_steps
from weitiao.training.optimiser import OptimiserSpec
from weitiao.training.terms import FitResult, Hooks, LoopSettings, Objective


@dataclass(frozen=True, slots=True)
class Rows:
    """Records and their features."""

    records: Sequence[Record]
    features: Sequence[Feature]


def rows_of(source: Source, split: str) -> Rows | None:
    """The rows of a split, encoded; None where the run has none of it."""
    try:
        records = source.records(split)
    except Refused:
        if split == "train":
            raise
        return None
    return encoded(source, records) if records else None


def encoded(source: Source, records: Sequence[Record]) -> Rows:
    """Rows as the task encodes them."""
    return Rows(records, source.task.encode(records, source.tokenizer, source.labels, source.max_length))


def some_of(rows: Rows, count: int) -> Sequence[Feature]:
    """At most `count` features, evenly from the beginning to the end."""
    features = rows.features
    return features if len(features) <= count else [features[index * len(features) // count] for index in range(count)]


def refit(
    source: Source,
    network: Network,
    *,
    epochs: float,
    learning_rate: float,
    objective: Objective = Network.loss,
    unlabelled: Sequence[Feature] = (),
    batch_size: int = 32,
    seed: int = 17,
    beside: Path,
) -> FitResult:
    """Train `network` on the run's rows, and keep the weights of the best evaluation on dev.

    Args:
        unlabelled: features without a target, for an objective that learns from those too.
        beside: a folder beside which checkpoints stand meanwhile.
    """
    train, dev = rows_of(source, "train"), rows_of(source, "dev")
    assert train is not None  # refused otherwise
    features = [*train.features, *unlabelled]
    metric = source.task.metrics(source.labels)[0].name
    settings = LoopSettings(
        epochs=epochs, batch_size=batch_size, metric=metric, seed=seed,
        optimiser=OptimiserSpec(learning_rate=learning_rate),
    )  # fmt: skip
    method = Full(FullOptions())
    method.apply(network, total_steps(features, settings))

    def place(row: int) -> str:
        return train.records[features[row].group].place if row < len(train.features) else f"--texts:{row}"

    hooks = Hooks(
        evaluate=None if dev is None else lambda: scores(source, network, dev), describe=place, objective=objective,
        on_event=source.on_event,
    )  # fmt: skip
    beside.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{beside.name}.", suffix=".tmp", dir=beside.parent) as made:
        torch.manual_seed(seed)
        return fit(
            network, method, features, settings, hooks, folder=Path(made) / "steps", log=Path(made) / "log.jsonl"
        )


def scores(source: Source, network: Network, rows: Rows) -> Mapping[str, float]:
    """Every metric of the task on the rows, and the loss where rows have one of their own."""
    outputs, loss = infer_with_loss(network, rows.features)
    settings = source.task.calibrate(rows.records, *by_record(len(rows.records), rows.features, outputs), source.labels)
    predictions = decode_all(source.task, rows.records, rows.features, outputs, source.labels, settings)
    found = {} if math.isnan(loss) else {"loss": loss}
    return found | {each.name: value_of(each, predictions, rows.records) for each in source.task.metrics(source.labels)}


def calibrated(source: Source, network: Network) -> dict[str, Any]:
    """The card with what dev tells of thresholds and the like; unchanged where there is no dev split."""
    dev = rows_of(source, "dev")
    if dev is None:
        return dict(source.card)
    outputs = infer(network, dev.features)
    settings: Settings = source.task.calibrate(
        dev.records, *by_record(len(dev.records), dev.features, outputs), source.labels
    )
    return {**source.card, "settings": dict(settings)}
