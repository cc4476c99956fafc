"""The study: an Optuna study in the output folder that several workers share, and from which no trial is lost.

    OUTPUT/
      recipe.yaml  study.json  study.journal (or study.sqlite)  workers/  trials/N/  tune.json  tune.html  best.yaml

A worker holds a lock on a file of its own for as long as it lives; the system frees it, however the worker ends. Under
the study's lock a worker looks for running trials whose worker is gone, puts them back into the queue, and asks for its
next trial. A trial that is put back goes on in the folder, and from the checkpoint, that the lost one left.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder, read_json, write_json
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.tuning.reading import Written, parse_space
from weitiao.tuning.search import Search, grid, make_pruner, make_sampler, open_optuna
from weitiao.tuning.space import Change, Space, shown_changes

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial

REPEATS = 20  # draws in a row that were all tried before, after which a search ends
RETRIES = 3  # times that a trial whose worker died is tried again; it may be what kills them
NAME = "tune"


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Names inside a study's folder."""

    path: Path

    @property
    def recipe(self) -> Path:
        """The recipe that the space changes, with whole paths."""
        return self.path / "recipe.yaml"

    @property
    def about(self) -> Path:
        """Search, space and fingerprints of the rows."""
        return self.path / "study.json"

    @property
    def result(self) -> Path:
        return self.path / "tune.json"

    @property
    def page(self) -> Path:
        return self.path / "tune.html"

    @property
    def best(self) -> Path:
        return self.path / "best.yaml"

    @property
    def lock(self) -> Path:
        """Held while trials are handed out."""
        return self.path / "handing.lock"

    @property
    def turn(self) -> Path:
        """Held by the one `weitiao tune` that is at work here."""
        return self.path / "tune.lock"

    def log(self, name: str) -> Path:
        """What a worker process says."""
        return self.path / "workers" / f"{name}.log"

    def worker(self, name: str) -> Path:
        """The lock of a worker."""
        return self.path / "workers" / f"{name}.lock"

    def trial(self, number: int) -> RunFolder:
        """The run of a trial."""
        return RunFolder(self.path / "trials" / str(number))

    def final(self, side: str) -> Path:
        """Where the winner or the recipe is trained at the end."""
        return self.path / "final" / side


@dataclass(frozen=True, slots=True)
class About:
    """What a study is about; stands in its folder as study.json.

    Args:
        metric: the score of a trial.
        higher: whether more of it is better.
        measured: split -> fingerprint of the rows that all trials are compared on.
        evaluations: on dev in one fit; None where the space changes how many.
    """

    search: Search
    written: Written
    metric: str
    higher: bool
    measured: dict[str, str]
    evaluations: int | None

    def write(self, folder: StudyFolder) -> None:
        """Keep it."""
        from weitiao import __version__

        space = {"file": self.written.file, "tree": self.written.tree, "lines": dict(self.written.lines)}
        rest = {
            "metric": self.metric,
            "higher": self.higher,
            "measured": self.measured,
            "evaluations": self.evaluations,
        }
        search = self.search.model_dump(mode="json")
        write_json(folder.about, {"weitiao": __version__, "search": search, "space": space, **rest})

    @classmethod
    def read(cls, folder: StudyFolder) -> About:
        """What was kept.

        Raises:
            Refused: there is no study here.
        """
        if not folder.about.is_file():
            raise Refused(_("{path}: not a study (no study.json in it)").format(path=folder.path))
        kept = read_json(folder.about)
        return cls(
            Search.model_validate(kept["search"]), Written(**kept["space"]), kept["metric"], kept["higher"],
            kept["measured"], kept["evaluations"],
        )  # fmt: skip


