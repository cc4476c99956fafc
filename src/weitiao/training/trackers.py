"""Trackers: TensorBoard, W&B, MLflow and SwanLab are told what log.jsonl is told; the classes are accelerate's.

They write below the run, `trackers/NAME`, and open no connection, unless their own environment variables say otherwise
(WANDB_MODE, MLFLOW_TRACKING_URI, SWANLAB_MODE and their like). A tracker that breaks while training goes on is left out
from there on: log.jsonl has everything. A resumed run repeats steps to the same numbers, so those that log.jsonl had
before are not told again.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.artifact import read_json, write_json
from weitiao.errors import Failed
from weitiao.events import OnEvent
from weitiao.messages import _
from weitiao.training.journal import steps_told

IDS = "ids.json"  # tracker -> its own name of the run, so that a resumed one goes on with it


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """What the trackers are told of a run before it begins.

    Args:
        folder: where they write, each in a folder of its own name.
        log: log.jsonl; what it holds already was told before.
        project: what they file the run under.
        name: of the run.
        config: the recipe, as `flattened` gives it.
    """

    folder: Path
    log: Path
    project: str
    name: str
    config: Mapping[str, Any]


@contextmanager
def telling(names: Sequence[str], run: TrackedRun, on_event: OnEvent) -> Iterator[OnEvent]:
    """`on_event`, which inside the block tells the trackers too.

    Raises:
        Failed: a tracker does not start.
    """
    if not names:
        yield on_event
        return
    with ExitStack() as stack:
        fresh = not (run.folder / IDS).is_file()
        ids: dict[str, str] = {} if fresh else read_json(run.folder / IDS)
        trackers = {name: _started(name, run, ids, stack) for name in dict.fromkeys(names)}
        write_json(run.folder / IDS, ids)
        told = _Told(trackers, on_event, *steps_told(run.log))
        stack.callback(told.finish)
        if fresh:
            told.each(lambda tracker: tracker.store_init_configuration(dict(run.config)))
        yield told


class _Told:
    """An `on_event` that also tells the trackers what they have not heard."""

    def __init__(self, trackers: dict[str, Any], on_event: OnEvent, step: int, evaluation: int) -> None:
        self.trackers, self.on_event = trackers, on_event
        self.heard = {"step": step, "evaluation": evaluation}

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind in self.heard and event["step"] > self.heard[kind]:
            values = _step_values(event) if kind == "step" else _dev_values(event)
            self.each(lambda tracker: tracker.log(values, step=event["step"]))
        self.on_event(event)

    def each(self, action: Callable[[Any], None]) -> None:
        """Do it with each tracker; one that breaks is left out from there on."""
        for name, tracker in list(self.trackers.items()):
            try:
                with redirect_stdout(io.StringIO()):
                    action(tracker)
            except Exception as error:  # whatever it is: the run does not depend on it
                del self.trackers[name]
                text = _("the tracker {name} failed and is left out from here on ({reason}); log.jsonl has everything")
                self.on_event({"kind": "note", "text": text.format(name=name, reason=error)})

    def finish(self) -> None:
        """Let them write what they still hold."""
        self.each(lambda tracker: tracker.finish())


def _step_values(event: Mapping[str, Any]) -> dict[str, float]:
    return {f"train/{name}": event[name] for name in ("loss", "learning_rate", "epoch")}


def _dev_values(event: Mapping[str, Any]) -> dict[str, float]:
    return {"train/mean_loss": event["train_loss"]} | {
        f"dev/{name}": value for name, value in event.get("dev", {}).items()
    }


def _started(name: str, run: TrackedRun, ids: dict[str, str], stack: ExitStack) -> Any:
    from accelerate import PartialState

    PartialState(cpu=True)  # accelerate's logger asks for it
    folder = run.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with redirect_stdout(io.StringIO()), _signals_left_alone():
            tracker = STARTED[name](run, folder.absolute(), ids, stack)
            tracker.start()
    except (Exception, SystemExit) as error:
        reason = _(
            "the tracker {name} does not start ({reason}); mend its settings, or take it out of tracking.trackers"
        )
        raise Failed(reason.format(name=name, reason=error)) from error
    if name == "mlflow":  # the only one that does not take a name of ours
        ids[name] = tracker.tracker.info.run_id
    return tracker


def _tensorboard(run: TrackedRun, folder: Path, ids: dict[str, str], stack: ExitStack) -> Any:  # noqa: ARG001
    from accelerate.tracking import TensorBoardTracker

    return TensorBoardTracker(folder.name, folder.parent)


def _wandb(run: TrackedRun, folder: Path, ids: dict[str, str], stack: ExitStack) -> Any:  # noqa: ARG001
    import wandb
    from accelerate.tracking import WandBTracker

    settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True)
    return WandBTracker(
        os.environ.get("WANDB_PROJECT", run.project),
        name=os.environ.get("WANDB_NAME", run.name),
        id=ids.setdefault("wandb", secrets.token_hex(4)),
        resume="allow",
        mode=os.environ.get("WANDB_MODE", "offline"),
        dir=os.environ.get("WANDB_DIR", str(folder)),
        settings=settings,
    )


def _mlflow(run: TrackedRun, folder: Path, ids: dict[str, str], stack: ExitStack) -> Any:
    if "MLFLOW_TRACKING_URI" not in os.environ:  # MLflow calls files outdated and asks to be told that they are wanted
        stack.enter_context(_environment(MLFLOW_TRACKING_URI=folder.as_uri(), MLFLOW_ALLOW_FILE_STORE="true"))
    from accelerate.tracking import MLflowTracker

    return MLflowTracker(run.project, run_id=ids.get("mlflow"), run_name=run.name)


def _swanlab(run: TrackedRun, folder: Path, ids: dict[str, str], stack: ExitStack) -> Any:  # noqa: ARG001
    import swanlab
    from accelerate.tracking import SwanLabTracker

    settings = swanlab.Settings(terminal={"proxy_type": "none"}, probe={"git": False, "monitor": False})
    return SwanLabTracker(
        os.environ.get("SWANLAB_PROJ_NAME", run.project),
        name=os.environ.get("SWANLAB_EXP_NAME", run.name),
        id=ids.setdefault("swanlab", secrets.token_hex(4)),
        resume="allow",
        mode=os.environ.get("SWANLAB_MODE", "offline"),
        log_dir=os.environ.get("SWANLAB_LOG_DIR", str(folder)),
        settings=settings,
    )


STARTED = {"tensorboard": _tensorboard, "wandb": _wandb, "mlflow": _mlflow, "swanlab": _swanlab}


@contextmanager
def _signals_left_alone() -> Iterator[None]:
    """SwanLab takes SIGINT for itself and would end its run, where ours asks the loop to save and leave."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Environment variables for as long as the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def flattened(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """A recipe's tree as `training.epochs: 3`; lists as JSON, and nothing for null."""
    flat: dict[str, str | int | float | bool] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        elif isinstance(value, list):
            flat[prefix + key] = json.dumps(value, ensure_ascii=False)
        elif value is not None:
            flat[prefix + key] = value
    return flat
