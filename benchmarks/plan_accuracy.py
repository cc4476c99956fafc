"""Does `weitiao check` tell how long training takes and how much memory it needs?

Each setting is planned by `check`, then trained by `train`, both through the command line. First with a new cache
folder, so that the machine's speed is only guessed at; then with what that run taught it.

    python benchmarks/plan_accuracy.py --quick --json
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

import machine
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

GOAL = 1.5  # estimate within this factor of what train takes
SETTINGS: Mapping[str, tuple[str, str, int, str]] = {  # name -> (corpus, method, rows, how long)
    "en-full-short": ("sst2", "full", 1500, "epochs: 2"),
    "en-full-capped": ("sst2", "full", 6000, "max_steps: 60"),
    "en-freeze-short": ("sst2", "freeze", 3000, "epochs: 2"),
    "en-head-short": ("sst2", "head", 4000, "epochs: 2"),
    "en-full-long": ("bank_faq", "full", 400, "epochs: 2"),
    "zh-en-full-short": ("waimai_10k", "full", 1000, "epochs: 2"),
    "zh-en-freeze-short": ("waimai_10k", "freeze", 1500, "epochs: 2"),
}
DISTURBED = 0.3  # cores of other processes, while train runs


def cells(quick: bool) -> list[Cell]:
    """One a setting."""
    cpu = machine.facts()["cpu"]
    names = ["en-full-short", "en-head-short"] if quick else list(SETTINGS)
    return [
        Cell(name, {"setting": name, "rows": SETTINGS[name][2] // (10 if quick else 1), "cpu": cpu}) for name in names
    ]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Plan, train, plan again."""
    folder = workspace / settings["setting"]
    _write_recipe(folder, settings)
    before = _plan(folder)
    with machine.watch() as seen:
        cpu_seconds, peak = _train(folder)
    own = cpu_seconds / seen.seconds
    return {
        "planned_seconds": before["seconds"],
        "planned_again_seconds": _plan(folder)["seconds"],
        "took_seconds": seen.seconds,
        "planned_mb": before["memory_bytes"] / 2**20,
        "took_mb": peak,
        "tokens": before["tokens"],
        "disturbed": seen.disturbed(DISTURBED + own),
    }


def _write_recipe(folder: Path, settings: Settings) -> None:
    """The rows of the corpus as csv, and a recipe beside them."""
    import corpora

    name, method, _rows, long = SETTINGS[settings["setting"]]
    corpus = corpora.load(name)
    parts = {"train": corpus.sample(settings["rows"], seed=0), "test": corpus.test[:500]}
    folder.mkdir(parents=True, exist_ok=True)
    for split, records in parts.items():
        with (folder / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerows([("text", "label"), *((record.text, f"label {record.label}") for record in records)])
    recipe = f"""\
task: classify
model: starter:{corpus.starter}
data: {{train: train.csv, test: test.csv}}
method: {method}
training: {{{long}, max_length: {corpus.max_length}}}
output: run
"""
    (folder / "recipe.yaml").write_text(recipe, "utf-8")


def _command(folder: Path, verb: str) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "WEITIAO_CACHE": str(folder / "cache"), "LC_ALL": "C.UTF-8"}
    return [sys.executable, "-m", "weitiao", verb, "recipe.yaml", "--json"], environment


def _plan(folder: Path) -> dict[str, Any]:
    """Of a run that is not there yet: `check` refuses an output that is taken."""
    arguments, environment = _command(folder, "check")
    answer = subprocess.run(
        [*arguments, "output=planned"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    plan: dict[str, Any] = json.loads(answer.stdout)["plan"]
    return plan


def _train(folder: Path) -> tuple[float, float]:
    """CPU seconds and peak memory in MB of one `train`."""
    arguments, environment = _command(folder, "train")
    with (folder / "train.log").open("w") as log:
        process = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=log)
        watched = _Watched(process.pid)
        watched.start()
        code = process.wait()
    if code != 0:
        raise SystemExit(f"train ended with {code}: {(folder / 'train.log').read_text('utf-8')[-2000:]}")
    return watched.cpu_seconds, watched.peak_mb


class _Watched(threading.Thread):
    """Looks at a process ten times a second until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._pid = pid
        self.cpu_seconds = 0.0
        self.peak_mb = 0.0

    def run(self) -> None:
        while True:
            try:
                times = self._process.cpu_times()
                self.peak_mb = max(self.peak_mb, machine.peak_mb(self._pid))
            except (psutil.Error, OSError, StopIteration):
                return
            self.cpu_seconds = times.user + times.system
            time.sleep(0.1)


def summarise(results: Mapping[str, Result]) -> Summary:
    """Estimate by what was taken, for time and memory."""
    rows, bars = [], {}
    for name, result in results.items():
        found = result.measured
        row = {
            "setting": name,
            "rows": result.settings["rows"],
            "planned_seconds": found["planned_seconds"],
            "took_seconds": found["took_seconds"],
            "time_ratio": round(found["planned_seconds"] / found["took_seconds"], 2),
            "time_ratio_again": round(found["planned_again_seconds"] / found["took_seconds"], 2),
            "planned_mb": found["planned_mb"],
            "took_mb": found["took_mb"],
            "memory_ratio": round(found["planned_mb"] / found["took_mb"], 2),
        }
        rows.append(row)
        bars[f"{name}_time_factor"] = Bar(_factor(row["time_ratio"]), GOAL, at_least=False)
        bars[f"{name}_time_factor_again"] = Bar(_factor(row["time_ratio_again"]), GOAL, at_least=False)
        bars[f"{name}_memory_factor"] = Bar(_factor(row["memory_ratio"]), GOAL, at_least=False)
    return Summary(rows, bars, NOTES)


NOTES = (
    "time_ratio: planned by taken, on a machine that never trained; time_ratio_again: the same plan after one run.",
    "Bars: how far the ratio is from one, either way.",
)


def _factor(ratio: float) -> float:
    return round(max(ratio, 1 / ratio), 3)


if __name__ == "__main__":
    about = "What check plans beside what train takes: time of the whole verb, and peak memory."
    run(Benchmark("plan_accuracy", about, cells, measure, summarise))
