"""Trackers: what each keeps, read back by its own package; without them the run is the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from weitiao.errors import Failed
from weitiao.training import trackers
from weitiao.training.trackers import TrackedRun, flattened, telling

CONFIG = {"training.epochs": 1.0, "task.name": "classify", "data.fields": '["a"]', "report.texts": True}
# A run of three steps with an evaluation behind the third, in a process of its own: the packages keep state there.
RUN = """
import json, sys
seen = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        seen.append([event, repr(args[1:])])
sys.addaudithook(watch)
from pathlib import Path
from weitiao.telemetry import silence
from weitiao.training.journal import Journal
from weitiao.training.trackers import TrackedRun, telling

silence()
names, folder, first, last = sys.argv[1].split(), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
config = json.loads(sys.argv[5])
run = TrackedRun(folder / "trackers", folder / "log.jsonl", "reviews", "run", config)
notes = []
with telling(names, run, lambda event: notes.append(event) if event["kind"] == "note" else None) as told:
    journal = Journal(folder / "log.jsonl")
    journal.rewind(first - 1)
    for step in range(first, last + 1):
        journal.write({"step": step, "loss": 1 / step})
        told({"kind": "step", "step": step, "loss": 1 / step, "learning_rate": 1e-3, "epoch": step / 3})
    if last == 3:
        told({"kind": "evaluation", "step": 3, "train_loss": 0.5, "dev": {"accuracy": 0.75}})
