"""A tiny data set and recipe that train in a second."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

from weitiao.models.tiny import tiny

GOOD, BAD, OTHER = ("good", "nice", "great"), ("bad", "poor", "awful"), ("film", "room", "food", "房间", "服务", "味道")


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    """Files in `folder`, and the recipe of a run in `folder / run`."""
    write(folder / "train.csv", 160, seed=1)
    write(folder / "test.csv", 40, seed=2)
    if not (folder / "tiny").is_dir():
        tiny("bert", folder / "tiny", texts=[" ".join([*GOOD, *BAD, *OTHER])] * 3)
    made: dict[str, Any] = {
        "task": "classify",
        "model": {"name": str(folder / "tiny")},
        "data": {"train": str(folder / "train.csv"), "dev": "20%", "test": str(folder / "test.csv")},
        "training": {"epochs": 6, "batch_size": 16, "learning_rate": 3e-3},
        "evaluation": {"resamples": 200},
        "output": str(folder / "run"),
    }
    return {**made, **changes}


def write(path: Path, rows: int, *, seed: int) -> None:
    """Reviews whose first word decides the label, and whose number keeps them apart."""
    rng = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["review", "stars"])
        for row in range(rows):
            positive = rng.random() < 0.5
            words = [rng.choice(GOOD if positive else BAD), *rng.choices(OTHER, k=rng.randint(2, 9)), f"{seed}{row:03}"]
            writer.writerow([" ".join(words), "pos" if positive else "neg"])
