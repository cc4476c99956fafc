"""Checkpoints: written beside, fsynced, renamed, checksummed; nothing is unpickled.

    checkpoints/step-00000120/
      weights.safetensors      parameters that learn
      optimizer.safetensors    moments, by parameter index
      method.safetensors       what the method keeps, where it keeps anything
      average.safetensors      running average of the weights, where one is wanted
      state.json               step, history, ...; and the sha256 of each file and of this state

A step has one checkpoint: training is deterministic, so an intact one is never written again. Random numbers need no
state: the draws of a step are seeded by (seed, step), so a resumed run repeats them.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from weitiao.artifact import replacing_folder, sha256_of
from weitiao.messages import _

Tensors = Mapping[str, Mapping[str, Tensor]]  # file stem -> name -> tensor
STATE = "state.json"
NEEDED = ("weights", "optimizer")  # stems that every checkpoint has
_FOLDER = re.compile(r"step-(\d{8})")


def save(folder: Path, tensors: Tensors, state: Mapping[str, Any]) -> Path:
    """Write one checkpoint under `folder`, named by `state["step"]`; whole or not at all, never over an intact one."""
    target = at_step(folder, state["step"])
    if target.is_dir() and not fault(target):
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with replacing_folder(target) as beside:
        sums = {STATE: _digest(state)}
        for stem, values in tensors.items():
            if values or stem in NEEDED:
                path = _file(beside, stem)
                save_file(dict(values), path)
                sums[path.name] = sha256_of(path)
        (beside / STATE).write_text(json.dumps({**state, "sha256": sums}, ensure_ascii=False), "utf-8")
    return target


def load(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """(tensors, state) of a checkpoint."""
    state, sums = _read(path)
    return {Path(name).stem: load_file(path / name) for name in sums if name != STATE}, state


def newest(folder: Path) -> tuple[Path | None, list[str]]:
    """The newest intact checkpoint, and a sentence for each broken one that was passed over."""
    warnings: list[str] = []
    for path in reversed(list(_steps(folder))):
        reason = fault(path)
        if not reason:
            return path, warnings
        warnings.append(_("{path}: {reason}; the checkpoint before it is used").format(path=path, reason=reason))
    return None, warnings


def at_step(folder: Path, step: int) -> Path:
    """Where the checkpoint of `step` stands."""
    return folder / f"step-{step:08d}"


def fault(path: Path) -> str:
    """Why a checkpoint cannot be used; empty when it is intact."""
    try:
        state, sums = _read(path)
        kept = dict.fromkeys([*(_file(path, stem).name for stem in NEEDED), *(sums.keys() - {STATE})])
        found = {**{name: sha256_of(path / name) for name in kept}, STATE: _digest(state)}
        if at_step(path.parent, int(state["step"])) != path:
            return _("{name} is of step {step}").format(name=STATE, step=state["step"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return _("the checkpoint is torn ({reason})").format(reason=error)
    for name, digest in found.items():
        if sums.get(name) != digest:
            return _("{name} does not match its checksum").format(name=name)
    return ""


def _file(folder: Path, stem: str) -> Path:
    return folder / f"{stem}.safetensors"


def _read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """(state, file name -> sha256) of a checkpoint."""
    state: dict[str, Any] = json.loads((path / STATE).read_text("utf-8"))
    sums: dict[str, str] = dict(state.pop("sha256"))
    return state, sums


def _digest(state: Mapping[str, Any]) -> str:
    """sha256 of a state, the same before it was written and after it was read."""
    return hashlib.sha256(json.dumps(state, sort_keys=True, ensure_ascii=False).encode("utf-8")).hexdigest()


def prune(folder: Path, keep: int, best_step: int | None) -> None:
    """Remove all but the newest `keep` checkpoints and the best one, and what a killed process left half-written."""
    steps = list(_steps(folder))
    for path in steps[:-keep]:
        if path != (at_step(folder, best_step) if best_step is not None else None):
            shutil.rmtree(path, ignore_errors=True)
    for path in folder.glob(".step-*"):
        shutil.rmtree(path, ignore_errors=True)


def _steps(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.iterdir() if _FOLDER.fullmatch(path.name))


def moments(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors, named INDEX.KEY."""
    states = optimiser.state_dict()["state"]
    return {
        f"{index}.{key}": value.contiguous() if isinstance(value, Tensor) else torch.tensor(value)
        for index, state in states.items()
        for key, value in state.items()
        if value is not None
    }


def restore_moments(optimiser: torch.optim.Optimizer, saved: Mapping[str, Tensor]) -> None:
    """Put back what `moments` gave."""
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in saved.items():
        index, _dot, key = name.partition(".")
        states.setdefault(int(index), {})[key] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": states})
