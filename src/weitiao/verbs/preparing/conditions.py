"""What a run depends on beyond its rows: recipe, model, threads, processes. Kept in data.json, compared on resuming.

A changed recipe or model would make one run of two; other threads or processes only round otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weitiao import __version__
from weitiao.artifact import RunFolder, sha256_of
from weitiao.errors import Failed, Refused
from weitiao.messages import _
from weitiao.verbs.preparing.preflight import Preflight


def conditions(found: Preflight, folder: RunFolder, *, processes: int) -> dict[str, Any]:
    """As they are now, for the key `resume` of data.json."""
    import torch

    if found.folder is None:
        raise Failed(_("the model was not found"))
    return {
        "weitiao": __version__,
        "recipe": sha256_of(folder.recipe),
        "model": _files(found.folder.path),
        "threads": torch.get_num_threads(),
        "processes": processes,
    }


def _files(model: Path) -> dict[str, Any]:
    """Size and sha256 of what a model is built from."""
    return {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(model.iterdir())
        if path.suffix == ".safetensors" or path.name == "config.json"
    }


def refuse_changed(folder: RunFolder, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with another recipe or another model.

    Raises:
        Refused: one of them changed.
    """
    what = {"recipe": _("recipe.yaml"), "model": _("the pretrained model")}
    for key, name in what.items():
        if key in before and before[key] != now[key]:
            raise Refused(
                _("{path}: {what} changed since the run began, so it cannot be resumed; start a new run").format(
                    path=folder.path, what=name
                )
            )


def other_rounding(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A sentence for each change after which the last bits may differ."""
    what = {"threads": _("torch threads"), "processes": _("processes"), "weitiao": _("weitiao's version")}
    for key, name in what.items():
        if key in before and before[key] != now[key]:
            yield _("{what}: {now} instead of {before}; the result may differ in its last bits").format(
                what=name, now=now[key], before=before[key]
            )
