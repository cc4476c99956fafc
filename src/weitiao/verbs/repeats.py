"""The fits of a run: one, or one a seed and one a fold; each in a folder of its own.

A signal is looked for between them: what is finished stays, and `weitiao train --resume` goes on behind it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from weitiao.artifact import RunFolder, replacing_folder, write_text
from weitiao.data.splitting import folds as split_folds
from weitiao.errors import Refused
from weitiao.evaluation.report import spread
from weitiao.evaluation.schema import Spread
from weitiao.messages import _
from weitiao.records import Feature, Record
from weitiao.training.loop import direction
from weitiao.training.processes import Processes
from weitiao.verbs.fitting import Fitted, OnEvent, Part, answers, fit_once
from weitiao.verbs.preflight import Preflight


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
        if train is None:
            raise Refused(_("there are no rows to train on"))
        seed, fits, seeds = self._seeds(train, dev)
        folded, folds = self._folds(train, dev)
        return Fits(seed, [*fits, *folded], seeds, folds)

    def _fit(self, train: Part, dev: Part | None, own: RunFolder, seed: int, cache: Path) -> Fitted:
        return fit_once(self.found, train, dev, own, seed=seed, cache=cache, on_event=self.on_event, stop=self.stop)

    def _seeds(self, train: Part, dev: Part | None) -> tuple[int, list[Fitted], Spread | None]:
        """(seed of the run's model, fits with it in front, spread)."""
        first, count, cache = self.found.recipe.seed, self.found.recipe.seeds, self.folder.path / "cache"
        if count == 1:
            return first, [self._fit(train, dev, self.folder, first, cache)], None
        results: dict[int, Fitted] = {}
        for seed in range(first, first + count):
            self.on_event({"kind": "phase", "text": _("seed {seed}").format(seed=seed)})
            results[seed] = self._fit(train, dev, self._of_seed(seed), seed, cache)
        _split, part = measured_part(self.found)
        values = {str(seed): headline(self.found, self._of_seed(seed), part) for seed in results}
        best = best_seed(results, self.found.metric)
        text = _("the model of seed {seed} is kept: the best on dev").format(seed=best)
        self.on_event({"kind": "note", "text": text})
        if Processes.current().is_main:
            adopt(self._of_seed(best), self.folder)
        return best, [results.pop(best), *results.values()], spread(values)

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
            fits.append(self._fit(subset(train, outside), dev, own, recipe.seed, own.path / "cache"))
            shutil.rmtree(own.path / "cache", ignore_errors=True)
            values[str(number)] = headline(self.found, own, subset(train, inside))
        return fits, spread(values)


def best_seed(results: Mapping[int, Fitted], metric: str) -> int:
    """The seed whose fit did best on dev; the first of equals, and without dev the first."""
    return max(results, key=lambda seed: (direction(metric) * (results[seed].best or 0.0), -seed))


def adopt(own: RunFolder, folder: RunFolder) -> None:
    """Make the model and the log of one seed those of the run."""
    with replacing_folder(folder.model) as beside:
        shutil.copytree(own.model, beside, dirs_exist_ok=True)
    write_text(folder.log, own.log.read_text("utf-8"))


def part_of(found: Preflight, split: str) -> Part | None:
    """Records and features of a split, if there is one."""
    records = found.dataset.records.get(split) if found.dataset else None
    return Part(records, found.features[split]) if records else None


def measured_part(found: Preflight) -> tuple[str, Part]:
    """The split that the report measures: test, or dev, or (without either) the training rows themselves."""
    for split in ("test", "dev", "train"):
        part = part_of(found, split)
        if part is not None:
            return split, part
    raise Refused(_("there are no rows to train on"))


def subset(part: Part, rows: Sequence[int]) -> Part:
    """Some records of a part, with their features renumbered."""
    place = {row: index for index, row in enumerate(rows)}
    features: list[Feature] = [replace(each, group=place[each.group]) for each in part.features if each.group in place]
    records: list[Record] = [part.records[row] for row in rows]
    return Part(records, features)


def headline(found: Preflight, own: RunFolder, part: Part) -> float:
    """The headline metric of a fit's saved model on a part."""
    predictions, _settings = answers(found, own, part)
    metric = found.task.metrics(found.labels)[0]
    counts = [metric.counts(answer, record) for answer, record in zip(predictions, part.records, strict=True)]
    return float(metric.value(np.sum(counts, axis=0)))