print(json.dumps({"seen": seen, "notes": notes}))
"""


INSTALLED = [name for name in sorted(trackers.STARTED) if find_spec(name) is not None]


def tracked(folder: Path, first: int, last: int) -> list[list[str]]:
    """What was asked of the network while all trackers that are installed were told of these steps."""
    words = [" ".join(INSTALLED), str(folder), str(first), str(last), json.dumps(CONFIG)]
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB_", "MLFLOW_", "SWANLAB_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", RUN, *words], env={**clean, "HOME": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()  # nothing else: stdout is ours
    found: dict[str, Any] = json.loads(line)
    assert found["notes"] == []
    seen: list[list[str]] = found["seen"]
    return seen


@pytest.fixture(scope="module")
def killed_and_resumed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[str]]]:
    """`trackers/` of a run that was killed after step 2 and resumed from a checkpoint of step 1; the network calls."""
    folder = tmp_path_factory.mktemp("tracked")
    seen = tracked(folder, 1, 2) + tracked(folder, 2, 3)
    return folder / "trackers", seen


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(name not in INSTALLED, reason=f"needs the extra {name}")


@pytest.fixture
def run(tmp_path: Path) -> TrackedRun:
    return TrackedRun(tmp_path / "trackers", tmp_path / "log.jsonl", "reviews", "run", CONFIG)


class Kept:
    """Stands for a tracker of accelerate."""

    def __init__(self, fails: bool = False) -> None:
        self.logged: list[tuple[int, dict[str, float]]] = []
        self.configs: list[dict[str, Any]] = []
        self.fails, self.finished = fails, False

    def start(self) -> None: ...

    def store_init_configuration(self, values: dict[str, Any]) -> None:
        self.configs.append(values)

    def log(self, values: dict[str, float], step: int) -> None:
        if self.fails:
            raise OSError("no route")
        self.logged.append((step, values))

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> dict[str, Kept]:
    made = {"tensorboard": Kept(), "wandb": Kept(fails=True)}
    for name, each in made.items():
        monkeypatch.setitem(trackers.STARTED, name, lambda *_args, each=each: each)
    return made


def step(number: int) -> dict[str, Any]:
    return {"kind": "step", "step": number, "loss": 1 / number, "learning_rate": 1e-3, "epoch": 0.5}


def test_a_tracker_that_breaks_is_left_out_and_the_run_goes_on(run: TrackedRun, kept: dict[str, Kept]) -> None:
    events: list[dict[str, Any]] = []
    with telling(["tensorboard", "wandb"], run, events.append) as told:
        for number in (1, 2):
            told(step(number))
        told({"kind": "phase", "text": "saving"})
    assert [number for number, _values in kept["tensorboard"].logged] == [1, 2]
    assert [event["kind"] for event in events] == ["note", "step", "step", "phase"]
    assert events[0]["text"] == (
        "the tracker wandb failed and is left out from here on (no route); log.jsonl has everything"
    )
    assert kept["tensorboard"].finished and not kept["wandb"].finished


def test_steps_that_the_log_has_are_not_told_again(run: TrackedRun, kept: dict[str, Kept]) -> None:
    with telling(["tensorboard"], run, lambda _event: None) as told:
        told(step(1))
    lines = [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}, {"step": 1, "train_loss": 1.0}]
    run.log.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 3, "lo', "utf-8")
    with telling(["tensorboard"], run, lambda _event: None) as told:
        for number in (2, 3):
            told(step(number))
            told({"kind": "evaluation", "step": number, "train_loss": 0.5, "dev": {"f1": 0.25}})
    assert [number for number, _values in kept["tensorboard"].logged] == [1, 2, 3, 3]
    assert kept["tensorboard"].logged[1] == (2, {"train/mean_loss": 0.5, "dev/f1": 0.25})
    assert kept["tensorboard"].configs == [CONFIG]


def test_one_that_does_not_start_stops_the_run(run: TrackedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> Any:
        raise ValueError("no key")

    monkeypatch.setitem(trackers.STARTED, "wandb", broken)
    with (
        pytest.raises(Failed, match=r"the tracker wandb does not start \(no key\); mend its settings"),
        telling(["wandb"], run, lambda _event: None),
    ):
        pass


def test_a_tracker_that_takes_the_signals_gives_them_back(
    run: TrackedRun, kept: dict[str, Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(kept["tensorboard"], "start", lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    with telling(["tensorboard"], run, lambda _event: None):
        assert signal.getsignal(signal.SIGINT) is before


def test_a_recipe_is_flattened() -> None:
    tree = {"task": {"name": "classify", "labels": ["a", "b"]}, "folds": None, "seed": 17}
    assert flattened(tree) == {"task.name": "classify", "task.labels": '["a", "b"]', "seed": 17}


@pytest.mark.slow
def test_no_connection_is_opened_but_to_a_process_of_this_machine(killed_and_resumed: tuple[Path, Any]) -> None:
    _folder, seen = killed_and_resumed
    assert all(event == "socket.connect" and "/socket'" in where for event, where in seen), seen  # W&B's, on a path


@needs("tensorboard")
@pytest.mark.slow
def test_tensorboard(killed_and_resumed: tuple[Path, Any]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = killed_and_resumed[0] / "tensorboard"
    found = EventAccumulator(str(folder))
    found.Reload()
    assert [event.step for event in found.Scalars("train/loss")] == [1, 2, 3]
    assert [event.value for event in found.Scalars("train/loss")] == pytest.approx([1, 1 / 2, 1 / 3])
    assert [(event.step, event.value) for event in found.Scalars("dev/accuracy")] == [(3, 0.75)]
    (config,) = folder.rglob("hparams.yml")
    assert "task.name: classify" in config.read_text("utf-8")


@needs("mlflow")
@pytest.mark.slow
def test_mlflow(killed_and_resumed: tuple[Path, Any]) -> None:
    (metrics,) = (killed_and_resumed[0] / "mlflow").glob("*/*/metrics")
    lines = (metrics / "train/loss").read_text("utf-8").splitlines()  # TIME VALUE STEP, MLflow's own store of files
    assert [line.split()[2] for line in lines] == ["1", "2", "3"]
    assert (metrics / "dev/accuracy").read_text("utf-8").split()[1:3] == ["0.75", "3"]
    assert (metrics.parent / "params/task.name").read_text("utf-8") == "classify"


@needs("wandb")
@pytest.mark.slow
def test_wandb(killed_and_resumed: tuple[Path, Any]) -> None:
    runs = sorted((killed_and_resumed[0] / "wandb/wandb").glob("offline-run-*"))
    assert len(runs) == 2
    assert len({path.name.rpartition("-")[2] for path in runs}) == 1  # of one id
    assert all(next(path.glob("run-*.wandb")).stat().st_size > 0 for path in runs)


@needs("swanlab")
@pytest.mark.slow
def test_swanlab(killed_and_resumed: tuple[Path, Any]) -> None:
    runs = sorted((killed_and_resumed[0] / "swanlab").glob("run-*"))
    assert len({path.name.rpartition("-")[2] for path in runs}) == 1
    assert all(next(path.glob("run-*.swanlab")).stat().st_size > 0 for path in runs)
    assert "classify" in (runs[0] / "files/config.yaml").read_text("utf-8")
