"""What a fitted model says of itself: task.json in `model/`, adapter.json in `adapter/`. Torch-free."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.artifact import ADAPTER_CARD, RunFolder, open_run, read_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.reference import locate
from weitiao.tasks import TASKS, Settings

TASK_FILE = "task.json"
DIGITS = 12  # of a version


@dataclass(frozen=True, slots=True)
class TaskCard:
    """What the task needs to answer again; `fields`: those that the training rows filled, if the card says so."""

    task_name: str
    options: Mapping[str, Any]
    labels: Sequence[str]
    settings: Settings
    max_length: int
    name: str
    fields: frozenset[str] | None

    @classmethod
    def read(cls, path: Path) -> TaskCard:
        """The card in a file.

        Raises:
            Refused: it is not there, or lacks a key.
        """
        value = read_json(path)
        try:
            return cls(
                task_name=value["task"],
                options=value.get("options") or {},
                labels=value["labels"],
                settings=value.get("settings") or {},
                max_length=int(value["max_length"]),
                name=value.get("name") or path.resolve().parent.parent.name,
                fields=frozenset(value["fields"]) if "fields" in value else None,
            )
        except KeyError as error:
            raise Refused(_("{path}: `{key}` is missing").format(path=path, key=error.args[0])) from error

    def task(self) -> Any:
        """The task, built with the options it was trained with."""
        kind: Callable[..., Any] = TASKS[self.task_name]
        return kind(kind.options_model.model_validate(self.options))  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class AdapterCard:
    """What `adapter.json` says: as `task.json`, and the method and the base.

    Args:
        folder: where the adapter is.
        task: of the fitted model.
        method: name of the method.
        base: the pretrained model's reference.
        sha256: digest of its weights.
    """

    folder: Path
    task: TaskCard
    method: str
    base: str
    sha256: str

    @classmethod
    def of(cls, folder: Path) -> AdapterCard | None:
        """The card of an `adapter/` folder; None where the folder is none."""
        return cls.read(folder) if (folder / ADAPTER_CARD).is_file() else None

    @classmethod
    def read(cls, folder: Path) -> AdapterCard:
        """The card of an `adapter/` folder.

        Raises:
            Refused: it is not there, or lacks a key.
        """
        path = folder / ADAPTER_CARD
        task, value = TaskCard.read(path), read_json(path)
        try:
            return cls(folder, task, value["method"]["name"], value["base"]["name"], value["base"]["sha256"])
        except KeyError as error:
            raise Refused(_("{path}: `{key}` is missing").format(path=path, key=error.args[0])) from error

    def base_folder(self, base: Path | str | None = None, *, trust_remote_code: bool = False) -> Path:
        """The folder of the pretrained model.

        Args:
            base: its reference, in place of the one that the card names.

        Raises:
            Refused: it is not there.
        """
        try:
            return locate(str(base or self.base), code=trust_remote_code)
        except Refused as error:
            if base is not None:
                raise
            message = _("{folder}: its base cannot be had ({reason}); if it is elsewhere now, name it with --base")
            raise Refused(message.format(folder=self.folder, reason=error)) from error


def adapter_folder(folder: Path) -> Path:
    """The `adapter/` folder: the folder itself, or the one in a run.

    Raises:
        Refused: neither is one.
    """
    for each in (folder, RunFolder(folder).adapter):
        if (each / ADAPTER_CARD).is_file():
            return each
    if RunFolder(folder).recipe.is_file():
        message = _("{folder}: the run has no adapter, for its method changes the whole model or it is not finished")
        raise Refused(message.format(folder=folder))
    raise Refused(_("{folder}: no adapter; expected an `adapter` folder of a run, or the run").format(folder=folder))


def model_folder(run: Path) -> Path:
    """The folder with `task.json`: `run` itself, or the `model/` in it.

    Raises:
        Refused: neither is one.
    """
    return run if (run / TASK_FILE).is_file() else open_run(run).model


def version(folder: Path) -> str:
    """Which version of a model it is: hexadecimal, of the names and bytes of its files."""
    total = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        with path.open("rb") as stream:
            total.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return total.hexdigest()[:DIGITS]
