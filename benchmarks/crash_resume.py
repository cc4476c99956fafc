"""Is a run that was killed and resumed the same run, to the last bit?

A tiny model with dropout is trained through the command line, killed with SIGKILL at a random moment between its first
file and its end, and resumed with `train --resume`. A third of the trials wait for a checkpoint that is being written
and strike there. The trials rotate over three configurations: full fine-tuning with one thread and with two, and frozen
layers with their cache. The final weights and predictions are compared byte for byte with those of a run of the same
configuration that nobody touched.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

TRIALS, IN_WRITES, WRITES_GOAL = 30, 10, 5
EPOCHS, QUICK_EPOCHS, CHECKPOINT_EVERY, SEED = 4, 1, 7, 17
ROWS = {"train": 320, "dev": 48, "test": 48}
COMPARED = ("model/model.safetensors", "predictions.jsonl")
POLL = 0.0005  # seconds; a tiny checkpoint is written in some milliseconds
TRIES = 8  # kills of one trial until one lands inside a write
LONGEST_RUN = 300  # seconds until a run counts as hung
CONFIGURATIONS: Mapping[str, tuple[str, int]] = {  # name -> (method, threads)
    "full-1-thread": ("full", 1),
    "full-2-threads": ("full", 2),
    "freeze": ("{name: freeze, layers: 1}", 1),
}
RECIPE = """\
task: classify
model: {{name: ./tiny, dropout: 0.1}}
data: {{train: train.csv, dev: dev.csv, test: test.csv}}
method: {method}
training:
  {{epochs: {epochs}, batch_size: 4, learning_rate: 1e-3, evaluate_every: 60, checkpoint_every: {every},
   threads: {threads}}}
