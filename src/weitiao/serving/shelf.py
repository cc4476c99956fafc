"""Several fine-tuned tasks on one pretrained model: its weights are in memory once, each task adds what it learnt.

    shelf = weitiao.Adapters("starter:zh-en")
    shelf.add("runs/reviews")
    shelf.add("runs/people", name="people")
    shelf["people"].predict(["..."])

An adapter is the `adapter/` of a run. `merge` folds one into weights of its own, which is a little faster and takes
the memory of what it touches; `unmerge` goes back to the shared ones, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.reference import locate
from weitiao.serving.cards import AdapterCard, adapter_folder
from weitiao.serving.predictor import Predictor
from weitiao.tables import did_you_mean
from weitiao.text import load_tokenizer

if TYPE_CHECKING:
    from weitiao.methods.adapters import Opened


@dataclass(slots=True)
class _Held:
    """An adapter on the shelf: where it came from, how it answers, and how it answers while it is merged."""

    card: AdapterCard
    shared: Predictor
    merged: Predictor | None = None


class Adapters:
    """Predictors by name, on one base.

    Args:
        base: the pretrained model: `starter:NAME`, a folder, `hf:owner/name` or `ms:owner/name`.
        trust_remote_code: run Python code that comes with the base; without it such a base is refused.

    Raises:
        Refused: there is no such model.
    """

    def __init__(self, base: Path | str, *, trust_remote_code: bool = False) -> None:
        from weitiao.methods.adapters import Base
        from weitiao.models.pool import Pool

        self._path = locate(str(base), code=trust_remote_code)
        self.base = Base.of(str(base), self._path)
        self._trusted = trust_remote_code
        self._tokenizer = load_tokenizer(self._path)
        self._pool = Pool()
        self._held: dict[str, _Held] = {}

    def add(self, folder: Path | str, name: str | None = None) -> Predictor:
        """Put an adapter on the shelf.

        Args:
            folder: an `adapter/` folder, or the run that it is in.
            name: what it is called here; by default its run's name.

        Raises:
            Refused: it is no adapter, it belongs to another base, or the name is taken.
        """
        from weitiao.serving.engines.torch_engine import TorchEngine

        card = AdapterCard.read(adapter_folder(Path(folder)))
        name = name or card.task.name
        if name in self._held:
            raise Refused(
                _("{folder}: there is an adapter named '{name}' already; give this one another name").format(
                    folder=folder, name=name
                )
            )
        opened = self._open(card)
        self._pool.admit(opened.network, opened.own)
        predictor = replace(Predictor.of(card.task, TorchEngine(opened.network), self._tokenizer), name=name)
        self._held[name] = _Held(card, predictor)
        return predictor

    def remove(self, name: str) -> None:
        """Take an adapter off the shelf, and what it brought out of memory."""
        self._find(name)
        del self._held[name]

    def merge(self, name: str) -> Predictor:
        """Fold what the adapter learnt into its own copies of the weights that it touches; the others stay shared.

        Raises:
            Refused: its method has nothing that could be folded in.
        """
        from weitiao.serving.engines.torch_engine import TorchEngine

        held = self._find(name)
        if held.merged is None:
            opened = self._open(held.card)
            if not opened.method.folds:
                message = _("'{name}': the method {method} adds nothing that could be folded into the base's weights")
                raise Refused(message.format(name=name, method=held.card.method))
            opened.method.finish(opened.network)
            self._pool.lend(opened.network)
            held.merged = replace(held.shared, engine=TorchEngine(opened.network.eval()))
        return held.merged

    def unmerge(self, name: str) -> Predictor:
        """Back to the shared weights, and the copies out of memory; nothing where it is not merged."""
        held = self._find(name)
        held.merged = None
        return held.shared

    def names(self) -> list[str]:
        """Names of the adapters, in the order in which they came."""
        return list(self._held)

    def __getitem__(self, name: str) -> Predictor:
        held = self._find(name)
        return held.merged or held.shared

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self._held)

    def _find(self, name: str) -> _Held:
        if name not in self._held:
            hint = did_you_mean(name, self.names())
            raise Refused(
                _("no adapter '{name}' here; there are: {names}{hint}").format(
                    name=name, names=", ".join(self.names()) or _("none"), hint=hint
                )
            )
        return self._held[name]

    def _open(self, card: AdapterCard) -> Opened:
        from weitiao.methods.adapters import open_adapter

        return open_adapter(card.folder, self._path, sha256=self.base.sha256, trust_remote_code=self._trusted)


def load_together(runs: Sequence[Path | str], *, base: str | None = None) -> list[Predictor]:
    """Predictors of runs and of `adapter/` folders, in order; adapters on one base hold it in memory once.

    Args:
        base: the base of the adapters, in place of the one that each names.
    """
    shelves: dict[str, Adapters] = {}
    found = []
    for place, run in enumerate(map(Path, runs)):
        card = AdapterCard.of(run)
        if card is None:
            found.append(Predictor.load(run))
            continue
        if card.sha256 not in shelves:
            shelves[card.sha256] = Adapters(base or card.base)
        predictor = shelves[card.sha256].add(run, name=str(place))
        found.append(replace(predictor, name=card.task.name, folder=run))
    return found
