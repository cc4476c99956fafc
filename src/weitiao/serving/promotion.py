"""Which run is served in a run's place: `RUN/promoted.json`, and who put it there, when and why.

    {"current": "../reviews-learnt-1", "history": [{"date", "action", "before", "after", "why", "gate"}, ...]}

A server is started with RUN and serves `current(RUN)`, so that the address of a model outlives its versions. Paths are
relative to RUN: the folders can be moved together. Torch-free; the file is replaced whole or not at all. Who changes it
holds a lock from reading to writing, so that of two changes at once none is lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.artifact import RunFolder, open_run, read_json, storage_guard, write_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.serving.cards import TASK_FILE, TaskCard

PROMOTED, LOCK = "promoted.json", ".promoted.lock"
ITSELF = "."  # what the file says of the run that it stands in


class Change(BaseModel):
    """One change of what is served.

    Args:
        date: when, in UTC.
        action: forwards, or back.
        before, after: what was served and what is, relative to the run.
        why: one sentence.
        gate: the figures that the decision rests on; empty of a roll-back.
    """

    model_config = ConfigDict(frozen=True)

    date: str
    action: Literal["promote", "roll-back"]
    before: str
    after: str
    why: str = ""
    gate: Mapping[str, Any] = Field(default_factory=dict)


class Promotions(BaseModel):
    """What promoted.json holds; of a run without it, the run itself is served."""

    model_config = ConfigDict(frozen=True)

    current: str = ITSELF
    history: tuple[Change, ...] = ()

    @classmethod
    def of(cls, run: Path | str) -> Promotions:
        """What stands in a run.

        Raises:
            Refused: the file is not what `weitiao learn` writes.
        """
        path = Path(run) / PROMOTED
        if not path.is_file():
            return cls()
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            message = _("{path}: `{key}` is not as weitiao learn writes it; remove the file to serve the run itself")
            raise Refused(message.format(path=path, key=where)) from error

    def before(self, served: str) -> str | None:
        """What was served before `served` was promoted; None where it never was."""
        promoted = (each for each in reversed(self.history) if each.action == "promote" and each.after == served)
        return next((each.before for each in promoted), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is to be served.

    Args:
        path: the promoted run, or the newest before it that is whole.
        fault: why it is not the promoted one; empty where it is.
    """

    path: Path
    fault: str = ""


def current(run: Path | str) -> Path:
    """The run that is served in the place of `run`: the promoted one, or itself.

    Raises:
        Refused: the promoted run is gone or unfinished; `standing` then tells which earlier one can be served.
    """
    found = standing(run)
    if found.fault:
        raise Refused(found.fault)
    return found.path


def standing(run: Path | str) -> Standing:
    """The promoted run, or where it cannot be opened the newest before it that can, and the reason.

    Raises:
        Refused: not even the run itself is a finished run.
    """
    promotions, fault = Promotions.of(run), ""
    served: str | None = promotions.current
    tried: set[str] = set()
    while served is not None and served not in tried and served != ITSELF:
        try:
            return Standing(open_run(_place(run, served)).path, fault)
        except Refused as error:
            fault = fault or _("{path}: the promoted run cannot be served ({reason})").format(
                path=Path(run) / PROMOTED, reason=error
            )
        tried.add(served)
        served = promotions.before(served)
    return Standing(open_run(run).path, fault)


def promote(
    run: Path | str,
    to: Path | str,
    *,
    why: str = "",
    gate: Mapping[str, Any] | None = None,
    instead_of: Path | str | None = None,
) -> None:
    """Let `to` be served in the place of `run` from now on; nothing is to be done where it is already.

    Args:
        run: the run that a server is started with.
        to: a finished run of the same task.
        why: one sentence.
        gate: the figures that the decision rests on.
        instead_of: what `to` was compared with; another one that is served by now was promoted meanwhile.

    Raises:
        Refused: one is no finished run, they answer different tasks, or another one is served than was thought.
    """
    base, target = open_run(run), open_run(to)
    _refuse_other_task(base, target)
    after = _relative(target.path, base.path)
    with _changing(base) as promotions:
        if after == promotions.current:
            return
        served = _place(run, promotions.current)
        if instead_of is not None and served.resolve() != Path(instead_of).resolve():
            message = _(
                "{run}: {served} was promoted meanwhile, and {to} was not compared with it; nothing is promoted"
            )
            raise Refused(message.format(run=run, served=served, to=to))
        _write(base, promotions, "promote", after, why, gate or {})


def roll_back(run: Path | str, *, why: str = "") -> Path:
    """Let what was served before the promoted run be served again, and give its folder.

    Raises:
        Refused: nothing is promoted, or what was served before is gone or unfinished.
    """
    base = open_run(run)
    with _changing(base) as promotions:
        after = promotions.before(promotions.current)
        if promotions.current == ITSELF or after is None:
            raise Refused(_("{run}: no run is promoted, so there is nothing to roll back").format(run=run))
        path = open_run(_place(run, after)).path
        _write(base, promotions, "roll-back", after, why, {})
    return path


@contextmanager
def _changing(base: RunFolder) -> Iterator[Promotions]:
    """What promoted.json says, which nobody else changes while this is open."""
    from filelock import FileLock  # at use: readers need none

    with storage_guard(base.path / PROMOTED), FileLock(base.path / LOCK):
        yield Promotions.of(base.path)


def _write(
    base: RunFolder,
    promotions: Promotions,
    action: Literal["promote", "roll-back"],
    after: str,
    why: str,
    gate: Mapping[str, Any],
) -> None:
    date = datetime.now(UTC).isoformat(timespec="seconds")
    change = Change(date=date, action=action, before=promotions.current, after=after, why=why, gate=gate)
    made = Promotions(current=after, history=(*promotions.history, change))
    write_json(base.path / PROMOTED, made.model_dump(mode="json"))


def _refuse_other_task(base: RunFolder, target: RunFolder) -> None:
    ours, theirs = (TaskCard.read(each.model / TASK_FILE).task_name for each in (base, target))
    if ours != theirs:
        message = _("{to} answers the task {theirs} and {run} the task {ours}; only a run of the same task is promoted")
        raise Refused(message.format(to=target.path, theirs=theirs, run=base.path, ours=ours))


def _place(run: Path | str, served: str) -> Path:
    """The folder that promoted.json means."""
    return Path(run) if served == ITSELF else Path(os.path.normpath(Path(run) / served))


def _relative(target: Path, base: Path) -> str:
    """As promoted.json says it, with slashes."""
    return Path(os.path.relpath(target.resolve(), base.resolve())).as_posix()
