"""Which models a server has at the moment, and the crew that answers for them: replaced as a whole, never changed.

The server itself has no weights: it reads requests and encodes them, which takes the task, the tokenizer and what the
card says. So it starts without torch, and a new version can be made ready beside the one that answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, cast

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.serving.cards import TASK_FILE, AdapterCard, TaskCard, model_folder, version
from weitiao.serving.crew.crew import Crew, Watcher
from weitiao.serving.crew.stations import Loading, Station, Worker
from weitiao.serving.crew.waiting import Bounds
from weitiao.serving.engines import Wanted
from weitiao.serving.predictor import Predictor
from weitiao.text import load_tokenizer


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it is served.

    Args:
        predictor: how requests are read and encoded; in the server without an engine.
        version: hexadecimal, of what is in the model's folder; empty where there is none.
        lock: held while a request is encoded, for tokenizers remember what they met.
    """

    predictor: Predictor
    version: str = ""
    lock: Lock = field(default_factory=Lock, repr=False)

    @property
    def name(self) -> str:
        """Under which it is served."""
        return self.predictor.name


@dataclass(frozen=True, slots=True)
class Staff:
    """The models by name, and who answers."""

    models: Mapping[str, Model]
    crew: Crew

    @classmethod
    def of(cls, models: Sequence[Model], crew: Crew) -> Staff:
        """The staff of these models.

        Raises:
            Refused: two have one name, or a name cannot be part of an address.
        """
        found: dict[str, Model] = {}
        for model in models:
            if set(model.name) & set("/{}?#%"):
                raise Refused(_("'{name}' cannot be part of an address; rename the run").format(name=model.name))
            if model.name in found:
                raise Refused(_("two runs are named '{name}'; serve one of them elsewhere").format(name=model.name))
            found[model.name] = model
        return cls(found, crew)


@dataclass(frozen=True, slots=True)
class Hiring:
    """How the crew of a staff is made.

    Args:
        workers: processes; 0 for none, then this one answers.
        base: the pretrained model of the adapters, in place of the one that each names.
        cores: that the workers share.
        engine: what computes; `auto` for the fastest that answers the same.
        bounds: of the queue.
    """

    workers: int
    base: str | None
    cores: int
    engine: Wanted = "auto"
    bounds: Bounds = field(default_factory=Bounds)

    def hire(self, runs: Mapping[str, Path], watcher: Watcher) -> Staff:
        """A staff that is ready to answer.

        Args:
            runs: what to serve, by the name to serve it under.

        Raises:
            Refused: one cannot be served.
        """
        models = [opened(folder, name, base=self.base) for name, folder in runs.items()]
        threads = max(1, self.cores // max(1, self.workers))
        loading = Loading({name: str(folder) for name, folder in runs.items()}, self.base, threads, self.engine)
        crew = Crew(self._stations(loading), watcher, self.bounds)
        staff = Staff.of(models, crew)
        crew.start()
        return staff

    def _stations(self, loading: Loading) -> list[Station]:
        if self.workers:
            return [Worker(loading) for _each in range(self.workers)]
        from weitiao.serving.crew.worker import load_all

        return [load_all(loading)]


class Elsewhere:
    """Stands where a predictor has its engine, in the server, whose workers have the engines."""

    name = "elsewhere"

    def infer(self, *_arguments: Any, **_options: Any) -> Any:
        """Never asked: what is encoded here is answered by the crew."""
        raise Refused(_("this predictor reads and encodes; the server's workers answer"))


def opened(folder: Path, name: str, *, base: str | None = None) -> Model:
    """A model without its weights.

    Args:
        folder: a run, or its `model/` or `adapter/` folder.
        name: to serve it under.
        base: the pretrained model of an adapter, in place of the one that it names.

    Raises:
        Refused: it is none of them, or unfinished.
    """
    if adapter := AdapterCard.of(folder):
        card, source = adapter.task, adapter.base_folder(base)
    else:
        source = model_folder(folder)
        card = TaskCard.read(source / TASK_FILE)
    predictor = Predictor.of(card, cast("Any", Elsewhere()), load_tokenizer(source))
    return Model(replace(predictor, name=name, folder=folder), version_of(folder))


def version_of(folder: Path) -> str:
    """The version in a run, or in its `model/` or `adapter/` folder."""
    return version(folder if AdapterCard.of(folder) else model_folder(folder))