class Study:
    """A study, opened by one process."""

    def __init__(self, folder: StudyFolder) -> None:
        self.folder = folder
        self.about = About.read(folder)
        self.search = self.about.search
        self.space: Space = parse_space(self.about.written)
        first = "maximize" if self.about.higher else "minimize"
        with self._locked():
            self.optuna_study = open_optuna().create_study(
                storage=_storage(folder, self.search.storage),
                study_name=NAME,
                directions=[first, *["minimize"] * len(self.search.against)],
                pruner=make_pruner(self.search, self.about.evaluations),
                load_if_exists=True,
            )
            self._queue_grid()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock

        self.folder.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.folder.lock):
            yield

    def _queue_grid(self) -> None:
        if self.search.sampler != "grid":
            return
        queued = {_key(_fixed(trial)) for trial in self.trials()}
        for combination in grid(self.space):
            if _key(combination) not in queued:
                self.optuna_study.enqueue_trial(dict(combination))

    def trials(self) -> Sequence[FrozenTrial]:
        """All of them, by number."""
        return self.optuna_study.get_trials(deepcopy=False)  # type: ignore[no-any-return]

    @contextmanager
    def worker(self) -> Iterator[str]:
        """The name of a worker, which is alive inside the block."""
        from filelock import FileLock

        name = uuid.uuid4().hex[:12]
        path = self.folder.worker(name)
        path.parent.mkdir(exist_ok=True)
        with FileLock(path):
            yield name
        path.unlink(missing_ok=True)

    def ask(self, worker: str) -> tuple[Trial, list[Change]] | None:
        """The next trial and its changes to the recipe; None when the budget is used up."""
        with self._locked():
            self._find_lost(worker)
            trials = self.trials()
            if used_up(self.search, trials) or exhausted(self.search, self.space, trials):
                return None
            drawn = sum("continues" not in trial.user_attrs for trial in trials)
            self.optuna_study.sampler = make_sampler(self.search, drawn)
            trial = self.optuna_study.ask()
            trial.set_user_attr("worker", worker)
            changes = self.space.draw(trial)
            trial.set_user_attr("changes", shown_changes(changes))
            self._go_on(trial)
        return trial, changes

    def _go_on(self, trial: Trial) -> None:
        """Take over what a lost trial left: its folder, and what was reported of it."""
        before = trial.user_attrs.get("continues")
        if before is None:
            return
        left, own = self.folder.trial(before).path, self.folder.trial(trial.number).path
        if left.is_dir() and not own.exists():
            os.replace(left, own)
        if not self.search.against:
            for step, value in self.trials()[before].intermediate_values.items():
                trial.report(value, step)

    def same_as(self, trial: Trial) -> FrozenTrial | None:
        """A measured trial with the same changes: its score would come out again."""
        changes = trial.user_attrs["changes"]
        done = (each for each in self.trials() if each.state.name == "COMPLETE")
        return next((each for each in done if each.user_attrs["changes"] == changes), None)

    def complete(self, trial: Trial, values: Sequence[float]) -> None:
        """The trial was measured."""
        self.optuna_study.tell(trial, list(values))

    def prune(self, trial: Trial, kind: str, reason: str) -> None:
        """The trial was given up: 'impossible' (refused before training), or 'pruned' (others do better)."""
        trial.set_user_attr("kind", kind)
        trial.set_user_attr("reason", reason)
        self.optuna_study.tell(trial, state=open_optuna().trial.TrialState.PRUNED)

    def fail(self, trial: Trial, reason: str) -> None:
        """The trial broke while it ran."""
        trial.set_user_attr("reason", reason)
        self.optuna_study.tell(trial, state=open_optuna().trial.TrialState.FAIL)

    def leave(self, trial: Trial) -> None:
        """Put the trial of a worker that is asked to stop back into the queue; no strike against it."""
        with self._locked():
            self._lose(self.trials()[trial.number], strikes=0)
            self._put_back()

    def _find_lost(self, worker: str) -> None:
        """Put the trials back whose workers are gone; a kill at any moment, of this too, leaves what it looks at."""
        running = open_optuna().trial.TrialState.RUNNING
        alive: Callable[[str], bool] = lambda name: name == worker or _held(self.folder.worker(name))  # noqa: E731
        for trial in self.trials():
            if trial.state == running and not alive(trial.user_attrs.get("worker", "")):
                self._lose(trial, strikes=1)
        self._put_back()

    def _lose(self, trial: FrozenTrial, *, strikes: int) -> None:
        storage = self.optuna_study._storage
        strikes += trial.user_attrs.get("strikes", 0)
        storage.set_trial_user_attr(trial._trial_id, "lost", True)
        storage.set_trial_user_attr(trial._trial_id, "strikes", strikes)
        reason = _("its worker was lost") if strikes < RETRIES else _("its worker was lost {n} times").format(n=strikes)
        storage.set_trial_user_attr(trial._trial_id, "reason", reason)
        self.optuna_study.tell(trial.number, state=open_optuna().trial.TrialState.FAIL)

    def _put_back(self) -> None:
        trials = self.trials()
        followed = {trial.user_attrs.get("continues") for trial in trials}
        for trial in trials:
            strikes = trial.user_attrs.get("strikes", 0)
            if is_lost(trial) and trial.number not in followed and strikes < RETRIES:
                attributes = {"continues": trial.number, "strikes": strikes}
                self.optuna_study.enqueue_trial(_fixed(trial), attributes)


def is_lost(trial: FrozenTrial) -> bool:
    """Whether its worker died and it was put back, or given up."""
    return trial.state.name == "FAIL" and bool(trial.user_attrs.get("lost"))


