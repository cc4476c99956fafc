"""`weitiao compress RUN --ladder`: several ways to compress one run, each kept as an artifact and measured beside it.

    OUTPUT/
      STEP+STEP/                  an artifact of compress for each way that could be gone
      ladder.json  ladder.html    size, speed, score and difference of each, and what no other beats

What is outside the tolerance is kept and marked: the ladder is there to look at. A rung that begins with all steps of
an earlier one goes on from its artifact. A ladder that was interrupted goes on with the artifacts that are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao import __version__
from weitiao.artifact import RunFolder, open_run
from weitiao.compression.comparison import Ground
from weitiao.compression.history import bytes_of, history_of
from weitiao.compression.ladder import DEFAULT, LADDER_FILE, Ladder, LeftOut, Rung, folder_name, with_front, words_of
from weitiao.compression.words import understood
from weitiao.errors import Failed, Refused, StorageFull, refuse_if_errors
from weitiao.evaluation.intervals import Score, interval
from weitiao.evaluation.sharing import short
from weitiao.events import OnEvent, silent
from weitiao.machine import stamp
from weitiao.messages import _
from weitiao.models.onnx import threads_here
from weitiao.recipe import load_recipe
from weitiao.verbs.compress import TOLERANCE, compress, ground_of
from weitiao.verbs.compressing.rows import RunRows
from weitiao.verbs.compressing.timing import Clocked, in_turn, times
from weitiao.verbs.preparing.frame import frame

if TYPE_CHECKING:
    from weitiao.serving.predictor import Predictor

ROUNDS = 5
TIMED = 256  # rows that are timed at most


@dataclass(frozen=True, slots=True)
class Climbed:
    """A ladder and where it is.

    Args:
        path: its folder.
        ladder: as ladder.json has it.
    """

    path: Path
    ladder: Ladder

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"folder": str(self.path), **self.ladder.model_dump(mode="json")}


def ladder(
    run: Any,
    rungs: Sequence[str] | None = None,
    *,
    output: Path | str | None = None,
    tolerance: float = TOLERANCE,
    data: Any = None,
    texts: Path | str | Sequence[str] | None = None,
    rounds: int = ROUNDS,
    on_event: OnEvent = silent,
) -> Climbed:
    """Compress a run in several ways, and measure each beside it.

    Args:
        run: a run folder, a `Run`, or what compress made.
        rungs: ways to compress, each its steps joined by `+`, as `distil+int8`; None for those of the house.
        output: folder for all artifacts; default: that of the run with `-ladder` behind it.
        tolerance: by how much the headline metric may fall; what falls further is marked.
        data: labelled rows to score on in place of the run's dev rows.
        texts: as for compress.
        rounds: times that each is measured in turn with the run.
        on_event: told of phases.

    Raises:
        ProblemsFound: a rung has a step that is not known or options that cannot be; nothing was opened or written.
        Refused: the run is unfinished, a ladder is already in the output, or there are no rows to score on.
    """
    from weitiao.compression.ladder_page import write_ladder

    refuse_if_errors(problem for rung in rungs or () for problem in understood(words_of(rung))[1])
    source = open_run(Path(getattr(run, "path", run)))
    recipe = load_recipe(source.recipe, frame())
    ground = ground_of(source, recipe, RunRows(source, recipe, data), tolerance)
    folder = _place(source, output)
    climb = Climb(source, folder, {"tolerance": tolerance, "data": data, "texts": texts}, on_event)
    made = [each for rung in rungs or DEFAULT if (each := climb.made(rung)) is not None]
    measured = Measured(source, folder, ground, rounds, on_event).all(made)
    found = Ladder(
        weitiao=__version__,
        task=ground.task.name,
        metric=ground.metric.name,
        split=short(ground.split),
        rows=len(ground.records),
        confidence=ground.resampling.confidence,
        tolerance=tolerance,
        timed=min(TIMED, len(ground.records)),
        rounds=rounds,
        threads=threads_here(),
        machine=stamp(),
        rungs=with_front(measured),
        left_out=climb.left_out,
    )
    write_ladder(found, folder)
    return Climbed(folder.path, found)


def _place(source: RunFolder, output: Path | str | None) -> RunFolder:
    """The folder of the ladder.

    Raises:
        Refused: a ladder is there, or artifacts of another run.
    """
    path = source.path if source.path.name else source.path.resolve()
    folder = RunFolder(Path(output) if output else path.with_name(f"{path.name}-ladder"))
    if (folder.path / LADDER_FILE).is_file():
        raise Refused(_("{path}: a ladder is already there; name a new folder with --output").format(path=folder.path))
    origin = _origin(source)
    for each in folder.path.iterdir() if folder.path.is_dir() else ():
        if not (each / "compression.json").is_file() or _origin(RunFolder(each)) != origin:
            message = _("{path}: holds something else than a ladder of {run}; name a new folder with --output")
            raise Refused(message.format(path=folder.path, run=source.path))
    folder.path.mkdir(parents=True, exist_ok=True)
    return folder


def _origin(folder: RunFolder) -> str:
    """The run that was trained, of an artifact or a run."""
    history = history_of(folder)
    return history.source if history else short(str(folder.path))


@dataclass(slots=True)
class Climb:
    """Makes the artifacts, one after the other.

    Args:
        source: the run.
        folder: of the ladder.
        options: of every call of compress.
        on_event: told of phases.
        left_out: what could not be made, and why.
    """

    source: RunFolder
    folder: RunFolder
    options: dict[str, Any]
    on_event: OnEvent
    left_out: list[LeftOut] = field(default_factory=list)
    _done: dict[tuple[str, ...], Path] = field(default_factory=dict)

    def made(self, rung: str) -> tuple[str, Path] | None:
        """The artifact of a rung; None where it cannot be made."""
        words, target = tuple(words_of(rung)), self.folder.path / folder_name(rung)
        self.on_event({"kind": "phase", "text": _("rung {rung}").format(rung=rung)})
        if not target.is_dir():
            begun = max((each for each in self._done if each == words[: len(each)]), key=len, default=())
            start = self._done.get(begun, self.source.path)
            try:
                compress(start, words[len(begun) :], output=target, accept=True, on_event=self.on_event, **self.options)
            except StorageFull:
                raise
            except (Refused, Failed) as error:
                self.left_out.append(LeftOut(name=rung, reason=short(str(error))))
                return None
        self._done[words] = target
        return rung, target


@dataclass(slots=True)
class Measured:
    """Measures the run and the artifacts.

    Args:
        source: the run.
        folder: of the ladder.
        ground: the rows that all answer.
        rounds: times that each is measured.
        on_event: told of phases.
    """

    source: RunFolder
    folder: RunFolder
    ground: Ground
    rounds: int
    on_event: OnEvent

    def all(self, made: Sequence[tuple[str, Path]]) -> list[Rung]:
        """The run, and the artifacts in their order."""
        from weitiao.serving.predictor import Predictor

        run = Predictor.load(self.source.path)
        answers = run.answer(self.ground.records).predictions
        own, rungs = Clocked(), list[Rung]()
        for name, path in made:
            self.on_event({"kind": "phase", "text": _("measuring {name}").format(name=name)})
            rungs.append(self._rung(name, path, run, answers, own))
        if not made:
            own.measure(run, self.ground.records[:TIMED])
        first = Rung(
            name=run.name, path=short(str(self.source.path)), bytes=bytes_of(self.source.model), speed=own.speed(),
            beside=None, times=1.0, score=self._score(answers), difference=None, within=True,
        )  # fmt: skip
        return [first, *rungs]

    def _rung(self, name: str, path: Path, run: Predictor, answers: Sequence[Any], own: Clocked) -> Rung:
        from weitiao.serving.predictor import Predictor

        predictor, ground = Predictor.load(path), self.ground
        predictions = predictor.answer(ground.records).predictions
        slow, fast = in_turn(run, predictor, ground.records[:TIMED], self.rounds)
        own.add(slow)
        gap, objections = ground.gap(predictions, answers), self._objections(path)
        return Rung(
            name=name, path=path.name, bytes=bytes_of(RunFolder(path).model), speed=fast.speed(), beside=slow.speed(),
            times=times(fast, slow), score=self._score(predictions), difference=gap,
            within=not objections and not ground.fell(gap), objections=objections,
        )  # fmt: skip

    def _objections(self, path: Path) -> list[str]:
        """What spoke against the steps between the run and an artifact, the same once."""
        own, made = history_of(self.source), history_of(RunFolder(path))
        steps = made.steps[len(own.steps) if own else 0 :] if made else []
        return list(dict.fromkeys(told for each in steps if each.comparison for told in each.comparison.objections))

    def _score(self, predictions: Sequence[Any]) -> Score:
        return interval(self.ground.metric, predictions, self.ground.records, self.ground.resampling)
