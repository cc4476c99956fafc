"""`weitiao compress`: a run and names of steps in; a smaller or faster artifact out, compared with its source.

The artifact is a folder like a run's, so every other verb takes it. It appears whole under its name, or not at all:
what each step wrote is loaded again and compared with its source on labelled rows; too great a change ends the verb.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import __version__
from weitiao.artifact import RunFolder, open_run, read_json, replacing_folder
from weitiao.compression.base import Source
from weitiao.compression.comparison import Ground
from weitiao.compression.history import Done, History, bytes_of, history_of
from weitiao.compression.words import Chosen, misfits, understood
from weitiao.errors import Refused, refuse_if_errors
from weitiao.evaluation.report import resampling_of
from weitiao.evaluation.sharing import short
from weitiao.events import OnEvent, silent
from weitiao.machine import stamp
from weitiao.messages import _
from weitiao.recipe import Recipe, load_recipe
from weitiao.serving.cards import TASK_FILE, TaskCard
from weitiao.verbs.compressing.chain import Chain, rename
from weitiao.verbs.compressing.rows import RunRows, read_texts
from weitiao.verbs.preparing.frame import frame

if TYPE_CHECKING:
    from weitiao.evaluation.schema import Report

TOLERANCE = 0.005  # half a point
KEPT = ("recipe.yaml", "data.json", "drift.json", "log.jsonl", "report.json")  # of the source, as they are


@dataclass(frozen=True, slots=True)
class Compressed:
    """What was made.

    Args:
        path: the artifact's folder.
        source: the folder that it was made of.
        steps: those of this call.
        accepted: whether something was kept that is outside the tolerance, or was compared with nothing.
        bytes_before, bytes_after: of all files in `model/`, of the source and of the artifact.
        report: as report.json has it; None where the run's rows are gone.
    """

    path: Path
    source: Path
    steps: Sequence[Done]
    accepted: bool
    bytes_before: int
    bytes_after: int
    report: Report | None

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "run": str(self.path),
            "source": str(self.source),
            "bytes": {"before": self.bytes_before, "after": self.bytes_after},
            "accepted": self.accepted,
            "steps": [each.model_dump(mode="json") for each in self.steps],
            "report": self.report and self.report.model_dump(mode="json"),
        }


def compress(
    run: Any,
    steps: Sequence[str],
    *,
    output: Path | str | None = None,
    tolerance: float = TOLERANCE,
    accept: bool = False,
    data: Any = None,
    texts: Path | str | Sequence[str] | None = None,
    on_event: OnEvent = silent,
) -> Compressed:
    """Make a smaller or faster artifact of a run.

    Args:
        run: a run folder, a `Run`, or what an earlier call made.
        steps: their names, in order, each with its options as `name:key=value,key=value`.
        output: the new folder; default: that of the run with the names of the steps behind it.
        tolerance: by how much the headline metric may fall; 0.005 is half a point.
        accept: keep what is outside the tolerance, or cannot be compared; compression.json says so.
        data: labelled rows to compare on in place of the run's dev rows: a file, DataFrame or list of mappings.
        texts: unlabelled texts for the steps that use some, or a file of them.
        on_event: told of phases.

    Raises:
        ProblemsFound: steps that are not known, or cannot be done on this model; nothing was opened or written.
        Refused: the run is unfinished, the output is taken, or there are no rows to compare on.
        OutsideTolerance: a step changed more than it may; nothing is left of it.
    """
    folder = open_run(Path(getattr(run, "path", run)))
    card = read_json(folder.model / TASK_FILE)
    chosen, problems = understood(steps)
    refuse_if_errors([*problems, *misfits(chosen, card, folder.model, whole=not problems)])
    target = output_of(folder, output, chosen)
    recipe = load_recipe(folder.recipe, frame())
    rows = RunRows(folder, recipe, data)
    try:
        ground = ground_of(folder, recipe, rows, tolerance)
    except Refused:
        if data is not None or not accept:
            raise
        ground = None
    unlabelled = read_texts(recipe, texts) if isinstance(texts, str | Path) else texts
    source = Source(folder.model, {**card, "name": target.path.name}, rows.of, unlabelled, on_event)
    earlier = history_of(folder)
    with replacing_folder(target.path) as beside:
        done = Chain(chosen, ground, accept, on_event, earlier.fallen if earlier else 0.0).run(source, beside)
        rename(beside / "model", target.path.name)
        history = _history(folder, done, tolerance)
        report = _finish(folder, RunFolder(beside), recipe, history)
    return Compressed(
        target.path, folder.path, done, history.accepted, bytes_of(folder.model), bytes_of(target.model), report
    )


def output_of(folder: RunFolder, output: Path | str | None, steps: Sequence[Chosen]) -> RunFolder:
    """Where the artifact goes.

    Raises:
        Refused: something is there.
    """
    path = folder.path if folder.path.name else folder.path.resolve()
    target = Path(output) if output else path.with_name("-".join([path.name, *(step.name for step in steps)]))
    if target.exists():
        raise Refused(
            _("{path}: is already there and is never overwritten; name a new folder with --output").format(path=target)
        )
    return RunFolder(target)


def ground_of(folder: RunFolder, recipe: Recipe, rows: RunRows, tolerance: float) -> Ground:
    """On what models are compared.

    Raises:
        Refused: there are no rows for it.
    """
    split, records = rows.judges
    card = TaskCard.read(folder.model / TASK_FILE)
    task = card.task()
    resampling = resampling_of(records, recipe.evaluation, recipe.seed)
    return Ground(task, next(iter(task.metrics(card.labels))), records, split, resampling, tolerance)


def _history(folder: RunFolder, done: Sequence[Done], tolerance: float) -> History:
    """What was done since training: by earlier calls, and by this one."""
    earlier = history_of(folder)
    unfit = any(each.comparison is None or each.comparison.objections for each in done)
    return History(
        weitiao=__version__,
        source=earlier.source if earlier else short(str(folder.path)),
        steps=[*(earlier.steps if earlier else ()), *done],
        accepted=unfit or (earlier.accepted if earlier else False),
        tolerance=tolerance,
        bytes=earlier.bytes if earlier else bytes_of(folder.model),
        stamp=stamp(),
    )


def _finish(folder: RunFolder, made: RunFolder, recipe: Recipe, history: History) -> Report | None:
    """Everything beside `model/`."""
    from weitiao.verbs.compressing.measuring import describe

    for name in KEPT:
        if (folder.path / name).is_file():
            shutil.copyfile(folder.path / name, made.path / name)
    history.write(made)
    return describe(made, recipe, history)