evaluation: {{baselines: [majority], resamples: 200}}
"""


def cells(quick: bool) -> list[Cell]:
    """One a kill, and one a configuration that is not killed but stands beside the reference."""
    trials, writes, goal, epochs = (3, 1, 1, QUICK_EPOCHS) if quick else (TRIALS, IN_WRITES, WRITES_GOAL, EPOCHS)
    common = {
        "seed": SEED, "trials": trials, "writes_goal": goal, "epochs": epochs, "cpu": machine.facts()["cpu"],
    }  # fmt: skip
    made = [
        Cell(f"undisturbed-{name}", {**common, "trial": -1, "target": "none", "configuration": name})
        for name in CONFIGURATIONS
    ]
    for trial in range(trials):
        target = "write" if trial < writes else "anywhere"
        name = list(CONFIGURATIONS)[trial % len(CONFIGURATIONS)]
        settings = {**common, "trial": trial, "target": target, "configuration": name}
        made.append(Cell(f"kill-{trial:02d}-{name}-{target}", settings))
    return made


def prepare(workspace: Path, quick: bool) -> None:
    """Make model, data and recipes, and a run of each that nobody disturbs."""
    from weitiao.models.tiny import tiny

    tiny("bert", workspace / "tiny", layers=2, hidden=64)
    rng = random.Random(SEED)
    for split, count in ROWS.items():
        lines = ["text,label", *(_made_row(rng) for _ in range(count))]
        (workspace / f"{split}.csv").write_text("\n".join(lines) + "\n", "utf-8")
    epochs = QUICK_EPOCHS if quick else EPOCHS
    for name, (method, threads) in CONFIGURATIONS.items():
        recipe = RECIPE.format(method=method, threads=threads, epochs=epochs, every=CHECKPOINT_EVERY)
        (workspace / f"{name}.yaml").write_text(recipe, "utf-8")
        (workspace / f"{name}.json").write_text(json.dumps(_reference(workspace, name)), "utf-8")


def _reference(workspace: Path, configuration: str) -> dict[str, Any]:
    """What a run leaves that is trained in one go."""
    trial = Trial(workspace, configuration, workspace / f"reference-{configuration}")
    process = trial.start()
    _until(trial.begun, process)
    began = time.monotonic()
    trial.finish(process)
    seconds = time.monotonic() - began
    planned = CONFIGURATIONS[configuration][1]
    if trial.threads() != planned:
        raise SystemExit(f"{configuration}: trained with {trial.threads()} threads, not {planned}")
    return {"seconds": seconds, "steps": trial.step(), "hashes": trial.hashes()}


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
    configuration: str
    output: Path

    def start(self) -> subprocess.Popen[str]:
        """`weitiao train RECIPE`, or `--resume` where the run was begun before.

        The recipe's `threads` decides. Threads that wait asleep, as trials at the same time share the cores; how they
        wait changes no number.
        """
        arguments = (
            ["--resume", str(self.output)] if self.begun() else [f"{self.configuration}.yaml", f"output={self.output}"]
        )
        environment = {
            **os.environ,
            "OMP_WAIT_POLICY": "PASSIVE",
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

    def threads(self) -> int:
        """What torch said when the run began, after the recipe had its way."""
        return int(json.loads((self.output / "data.json").read_text("utf-8"))["resume"]["threads"])

    def hashes(self) -> dict[str, str]:
        return {name: hashlib.sha256((self.output / name).read_bytes()).hexdigest() for name in COMPARED}


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Kill as the settings say, resume, compare."""
    name = settings["configuration"]
    reference = json.loads((workspace / f"{name}.json").read_text("utf-8"))
    rng = random.Random(f"{settings['seed']}-{settings['trial']}")
    trial = Trial(workspace, name, workspace / f"run-{name}-{settings['trial']}")
    kills: list[dict[str, Any]] = []
    if settings["target"] == "write":
        kills = _kill_in_write(trial, rng, writes=reference["steps"] // CHECKPOINT_EVERY)
    elif settings["target"] == "anywhere":
        kills = [_kill_at(trial, rng, reference["steps"])]
    trial.finish(trial.start())
    hashes, threads = trial.hashes(), trial.threads()
    shutil.rmtree(trial.output)
    same = {f"same_{Path(name).stem}": hashes[name] == reference["hashes"][name] for name in COMPARED}
    facts = {"threads": threads, "steps": reference["steps"], "run_seconds": reference["seconds"]}
    return {**same, "kills": kills, "hashes": hashes, **facts}


def _kill_at(trial: Trial, rng: random.Random, steps: int) -> dict[str, Any]:
    """SIGKILL after a random step, the start-up counted as one, and some milliseconds into the next."""
    while True:
        after = rng.randint(0, steps)
        process = trial.start()
        _until(trial.begun, process)
        _until(lambda: trial.step() >= after, process)  # noqa: B023
        time.sleep(rng.uniform(0.0, 0.02))
        if process.poll() is None:
            return _kill(trial, process)
        shutil.rmtree(trial.output)


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
    killed = [each.measured for each in results.values() if each.settings["target"] != "none"]
    rows = [
        {
            "trial": name,
            "configuration": each.settings["configuration"],
            "threads": each.measured["threads"],
            "killed_after_step": [kill["step"] for kill in each.measured["kills"]],
            "in_write": any(kill["in_write"] for kill in each.measured["kills"]),
            "same_weights": each.measured["same_model"],
            "same_predictions": each.measured["same_predictions"],
        }
        for name, each in results.items()
    ]
    planned = max((each.settings["trials"] for each in results.values()), default=TRIALS)
    writes_goal = max((each.settings["writes_goal"] for each in results.values()), default=WRITES_GOAL)
    whole = len(killed) == planned
    in_writes = float(sum(any(kill["in_write"] for kill in each["kills"]) for each in killed))
    bars = {
        "resumed_weights_identical": Bar(_count(killed, "same_model") if whole else None, planned),
        "resumed_predictions_identical": Bar(_count(killed, "same_predictions") if whole else None, planned),
        "killed_inside_a_checkpoint_write": Bar(in_writes if whole else None, writes_goal),
    }
    return Summary(rows, bars, [*NOTES, *_threads_at_work(results)])


NOTES = (
    "killed_after_step: steps in the log when the process died, 0 is before the first; a trial that missed the write "
    "it aimed at was resumed and killed again.",
    "Model: a tiny BERT of 2 layers with dropout 0.1, a checkpoint every 7 steps; freeze: 1 layer frozen, its output "
    "cached on disk. Two trials at a time.",
    "Bars: trials that ended as the undisturbed run of their configuration, of all that were killed.",
)


def _count(killed: Sequence[Mapping[str, Any]], key: str) -> float:
    return float(sum(each[key] for each in killed if each["kills"]))


def _threads_at_work(results: Mapping[str, Result]) -> Iterator[str]:
    """Sums over two threads round otherwise than over one: other weights show that there were two."""
    pair = [results.get(f"undisturbed-{name}") for name in ("full-1-thread", "full-2-threads")]
    if all(pair):
        one, two = (each.measured["hashes"][COMPARED[0]] for each in pair if each)
        said = "differ, so two were at work" if one != two else "are the same to the last bit"
        yield f"Undisturbed weights of one thread and of two {said}; threads: as torch reported them to the run."


if __name__ == "__main__":
    about = "Killed at random moments and resumed: is the outcome that of an undisturbed run?"
    run(Benchmark("crash_resume", about, cells, measure, summarise, prepare, parallel=2))
