"""`Run`: a finished run as Python users hold it.

A folder goes in; its report, its predictor and a short table in a notebook come out. Nothing is loaded before it is
asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weitiao.artifact import RunFolder, open_run, read_json
from weitiao.errors import Problem
from weitiao.messages import _
from weitiao.records import Prediction

if TYPE_CHECKING:
    from weitiao.evaluation.schema import Report
    from weitiao.serving.predictor import Input, Predictor
    from weitiao.verbs.evaluate import Evaluation


class Run:
    """A run that is finished.

    Args:
        folder: the run's folder.

    Attributes:
        warnings: what was odd about recipe and data when it was trained; empty for a run that was opened later.
        question: what `weitiao predict` may be asked first: a text of the measured rows, or their file.
    """

    def __init__(self, folder: RunFolder | Path | str) -> None:
        self.folder = open_run(folder.path if isinstance(folder, RunFolder) else folder)
        self.warnings: Sequence[Problem] = ()
        self.question: Sequence[str] = ("...",)

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @cached_property
    def report(self) -> Report:
        """What was measured, as `report.json` keeps it."""
        from weitiao.evaluation.schema import Report

        return Report.model_validate(read_json(self.folder.report))

    @cached_property
    def predictor(self) -> Predictor:
        """The fitted model, loaded on first use."""
        from weitiao.serving.predictor import Predictor

        return Predictor.load(self.path)

    def predict(self, inputs: Iterable[Input]) -> list[Prediction]:
        """An answer for each text, pair of texts, mapping of fields or Record."""
        return self.predictor.predict(inputs)

    def evaluate(self, data: Any = None) -> Evaluation:
        """Measure again: on the run's own test split, or on a file, DataFrame or list of mappings."""
        from weitiao.verbs.evaluate import evaluate

        return evaluate(self.path, data=data, predictor=self.predictor)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """The run's figures as a small table, for notebooks."""
        from weitiao.verbs.summary import summary

        found = summary(self.report)
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in found.rows())
        told = "".join(f"<p>{escape(sentence)}</p>" for sentence in found.sentences)
        link = _("full report: {path}").format(path=self.folder.page)
        return f"<div><b>{escape(str(self.path))}</b><table>{rows}</table>{told}<p>{escape(link)}</p></div>"
