"""Is a run that was killed and resumed the same run, to the last bit?

A tiny model with dropout is trained through the command line, killed with SIGKILL at a random moment between its first
file and its end, and resumed with `train --resume`. A third of the trials wait for a checkpoint that is being written
and strike there. The final weights and predictions are compared byte for byte with those of a run that nobody touched.

    python benchmarks/crash_resume.py --quick --json
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

TRIALS, IN_WRITES, SEED = 30, 10, 17
WRITES_GOAL = 5
ROWS = {"train": 320, "dev": 48, "test": 48}
COMPARED = ("model/model.safetensors", "predictions.jsonl")
POLL = 0.0005  # seconds; a tiny checkpoint is written in some milliseconds
TRIES = 8  # kills of one trial until one lands inside a write
LONGEST_RUN = 300  # seconds until a run counts as hung
RECIPE = """\
task: classify
model: {name: ./tiny, dropout: 0.1}
data: {train: train.csv, dev: dev.csv, test: test.csv}
training: {epochs: 4, batch_size: 4, learning_rate: 1e-3, evaluate_every: 60, checkpoint_every: 7, threads: 1}
evaluation: {baselines: [majority], resamples: 200}
"""


def cells(quick: bool) -> list[Cell]:
    """One a kill, and one run that is not killed but stands beside the reference."""
    trials, writes = (3, 1) if quick else (TRIALS, IN_WRITES)
    common = {"seed": SEED, "trials": trials, "cpu": machine.facts()["cpu"]}
    made = [Cell("undisturbed", {**common, "trial": -1, "target": "none"})]
    for trial in range(trials):
        target = "write" if trial < writes else "anywhere"
        made.append(Cell(f"kill-{trial:02d}-{target}", {**common, "trial": trial, "target": target}))
    return made


def prepare(workspace: Path, quick: bool) -> None:  # noqa: ARG001
    """Make model, data and recipe, and the run that nobody disturbs."""
    from weitiao.models.tiny import tiny

    tiny("bert", workspace / "tiny", layers=2, hidden=64)
    rng = random.Random(SEED)
    for split, count in ROWS.items():
        lines = ["text,label", *(_made_row(rng) for _ in range(count))]
        (workspace / f"{split}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (workspace / "recipe.yaml").write_text(RECIPE, "utf-8")
    trial = Trial(workspace, workspace / "reference")
    started = trial.start()
    _until(trial.begun, started)
    began = time.monotonic()
    trial.finish(started)
    facts = {"seconds": time.monotonic() - began, "steps": trial.step(), "hashes": trial.hashes()}
    (workspace / "reference.json").write_text(json.dumps(facts), "utf-8")


def _made_row(rng: random.Random) -> str:
    """A made-up review; its label hangs on a few of its words."""
    words = [
        "quick",
        "brown",
        "fox",
        "jumps",
        "lazy",
        "dog",
        "warm",
        "funny",
        "moving",
        "film",
        "dull",
        "badly",
        "acted",
        "watch",
        "again",
        "parcel",
        "damaged",
    ]
    chosen = [rng.choice(words) for _ in range(rng.randint(4, 24))]
    good = sum(word in ("warm", "funny", "moving", "quick") for word in chosen)
    bad = sum(word in ("dull", "badly", "damaged", "lazy") for word in chosen)
    return f"{' '.join(chosen)},{'good' if good >= bad else 'bad'}"


@dataclass(frozen=True, slots=True)
class Trial:
    """One run folder and the commands that fill it."""

    workspace: Path
    output: Path

    def start(self) -> subprocess.Popen[str]:
        """`weitiao train RECIPE`, or `--resume` where the run was begun before."""
        arguments = ["--resume", str(self.output)] if self.begun() else ["recipe.yaml", f"output={self.output}"]
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "WEITIAO_CACHE": str(self.workspace / "cache"),
            "LC_ALL": "C.UTF-8",
        }
        with (self.workspace / f"{self.output.name}.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "weitiao", "train", *arguments],
                cwd=self.workspace, env=environment, stdout=log, stderr=log, text=True,
            )  # fmt: skip

    def finish(self, process: subprocess.Popen[str]) -> None:
        if process.wait(LONGEST_RUN) != 0:
            log = (self.workspace / f"{self.output.name}.log").read_text("utf-8")
            raise SystemExit(f"{self.output.name}: train ended with {process.returncode}\n{log[-3000:]}")

    def begun(self) -> bool:
        """Whether there is something to resume."""
        return (self.output / "recipe.yaml").is_file()

    def writing(self) -> bool:
        """Whether a checkpoint is half-written."""
        folder = self.output / "checkpoints"
        return folder.is_dir() and any(path.name.startswith(".step-") for path in folder.iterdir())

    def step(self) -> int:
        """Lines of steps in the log."""
        log = self.output / "log.jsonl"
        return log.read_text("utf-8").count('"learning_rate"') if log.is_file() else 0

    def hashes(self) -> dict[str, str]:
        return {name: hashlib.sha256((self.output / name).read_bytes()).hexdigest() for name in COMPARED}


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Kill as the settings say, resume, compare."""
    reference = json.loads((workspace / "reference.json").read_text("utf-8"))
    rng = random.Random(f"{settings['seed']}-{settings['trial']}")
    trial = Trial(workspace, workspace / f"run-{settings['trial']}")
    kills: list[dict[str, Any]] = []
    if settings["target"] == "write":
        kills = _kill_in_write(trial, rng, writes=reference["steps"] // 7)
    elif settings["target"] == "anywhere":
        kills = [_kill_at(trial, rng.uniform(0.0, reference["seconds"]))]
    trial.finish(trial.start())
    hashes = trial.hashes()
    shutil.rmtree(trial.output)
    same = {f"same_{Path(name).stem}": hashes[name] == reference["hashes"][name] for name in COMPARED}
    return {**same, "kills": kills, "steps": reference["steps"], "run_seconds": reference["seconds"]}


def _kill_at(trial: Trial, seconds: float) -> dict[str, Any]:
    """SIGKILL so long after the run's first file; a little earlier where the run was quicker than the reference."""
    while True:
        process = trial.start()
        _until(trial.begun, process)
        until = time.monotonic() + seconds
        _until(lambda: time.monotonic() >= until, process)  # noqa: B023
        if process.poll() is None:
            return _kill(trial, process)
        shutil.rmtree(trial.output)
        seconds *= 0.9


def _kill_in_write(trial: Trial, rng: random.Random, writes: int) -> list[dict[str, Any]]:
    """SIGKILL inside the write of a random checkpoint; one that came too late is resumed and tried again."""
    kills: list[dict[str, Any]] = []
    while len(kills) < TRIES and not (kills and kills[-1]["in_write"]):
        process = trial.start()
        for _ in range(rng.randint(1, max(1, writes // 2))):
            _until(lambda: not trial.writing(), process)
            _until(trial.writing, process)
        time.sleep(rng.uniform(0.0, 0.004))
        if process.poll() is not None:
            break
        kills.append(_kill(trial, process))
    return kills


def _kill(trial: Trial, process: subprocess.Popen[str]) -> dict[str, Any]:
    process.kill()
    process.wait()
    return {"step": trial.step(), "in_write": trial.writing()}


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for the condition, or for the end of the process."""
    while process.poll() is None and not condition():
        time.sleep(POLL)


def summarise(results: Mapping[str, Result]) -> Summary:
    """How many came out the same."""
    trials = {name: each.measured for name, each in results.items() if name != "undisturbed"}
    rows = [
        {
            "trial": name,
            "killed_after_step": [kill["step"] for kill in each.measured["kills"]],
            "in_write": any(kill["in_write"] for kill in each.measured["kills"]),
            "same_weights": each.measured["same_model"],
            "same_predictions": each.measured["same_predictions"],
        }
        for name, each in results.items()
    ]
    planned = max((each.settings["trials"] for each in results.values()), default=TRIALS)
    bars = {
        "resumed_weights_identical": Bar(_count(trials, "same_model"), planned),
        "resumed_predictions_identical": Bar(_count(trials, "same_predictions"), planned),
        "killed_inside_a_checkpoint_write": Bar(
            float(sum(row["in_write"] for row in rows)), min(WRITES_GOAL, planned // 3)
        ),
    }
    return Summary(rows, bars, NOTES)


NOTES = (
    "killed_after_step 0: before the first logged step; a trial that missed the write it aimed at was resumed and "
    "killed again.",
    "Model: a tiny BERT with dropout 0.1, 320 steps, a checkpoint every 7; one thread a run, two trials at a time.",
)


def _count(trials: Mapping[str, Mapping[str, Any]], key: str) -> float:
    return float(sum(each[key] for each in trials.values() if each["kills"]))


if __name__ == "__main__":
    about = "Killed at random moments and resumed: is the outcome that of an undisturbed run?"
    run(Benchmark("crash_resume", about, cells, measure, summarise, prepare, parallel=2))
