"""What most tasks answer alike, so that a task says only where it differs; `weitiao.tasks.Task` has what it means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy.typing as npt

from weitiao.errors import Problem
from weitiao.recipe import Finding, TrainingSpec
from weitiao.records import Feature, Outputs
from weitiao.tasks import LabelKind, Settings


class BaseTask:
    """A task whose answers are classes of its own, read from one text alone, with a head of ours and no threshold."""

    stock: ClassVar[str] = ""
    hub: ClassVar[str] = ""
    labels_are: ClassVar[LabelKind] = "classes"
    decisive: ClassVar[Sequence[str]] = ()
    pools: ClassVar[bool] = False
    neighbours: bool = False
    expand: ClassVar[Any] = None
    mode: Literal["forward", "generate"] = "forward"

    def head_options(self) -> Mapping[str, Any]:
        return {}

    def misfits(self, training: TrainingSpec) -> Iterable[Finding]:  # noqa: ARG002
        return ()

    def unanswerable(self, records: Sequence[Any], labels: Sequence[str]) -> list[Problem]:  # noqa: ARG002
        return []

    def calibrate(
        self,
        records: Sequence[Any],  # noqa: ARG002
        features: Sequence[Sequence[Feature]],  # noqa: ARG002
        outputs: Sequence[Sequence[Outputs]],  # noqa: ARG002
        labels: Sequence[str],  # noqa: ARG002
    ) -> Settings:
        return {}

    def targets(self, records: Sequence[Any], labels: Sequence[str]) -> Mapping[str, npt.NDArray[Any]]:  # noqa: ARG002
        return {}
