"""A claimed run folder: what it is begun with is written down, and it is gone on with by nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from weitiao.artifact import RunFolder, read_json, write_json
from weitiao.errors import Interrupted, Refused, StorageFull
from weitiao.events import OnEvent
from weitiao.messages import _
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.conditions import conditions, other_rounding, refuse_changed
from weitiao.verbs.preparing.frame import frame
from weitiao.verbs.preparing.memory import MEMORY, named
from weitiao.verbs.preparing.preflight import Preflight, inspect, judge


def reopened(folder: RunFolder, data: Any, on_event: OnEvent) -> Preflight:
    """A run that may be gone on with: recipe and data are those that it began with."""
    if not folder.recipe.is_file():
        raise Refused(_("{path}: not a run folder (no recipe.yaml in it)").format(path=folder.path))
    return found_again(folder, data, on_event)


def found_again(folder: RunFolder, data: Any, on_event: OnEvent, verb: str = "train") -> Preflight:
    """What `folder` was begun with, looked at once more.

    Raises:
        Refused: the rows are not those that it was begun with.
    """
    on_event({"kind": "phase", "text": _("checking recipe and data")})
    before = read_json(folder.data) if folder.data.is_file() else {}
    if data is None and any(file.get("format") == MEMORY for file in before.get("files", [])):
        message = _(
            "{path}: the run was trained on rows in memory, which are not kept; hand the rows over: "
            "weitiao.{verb}(resume={run!r}, data=rows)"
        )
        raise Refused(message.format(path=folder.path, verb=verb, run=str(folder.path)))
    with resumable(folder, verb):
        recipe = load_recipe(folder.recipe, frame())
        found = inspect(recipe, memory=named(data), full=True, recipe_file=str(folder.recipe))
    judge(found, on_event)
    if before and before.get("splits") != data_json(found)["splits"]:
        raise Refused(
            _("{path}: the data changed since the run began, so it cannot be resumed; start a new run").format(
                path=folder.path
            )
        )
    return found


@contextmanager
def resumable(folder: RunFolder, verb: str = "train", options: str = "") -> Iterator[None]:
    """Say how to go on, and with which options, when the run is left before its end."""
    hint = _("{reason}; go on with: weitiao {verb} --resume {path}") + options
    try:
        yield
    except KeyboardInterrupt as error:  # while no StopSignal is held
        raise Interrupted(hint.format(reason=_("interrupted"), verb=verb, path=folder.path)) from error
    except Interrupted as error:
        raise Interrupted(hint.format(reason=error, verb=verb, path=folder.path)) from error
    except StorageFull as error:
        raise StorageFull(hint.format(reason=error, verb=verb, path=folder.path)) from error


def note_conditions(found: Preflight, folder: RunFolder, on_event: OnEvent, processes: int) -> None:
    """Write data.json, or see whether a run that has it may go on."""
    now = conditions(found, folder, processes=processes)
    if not folder.data.is_file():
        write_json(folder.data, {**data_json(found), "resume": now})
        return
    before = read_json(folder.data).get("resume", {})
    refuse_changed(folder, before, now)
    for text in other_rounding(before, now):
        on_event({"kind": "note", "text": text})


def data_json(found: Preflight) -> dict[str, Any]:
    """What data.json keeps: files, ledger, splits with fingerprints, labels."""
    dataset = found.dataset
    if dataset is None:
        raise Refused(_("there are no rows to train on"))
    return {**dataset.to_json(), "labels": list(found.labels)}
