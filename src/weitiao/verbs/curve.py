"""`weitiao curve`: how much data is enough; the recipe on growing shares of its training rows, with several seeds.

    OUTPUT/
      recipe.yaml  data.json  sizes.json          what was asked
      points/SHARE/SEED/                          log.jsonl, fit.json, score.json of each fit; its model is not kept
      curve.json  curve.html  curve.png

The shares are nested: each has all rows of the one before. Of a finished fit only its scores are needed, so one that
was killed goes on with `resume` at the fit it was in.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from weitiao import __version__
from weitiao.artifact import RunFolder, read_json, write_json, write_text
from weitiao.data.splitting import take_nested
from weitiao.errors import Refused
from weitiao.evaluation.learning import ENOUGH, few_scored
from weitiao.evaluation.titles import split_title
from weitiao.events import OnEvent, silent
from weitiao.messages import _, language
from weitiao.recipe import Recipe, dump_recipe
from weitiao.training.signals import StopSignal
from weitiao.verbs.choosing.scored import way_to_more
from weitiao.verbs.preparing.claimed import found_again, note_conditions, resumable
from weitiao.verbs.preparing.memory import draft_with
from weitiao.verbs.preparing.method_choice import is_open
from weitiao.verbs.preparing.preflight import Preflight, inspect, judge
from weitiao.verbs.preparing.resolving import resolved

if TYPE_CHECKING:
    from weitiao.evaluation.intervals import Resampling
    from weitiao.evaluation.learning import LearningCurve, Measured
    from weitiao.verbs.fitting.fit import Part

POINTS, SEEDS = 5, 3
FEWEST_ROWS = 8  # of the smallest size, and two a class
SIZES, SCORE = "sizes.json", "score.json"


def curve(
    recipe: Path | str | Mapping[str, Any] | Recipe | None = None,
    *,
    data: Any = None,
    overrides: Sequence[str] = (),
    points: int = POINTS,
    seeds: int = SEEDS,
    output: Path | str | None = None,
    strict: bool = False,
    resume: Path | str | None = None,
    on_event: OnEvent = silent,
) -> LearningCurve:
    """Train on growing shares of the training rows, score each on dev, and fit the curve.

    Args:
        recipe: a YAML file, a mapping or a `Recipe`; None with `resume`. Its own `seeds` and `folds` are left
            aside, which is noted.
        data: rows in Python in place of the recipe's files.
        overrides: `key=value` changes to the recipe.
        points: sizes, each twice the one before, the last all rows; fewer where the rows make no more, which is noted.
        seeds: models of each size; each seed draws rows of its own.
        output: folder of the curve; default: the recipe's `output` with `-curve` behind it.
        strict: treat warnings as errors.
        resume: folder of a curve to go on with.
        on_event: told of phases, problems, steps and evaluations.

    Raises:
        ProblemsFound: recipe or data are at fault; nothing was written.
        Refused: no size or no seed is asked for, or there are no rows to score on; nothing was written.
        MissingExtra: matplotlib is not installed.
        Interrupted: SIGINT or SIGTERM; what is finished is kept.
    """
    from weitiao.evaluation.curve_page import need_matplotlib

    if min(points, seeds) < 1:
        message = _("`points` is {points} and `seeds` is {seeds}; expected at least 1 of each")
        raise Refused(message.format(points=points, seeds=seeds))
    need_matplotlib()
    if resume is not None:
        folder = RunFolder(Path(resume))
        if not (folder.path / SIZES).is_file():
            raise Refused(_("{path}: not a folder of weitiao curve (no {file} in it)").format(path=resume, file=SIZES))
        found = found_again(folder, data, on_event, "curve")
        return _drawn(found, folder, on_event)
    on_event({"kind": "phase", "text": _("checking recipe and data")})
    draft, memory = draft_with(recipe or {}, overrides, data)
    found = inspect(draft, memory=memory, full=True)
    judge(found, on_event, strict=strict)
    if found.dataset is None or "train" not in found.dataset.records:
        raise Refused(_("there are no rows to train on"))
    scored_split(found)  # refused before anything is written
    notes = list(_notes(found, points, seeds, auto=is_open(draft.recipe)))
    found.recipe = resolved(found, memory or ())
    folder = RunFolder(Path(output or f"{found.recipe.output}-curve"))
    _begin(found, folder, points, seeds)
    for text in notes:
        on_event({"kind": "note", "text": text})
    return _drawn(found, folder, on_event)


def _notes(found: Preflight, points: int, seeds: int, *, auto: bool) -> Iterator[str]:
    """What is done otherwise than the recipe or the call says, and what the scores will not show.

    Args:
        auto: whether the recipe leaves the method open.
    """
    assert found.dataset is not None  # refused otherwise
    recipe, records = found.recipe, found.dataset.records
    split = scored_split(found)
    if auto:
        text = _("`method: auto` is settled once, on all rows: every size is trained by {method}")
        yield text.format(method=recipe.method.name)
    if recipe.seeds != 1:
        text = _(
            "`seeds: {given}` of the recipe is left aside; --seeds says how many models each size has, here {seeds}"
        )
        yield text.format(given=recipe.seeds, seeds=seeds)
    if recipe.folds is not None:
        text = _(
            "`folds: {given}` of the recipe is left aside: every model of a curve answers the same rows of {split}"
        )
        yield text.format(given=recipe.folds, split=split_title(split))
    if (fit := len(shares_of(found, points))) < points:
        text = _(
            "sizes: {fit} of the {points} asked for; each is half the next, and of {rows} training rows one more would "
            "have fewer than {least}"
        )
        yield text.format(fit=fit, points=points, rows=f"{len(records['train']):,}", least=least_rows(found))
    if len(records[split]) < ENOUGH:
        yield _("; ").join([few_scored(len(records[split])), way_to_more(found, split)])


def _begin(found: Preflight, folder: RunFolder, points: int, seeds: int) -> None:
    """Claim the folder and write down what is asked."""
    if (folder.path / SIZES).is_file():
        message = _(
            "{path}: a curve is already there; go on with it by: weitiao curve --resume {path}, or name another folder "
            "with --output"
        )
        raise Refused(message.format(path=folder.path))
    shares = shares_of(found, points)
    first = found.recipe.seed
    folder.claim()
    write_text(folder.recipe, dump_recipe(found.recipe))
    write_json(folder.path / SIZES, {"shares": shares, "seeds": list(range(first, first + seeds))})


def shares_of(found: Preflight, points: int) -> list[float]:
    """Shares of the training rows, each twice the one before, the last 1; none with too few rows to learn from."""
    dataset = found.dataset
    assert dataset is not None  # refused otherwise
    rows, least = len(dataset.records["train"]), least_rows(found)
    return [2.0**-step for step in range(points - 1, -1, -1) if step == 0 or rows * 2.0**-step >= least]


def scored_split(found: Preflight) -> str:
    """Whose rows every model answers: dev, or test where there is no dev.

    Raises:
        Refused: there is neither.
    """
    for split in ("dev", "test"):
        if found.dataset is not None and split in found.dataset.records:
            return split
    raise Refused(_("a learning curve needs rows to score on; set `data.dev`, such as 10%"))


def least_rows(found: Preflight) -> int:
    """Rows of a size to learn from, unless it is the last."""
    return max(FEWEST_ROWS, 2 * len(found.labels) if found.task.labels_are == "classes" else 0)


def _drawn(found: Preflight, folder: RunFolder, on_event: OnEvent) -> LearningCurve:
    """All fits that are not done yet, then the curve and its files."""
    import torch

    from weitiao.evaluation.curve_page import write_curve
    from weitiao.evaluation.learning import learning_curve

    if found.recipe.training.threads:
        torch.set_num_threads(found.recipe.training.threads)
    with StopSignal() as stop, resumable(folder, "curve"):
        folder.sweep()
        note_conditions(found, folder, on_event, 1)
        sizes = Sizes.of(found, folder, on_event, stop)
        measured = sizes.run()
        with language(speak) if (speak := found.recipe.report.language) else nullcontext():
            made = learning_curve(sizes.asked(), measured)
            write_curve(made, folder.path)
        shutil.rmtree(folder.path / "cache", ignore_errors=True)
    return made


@dataclass(frozen=True, slots=True)
class Sizes:
    """The fits of a curve.

    Args:
        found: recipe, rows and model.
        folder: of the curve.
        shares, seeds: what is fitted.
        train, dev: rows to learn from, and those on which the best checkpoint is told.
        split, scored: rows that every model answers: dev, or test where there is no dev.
        on_event: told of phases.
        stop: whether a signal asks to leave.
    """

    found: Preflight
    folder: RunFolder
    shares: Sequence[float]
    seeds: Sequence[int]
    train: Part
    dev: Part | None
    split: str
    scored: Part
    on_event: OnEvent
    stop: Callable[[], bool]

    @classmethod
    def of(cls, found: Preflight, folder: RunFolder, on_event: OnEvent, stop: Callable[[], bool]) -> Sizes:
        """As `sizes.json` says.

        Raises:
            Refused: there are neither dev nor test rows to score on.
        """
        from weitiao.verbs.fitting.fit import part_of

        split = scored_split(found)
        train, dev, scored = (part_of(found, each) for each in ("train", "dev", split))
        assert train is not None  # refused otherwise
        assert scored is not None
        asked = read_json(folder.path / SIZES)
        return cls(found, folder, asked["shares"], asked["seeds"], train, dev, split, scored, on_event, stop)

    def run(self) -> list[Measured]:
        """Every size, smallest first: what is soon done is done first."""
        from weitiao.evaluation.learning import Measured

        nested = {seed: take_nested(self._items, self.shares, seed) for seed in self.seeds}
        measured = []
        for place, share in enumerate(self.shares):
            scores = {seed: self._score(share, seed, nested[seed][place]) for seed in self.seeds}
            measured.append(
                Measured(
                    rows=[len(nested[seed][place]) for seed in self.seeds],
                    share=share,
                    values={str(seed): float(each["value"]) for seed, each in scores.items()},
                    draws=np.array([each["draws"] for each in scores.values()]),
                )
            )
        return measured

    @property
    def _items(self) -> Sequence[Any]:
        assert self.found.dataset is not None  # refused otherwise
        return self.found.dataset.items["train"]

    def _score(self, share: float, seed: int, rows: Sequence[int]) -> Mapping[str, Any]:
        """One fit's score, and that of each resample; the fit is made where they are not there yet."""
        from weitiao.verbs.fitting.fit import fit_once
        from weitiao.verbs.fitting.repeats import discard, subset

        own = RunFolder(self.folder.path / "points" / f"{share:.6g}" / str(seed))
        if not (own.path / SCORE).is_file():
            text = _("{rows} training rows, seed {seed}").format(rows=f"{len(rows):,}", seed=seed)
            self.on_event({"kind": "phase", "text": text})
            fit_once(
                self.found, subset(self.train, rows), self.dev, own,
                seed=seed, cache=self.folder.path / "cache", on_event=self.on_event, stop=self.stop,
            )  # fmt: skip
            write_json(own.path / SCORE, self._measured(own))
        for each in (own.checkpoints, own.model, own.adapter):
            discard(each)
        return read_json(own.path / SCORE)

    def _measured(self, own: RunFolder) -> dict[str, Any]:
        from weitiao.evaluation.intervals import draws
        from weitiao.metrics import value_of
        from weitiao.verbs.fitting.fit import answers

        predictions, _settings = answers(self.found, own, self.scored)
        metric = self.found.task.metrics(self.found.labels)[0]
        drawn = draws(metric, predictions, self.scored.records, self._resampling())
        return {
            "metric": metric.name,
            "value": value_of(metric, predictions, self.scored.records),
            "draws": [round(float(each), 6) for each in drawn],
        }

    def _resampling(self) -> Resampling:
        from weitiao.evaluation.intervals import Resampling

        spec, groups = self.found.recipe.evaluation, [record.group for record in self.scored.records]
        units = [group or str(row) for row, group in enumerate(groups)] if any(groups) else None
        return Resampling(spec.resamples, spec.confidence, units=units)

    def asked(self) -> Any:
        """What the curve is of."""
        from weitiao.evaluation.learning import Asked
        from weitiao.evaluation.sharing import short

        recipe = self.found.recipe
        return Asked(
            weitiao=__version__, name=self.folder.path.name, task=recipe.task.name, model=short(recipe.model.name),
            method=recipe.method.name, metric=self.found.task.metrics(self.found.labels)[0].name, split=self.split,
            scored_rows=len(self.scored.records), least_rows=least_rows(self.found),
            confidence=recipe.evaluation.confidence, seed=recipe.seed,
        )  # fmt: skip
