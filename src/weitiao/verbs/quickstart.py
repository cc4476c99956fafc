"""`weitiao quickstart`: the first run, on real reviews that come with the starters.

The corpus is cleaned and split the same way every time (no near-duplicate crosses from train into dev or test), written
as three CSV files that a user can open, and trained by the recipe `quickstart.yaml`. Then three texts are answered, one
of them English: the model saw no English label.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from weitiao.artifact import cache_folder, replacing_folder
from weitiao.data.dedup import fold, near_duplicates
from weitiao.events import OnEvent, silent
from weitiao.models.starters import corpus
from weitiao.recipe import quoted
from weitiao.recipe.ready import RECIPES
from weitiao.records import Prediction
from weitiao.verbs.run import Run
from weitiao.verbs.train import train

SIZES = {"train": 2400, "dev": 300, "test": 1500}  # of train, rows that nearly repeat one of the others then go
SHORTEST, LONGEST = 6, 200  # characters; shorter ones are hardly reviews, longer ones are cut by the model anyway
SEED = 17
DATA_VERSION = 1  # changes with anything that changes the files
TEXTS = (
    "房间很干净，服务员也热情，下次还会来。",
    "看了二十页就看不下去了，浪费钱。",
    "The room was dirty and nobody answered our calls. Never again.",
)


@dataclass(frozen=True)
class Quickstart:
    """What the first run gave.

    Args:
        run: the finished run.
        answers: text and prediction of three texts.
    """

    run: Run
    answers: Sequence[tuple[str, Prediction]]

    @cached_property
    def figures(self) -> dict[str, Any]:
        """The headline figures."""
        report = self.run.report
        baseline = report.baselines["tfidf"]
        accuracy = report.metrics["accuracy"]
        return {
            "accuracy": accuracy.value,
            "accuracy_ci": [accuracy.low, accuracy.high],
            "macro_f1": report.metrics["macro_f1"].value,
            "baseline_accuracy": baseline.metrics["accuracy"].value,
            "difference_ci": [baseline.difference.low, baseline.difference.high],
            "majority_accuracy": report.baselines["majority"].metrics["accuracy"].value,
            "train_rows": report.data.rows["train"],
            "test_rows": report.rows,
        }

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        answers = [{"text": text, **answer.model_dump(mode="json")} for text, answer in self.answers]
        return {**self.figures, "answers": answers}


def quickstart(
    *,
    model: Path | str | None = None,
    output: Path | str | None = None,
    on_event: OnEvent = silent,
) -> Quickstart:
    """Run it.

    Args:
        model: the pretrained model; the Chinese-English starter without it.
        output: folder of the run; the first free one of runs/quickstart, runs/quickstart-2, ... without it.
        on_event: as in `train`.

    Raises:
        Refused: the starter packages are not installed, or the output folder is taken.
    """
    folder = reviews()
    named: dict[str, Path | str] = {f"data.{split}": folder / f"{split}.csv" for split in SIZES}
    named["output"] = output or _free(Path("runs/quickstart"))
    overrides = [f"{key}={quoted(str(value))}" for key, value in named.items()]
    if model is not None:  # `layers: null` freezes half of them, however many it has
        overrides += [f"model.name={quoted(str(model))}", "method.layers=null"]
    run = train(RECIPES / "quickstart.yaml", overrides=overrides, on_event=on_event)
    return Quickstart(run, list(zip(TEXTS, run.predict(TEXTS), strict=True)))


def reviews() -> Path:
    """The folder with train.csv, dev.csv and test.csv; made once."""
    folder = cache_folder() / "quickstart" / f"reviews-{DATA_VERSION}"
    if not folder.is_dir():
        with replacing_folder(folder) as beside:
            for split, rows in _split().items():
                (beside / f"{split}.csv").write_bytes(_csv(rows).encode("utf-8"))
    return folder


def _csv(rows: Sequence[tuple[str, str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([("text", "label"), *rows])
    return stream.getvalue()


def _split() -> dict[str, list[tuple[str, str]]]:
    """Seeded, balanced splits of distinct reviews, without near-duplicates of training rows in dev and test."""
    rng = random.Random(SEED)
    splits: dict[str, list[tuple[str, str]]] = {split: [] for split in SIZES}
    files = corpus()
    for label, path in (("positive", files.positive), ("negative", files.negative)):
        texts = sorted(
            {line.strip() for line in path.read_text("utf-8").splitlines() if SHORTEST <= len(line.strip()) <= LONGEST}
        )
        rng.shuffle(texts)
        texts = _distinct(texts[: sum(SIZES.values())])
        for split, size in SIZES.items():
            splits[split] += [(text, label) for text in texts[: size // 2]]
            texts = texts[size // 2 :]
    for rows in splits.values():
        rng.shuffle(rows)
    return _without_leaks(splits)


def _distinct(texts: list[str]) -> list[str]:
    """The texts without any that nearly repeats an earlier one."""
    repeated = {max(first, second) for first, second, _likeness in near_duplicates(fold(texts))}
    return [text for place, text in enumerate(texts) if place not in repeated]


def _without_leaks(splits: dict[str, list[tuple[str, str]]]) -> dict[str, list[tuple[str, str]]]:
    """Drop training rows that nearly repeat a row of dev or test with the other label."""
    held_out = fold([text for split in ("dev", "test") for text, _label in splits[split]])
    train = splits["train"]
    leaking = {row for row, _other, _likeness in near_duplicates(fold([text for text, _label in train]), held_out)}
    return {**splits, "train": [each for row, each in enumerate(train) if row not in leaking]}


def _free(path: Path) -> Path:
    """`path`, or the first of path-2, path-3, ... that does not exist."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free