def used_up(search: Search, trials: Sequence[FrozenTrial]) -> bool:
    """Whether no trial is to begin any more."""
    begun = [trial for trial in trials if trial.state.name != "WAITING" and not is_lost(trial)]
    given_up = [trial for trial in trials if _given_up(trial)]
    if search.sampler == "grid" and len(trials) == len([each for each in trials if each.state.name != "WAITING"]):
        return True
    if search.trials is not None and len(begun) + len(given_up) >= search.trials:
        return True
    return search.minutes is not None and busy_seconds(trials) >= 60 * search.minutes


def trials_left(search: Search, space: Space, trials: Sequence[FrozenTrial]) -> int | None:
    """How many trials are to end yet, those in hand too; None where only time ends them."""
    ended = [trial for trial in trials if _given_up(trial) or (trial.state.is_finished() and not is_lost(trial))]
    size = None if search.sampler == "grid" else space.size()
    left = [
        *([search.trials - len(ended)] if search.trials is not None else []),
        *([size - len({_combination(trial) for trial in ended})] if size is not None else []),
        *([sum(not trial.state.is_finished() for trial in trials)] if search.sampler == "grid" else []),
    ]
    return max(0, min(left)) if left else None


def exhausted(search: Search, space: Space, trials: Sequence[FrozenTrial]) -> str:
    """Why no further trial would tell anything new, whatever the budget; empty where one may.

    It is read off the trials alone, so all workers, and those that go on later, find the same.
    """
    if any(trial.state.name == "WAITING" for trial in trials):
        return ""
    begun = [_combination(trial) for trial in trials if "changes" in trial.user_attrs and _stands(trial)]
    tried = len(set(begun))
    if begun and (search.sampler == "grid" or tried >= (space.size() or math.inf)):
        return _("every combination of the space was tried ({count})").format(count=tried)
    if len(begun) > REPEATS and all(each in begun[:place] for place, each in list(enumerate(begun))[-REPEATS:]):
        return _("the last {count} combinations drawn had all been tried before").format(count=REPEATS)
    return ""


def _combination(trial: FrozenTrial) -> str:
    """What a trial changes, without the last bits of numbers in steps."""
    changes = trial.user_attrs.get("changes", {})
    return repr({key: f"{value:.12g}" if isinstance(value, float) else value for key, value in changes.items()})


def _given_up(trial: FrozenTrial) -> bool:
    return is_lost(trial) and trial.user_attrs.get("strikes", 0) >= RETRIES


def _stands(trial: FrozenTrial) -> bool:
    """Whether no other trial took, or takes, its place."""
    return _given_up(trial) or not is_lost(trial)


def busy_seconds(trials: Sequence[FrozenTrial]) -> float:
    """Time in which at least one trial ran, over all sessions; of lost trials nobody knows when they ended."""
    spans = sorted(
        (trial.datetime_start.timestamp(), trial.datetime_complete.timestamp())
        for trial in trials
        if trial.datetime_start and trial.datetime_complete and not is_lost(trial)
    )
    total, reached = 0.0, 0.0
    for start, end in spans:
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


def _fixed(trial: FrozenTrial) -> dict[str, Any]:
    """The parameters that a trial was given, or was drawn with."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}


def _key(parameters: Any) -> str:
    return repr(sorted(dict(parameters).items()))


def _held(path: Path) -> bool:
    """Whether a living process holds the lock."""
    from filelock import FileLock, Timeout

    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _storage(folder: StudyFolder, kind: str) -> Any:
    optuna = open_optuna()
    if kind == "sqlite":
        return optuna.storages.RDBStorage(f"sqlite:///{folder.path / 'study.sqlite'}")
    journal = folder.path / "study.journal"
    backend = optuna.storages.journal.JournalFileBackend(str(journal), lock_obj=_JournalLock(journal))
    return optuna.storages.JournalStorage(backend)


class _JournalLock:
    """Optuna's journal lock as one of the system's, which a killed process does not keep (Optuna's own waits 30 s)."""

    def __init__(self, journal: Path) -> None:
        from filelock import FileLock

        self._journal = journal
        self._lock = FileLock(journal.with_suffix(".lock"))

    def acquire(self) -> bool:
        self._lock.acquire()
        _mend(self._journal)
        return True

    def release(self) -> None:
        self._lock.release()


def _mend(journal: Path) -> None:
    """Cut off the half line of a process that was killed while it wrote; else the next would be written behind it."""
    with journal.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 1))
        if size == 0 or stream.read() == b"\n":
            return
        stream.seek(0)
        whole = stream.read().rfind(b"\n") + 1
    os.truncate(journal, whole)
