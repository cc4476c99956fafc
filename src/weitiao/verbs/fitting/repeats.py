"""The fits of a run: one, or one a seed and one a fold; each in a folder of its own.

Of a finished seed or fold only its score is wanted, and of the best seed the model; the rest, which takes much room,
goes. A signal is looked for between them: what is finished stays, and `weitiao train --resume` goes on behind it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from weitiao.artifact import RunFolder, read_json, replacing_folder, write_json, write_text
from weitiao.data.splitting import folds as split_folds
from weitiao.errors import Refused
from weitiao.evaluation.report import spread
from weitiao.evaluation.schema import Spread
from weitiao.events import OnEvent
from weitiao.messages import _
from weitiao.metrics import direction, value_of
from weitiao.records import Feature, Record
from weitiao.training.processes import Processes
from weitiao.verbs.fitting.fit import Fitted, Part, answers, fit_once, measured_part, part_of
from weitiao.verbs.preparing.frame import method_of
from weitiao.verbs.preparing.preflight import Preflight

SCORE = "score.json"  # headline metric of a seed on the measured split, or of a fold on the rows it did not see


@dataclass(frozen=True, slots=True)
class Fits:
    """What all fits of a run gave.

    Args:
        seed: of the model that is the run's.
        fitted: every fit, the run's own first.
        seeds, folds: the headline metric's spread, where there are several.
    """

    seed: int
    fitted: Sequence[Fitted]
    seeds: Spread | None = None
    folds: Spread | None = None


@dataclass(frozen=True, slots=True)
class Repeats:
    """Fits everything that the recipe asks for.

    Args:
        found: recipe, rows and model.
        folder: of the run.
        on_event: told of phases and notes.
        stop: whether a signal asks to leave.
    """

    found: Preflight
    folder: RunFolder
    on_event: OnEvent
    stop: Callable[[], bool]

    def run(self) -> Fits:
        """All fits; the model of the best seed on dev is the run's."""
        train, dev = part_of(self.found, "train"), part_of(self.found, "dev")
        if train is None and method_of(self.found.recipe).needs_rows:
            raise Refused(_("there are no rows to train on"))
        train = train or Part((), ())
        seed, fits, seeds = self._seeds(train, dev)
        folded, folds = self._folds(train, dev)
        return Fits(seed, [*fits, *folded], seeds, folds)

    def _fit(self, train: Part, dev: Part | None, own: RunFolder, seed: int) -> Fitted:
        """One fit; all of a run share the cache of the frozen layers, for these and the texts are the same."""
        cache = self.folder.path / "cache"
        return fit_once(self.found, train, dev, own, seed=seed, cache=cache, on_event=self.on_event, stop=self.stop)

    def _seeds(self, train: Part, dev: Part | None) -> tuple[int, list[Fitted], Spread | None]:
        """(seed of the run's model, fits with it in front, spread)."""
        first, count = self.found.recipe.seed, self.found.recipe.seeds
        if count == 1:
            return first, [self._fit(train, dev, self.folder, first)], None
        _split, part = measured_part(self.found)
        results: dict[int, Fitted] = {}
        values: dict[str, float] = {}
        for seed in range(first, first + count):
            self.on_event({"kind": "phase", "text": _("seed {seed}").format(seed=seed)})
            own = self._of_seed(seed)
            results[seed] = self._fit(train, dev, own, seed)
            values[str(seed)] = self._score(own, part)
            discard(own.checkpoints)
        best = best_seed(results, self.found.metric)
        text = _("the model of seed {seed} is kept: the best on dev").format(seed=best)
        self.on_event({"kind": "note", "text": text})
        self._keep(best, results)
        return best, [results.pop(best), *results.values()], spread(values)

    def _keep(self, best: int, seeds: Iterable[int]) -> None:
        """Make the model and the log of the best seed those of the run; the models of all seeds are then of no use."""
        if Processes.current().is_main and not self.folder.log.is_file():  # the log is written last
            adopt(self._of_seed(best), self.folder)
        for seed in seeds:
            discard(self._of_seed(seed).model)
            discard(self._of_seed(seed).adapter)

    def _of_seed(self, seed: int) -> RunFolder:
        return RunFolder(self.folder.path / "seeds" / str(seed))

    def _folds(self, train: Part, dev: Part | None) -> tuple[list[Fitted], Spread | None]:
        """k fits, each measured on the fold it did not see; what dev decides, the run's own dev decides for all."""
        recipe, dataset = self.found.recipe, self.found.dataset
        if recipe.folds is None or dataset is None:
            return [], None
        values, fits = {}, []
        held_out = split_folds(dataset.items["train"], recipe.folds, recipe.data.split_seed)
        for number, inside in enumerate(held_out, start=1):
            text = _("fold {number} of {count}").format(number=number, count=recipe.folds)
            self.on_event({"kind": "phase", "text": text})
            outside = sorted(set(range(len(train.records))) - set(inside))
            own = RunFolder(self.folder.path / "folds" / str(number))
            fits.append(self._fit(subset(train, outside), dev, own, recipe.seed))
            values[str(number)] = self._score(own, subset(train, inside))
            for left in (own.checkpoints, own.model, own.adapter):
                discard(left)
        return fits, spread(values)

    def _score(self, own: RunFolder, part: Part) -> float:
        """The headline metric of a finished fit on a part; kept, so that nothing else of the fit is needed again."""
        path = own.path / SCORE
        if Processes.current().is_main and not path.is_file():
            write_json(path, {self.found.task.metrics(self.found.labels)[0].name: headline(self.found, own, part)})
        Processes.current().wait()
        (value,) = read_json(path).values()
        return float(value)


def discard(folder: Path) -> None:
    """Remove what a finished fit left and nobody needs any more."""
    if Processes.current().is_main:
        shutil.rmtree(folder, ignore_errors=True)


def best_seed(results: Mapping[int, Fitted], metric: str) -> int:
    """The seed whose fit did best on dev; the first of equals, and without dev the first."""
    return max(results, key=lambda seed: (direction(metric) * (results[seed].best or 0.0), -seed))


def adopt(own: RunFolder, folder: RunFolder) -> None:
    """Make the model, the adapter and the log of one seed those of the run."""
    for source, target in ((own.model, folder.model), (own.adapter, folder.adapter)):
        if source.is_dir():
            with replacing_folder(target) as beside:
                shutil.copytree(source, beside, dirs_exist_ok=True)
    write_text(folder.log, own.log.read_text("utf-8"))


def subset(part: Part, rows: Sequence[int]) -> Part:
    """Some records of a split, with their features renumbered."""
    place = {row: index for index, row in enumerate(rows)}
    taken = [number for number, each in enumerate(part.features) if each.group in place]
    features: list[Feature] = [replace(part.features[n], group=place[part.features[n].group]) for n in taken]
    records: list[Record] = [part.records[row] for row in rows]
    return Part(records, features, (part.features, taken))


def headline(found: Preflight, own: RunFolder, part: Part) -> float:
    """The headline metric of a fit's saved model on a part."""
    predictions, _settings = answers(found, own, part)
    return value_of(found.task.metrics(found.labels)[0], predictions, part.records)
