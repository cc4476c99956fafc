"""Steps one after the other: each from what the one before it wrote, loaded again and compared before the next."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weitiao.artifact import read_json, write_json
from weitiao.compression import STEPS
from weitiao.compression.base import Source
from weitiao.compression.comparison import Answered, Comparison, Ground, compared
from weitiao.compression.history import Done, bytes_of
from weitiao.compression.words import Chosen, misfits
from weitiao.errors import OutsideTolerance, refuse_if_errors
from weitiao.events import OnEvent
from weitiao.messages import _
from weitiao.records import Record
from weitiao.serving.cards import TASK_FILE

ALONE = 32  # rows that are asked by themselves too


@dataclass(frozen=True, slots=True)
class Chain:
    """How a chain of steps is done.

    Args:
        steps: in order.
        ground: on what each is compared; None where there are no rows.
        accept: keep what is outside the tolerance.
        on_event: told of phases.
        earlier: by how much the metric changed in earlier commands, see `History.fallen`.
    """

    steps: Sequence[Chosen]
    ground: Ground | None
    accept: bool
    on_event: OnEvent
    earlier: float = 0.0

    def run(self, start: Source, work: Path) -> list[Done]:
        """Do every step; what the last one wrote is in `work / "model"`.

        Raises:
            ProblemsFound: a step cannot be done on what the one before it wrote.
            OutsideTolerance: a step changed too much.
        """
        source, done = start, list[Done]()
        first = before = self._asked(start.folder)
        for number, step in enumerate(self.steps, start=1):
            self._say(_("step {number} of {steps}: {step}"), number=number, steps=len(self.steps), step=step.word)
            refuse_if_errors(misfits([step], source.card, source.folder))
            target = work / f"step-{number}" / "model"
            target.parent.mkdir()
            made = STEPS[step.name](step.options)
            facts = made.run(source, target)
            after = self._asked(target)
            comparison = None
            if self.ground is not None and before is not None and after is not None:
                covered = made.covers(source, target, self.ground.records)
                comparison = compared(
                    self.ground, before, after, step.options,
                    covered=covered, first=first if number > 1 else None, earlier=self.earlier,
                )  # fmt: skip
                self._judge(step, comparison)
            options = step.options.model_dump(mode="json")
            done.append(
                Done(name=step.name, options=options, facts=dict(facts), comparison=comparison, bytes=bytes_of(target))
            )
            if source is not start:
                shutil.rmtree(source.folder.parent)
            source, before = replace(start, folder=target, card=read_json(target / TASK_FILE)), after
        source.folder.rename(work / "model")
        source.folder.parent.rmdir()
        return done

    def _asked(self, folder: Path) -> Answered | None:
        """The answers of the model in a folder, which is loaded in any case, for nothing is kept that does not load."""
        from weitiao.serving.predictor import Predictor

        predictor = Predictor.load(folder)
        if self.ground is None:
            return None
        self._say(_("answering {rows} rows of {split}"), rows=len(self.ground.records), split=self.ground.split)
        return answered(predictor, self.ground.records)

    def _judge(self, step: Chosen, comparison: Comparison) -> None:
        if comparison.objections and not self.accept:
            message = _(
                "{step}: {objections}. Nothing was kept. Keep it all the same with --accept, allow more with "
                "--tolerance, or judge by more rows with --data FILE"
            )
            raise OutsideTolerance(message.format(step=step.word, objections=_("; ").join(comparison.objections)))

    def _say(self, sentence: str, **values: Any) -> None:
        self.on_event({"kind": "phase", "text": sentence.format(**values)})


def answered(predictor: Any, records: Sequence[Record]) -> Answered:
    """What a model says of the rows, together and, of the first, alone."""
    return Answered(
        outputs=predictor.outputs(records),
        predictions=predictor.answer(records).predictions,
        alone=[predictor.outputs([record])[0] for record in records[:ALONE]],
    )


def rename(model: Path, name: str) -> None:
    """Give the model in a folder the name under which it is served."""
    write_json(model / TASK_FILE, {**read_json(model / TASK_FILE), "name": name})
