"""Steps as they are written: what is understood, and every mistake at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from weitiao.compression import STEP_OPTIONS, StepOptions
from weitiao.compression.base import Form
from weitiao.compression.words import misfits, read_steps, understood
from weitiao.errors import ProblemsFound
from weitiao.recipe import Finding


class GraphOptions(StepOptions):
    """A step that writes a graph."""

    gives: ClassVar[Form] = "onnx"
    layers: tuple[int, ...] = Field(default=(), strict=False, description="some")


class RoundOptions(StepOptions):
    """A step that works on a graph, and not with few labels."""

    takes: ClassVar[frozenset[Form]] = frozenset({"onnx"})
    gives: ClassVar[Form] = "onnx"

    def misfits(self, card: Mapping[str, Any], folder: Path) -> Iterator[Finding]:
        if len(card["labels"]) < 3:
            yield Finding("misfit", ("labels",), "too few")


@pytest.fixture
def more_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, options in (("graph", "GraphOptions"), ("round", "RoundOptions")):
        monkeypatch.setitem(STEP_OPTIONS._entries, name, f"{__name__}:{options}")  # type: ignore[attr-defined]


@pytest.mark.usefixtures("more_steps")
def test_names_and_options_are_read_as_in_a_recipe() -> None:
    steps = read_steps(["sparsify:share=0.25", "graph:layers=[0, 2]", "graph"])
    assert [(each.name, each.options.model_dump()) for each in steps] == [
        ("sparsify", {"share": 0.25}), ("graph", {"layers": (0, 2)}), ("graph", {"layers": ()})
    ]  # fmt: skip


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(ProblemsFound) as found:
        read_steps(
            ["sparsefy", "sparsify:shar=0.5", "sparsify:share=2", "sparsify:share", "sparsify:share=.1,share=.2"]
        )
    told = [each.message for each in found.value.problems]
    assert told[0].startswith("unknown step 'sparsefy'; expected one of: ") and told[0].endswith("mean 'sparsify'?")
    assert told[1:] == [
        "unknown key 'sparsify.shar'; did you mean 'share'?",
        "`sparsify.share`: got 2; expected a number < 1",
        "'sparsify:share': 'share' is not an option; expected NAME:KEY=VALUE,KEY=VALUE, each key once",
        "'sparsify:share=.1,share=.2': 'share=.2' is not an option; expected NAME:KEY=VALUE,KEY=VALUE, each key once",
    ]
    with pytest.raises(ProblemsFound, match=r"no step is named; expected one or more of: .*sparsify"):
        read_steps([])


@pytest.mark.usefixtures("more_steps")
def test_each_step_must_work_on_what_the_one_before_it_leaves(tmp_path: Path) -> None:
    def told(*words: str, labels: int = 3, whole: bool = True) -> list[str]:
        card = {"labels": list(range(labels))}
        return [each.message for each in misfits(understood(words)[0], card, tmp_path, whole=whole)]

    assert told("sparsify", "graph", "round") == []
    assert told("graph", "sparsify") == [
        "sparsify: works on a model in torch, but graph leaves one in onnx; put it before graph"
    ]
    assert told("round", labels=2) == [
        "round: works on a model in onnx; put the step onnx before it", "round.labels: too few"
    ]  # fmt: skip
    assert told("round", labels=2, whole=False) == ["round.labels: too few"]
    (tmp_path / "model.onnx").touch()
    assert told("sparsify") == [
        "sparsify: works on a model in torch, but this one is in onnx; start from the run it was made of"
    ]
    assert told("round") == []
