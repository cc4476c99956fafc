"""What every step of compression is given, and what it gives back. Torch-free.

A step fills a new `model/` folder from another one and says what it did. It judges nothing: `weitiao compress` loads
what was written and compares it with its source on labelled rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from weitiao.errors import Refused
from weitiao.events import OnEvent, silent
from weitiao.messages import _
from weitiao.models.onnx import ONNX_FILE
from weitiao.recipe import Finding, Options
from weitiao.records import Record
from weitiao.tasks import TASKS
from weitiao.text import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from weitiao.models.network import Network

Facts = Mapping[str, Any]  # what a step did, JSON-able
Form = Literal["torch", "onnx", "rounded"]
ROUNDED_FILE = "rounded.safetensors"
BATCHED = 1e-4  # float rounding stays below it; what is above depends on the texts of a batch


def form_of(folder: Path) -> Form:
    """What a `model/` folder holds: torch weights, or an ONNX graph, or torch weights of which some are rounded."""
    if (folder / ONNX_FILE).is_file():
        return "onnx"
    return "rounded" if (folder / ROUNDED_FILE).is_file() else "torch"


class StepOptions(Options):
    """Base of every step's options.

    Attributes:
        exact: whether the step promises the answers of its source; others are judged by the metric alone.
        bound: of an exact step, the largest difference of an output that still counts as the same.
        takes: the forms of model that it works on.
        gives: the form that it writes.
    """

    exact: ClassVar[bool] = False
    bound: ClassVar[float] = 1e-4
    takes: ClassVar[frozenset[Form]] = frozenset({"torch"})
    gives: ClassVar[Form] = "torch"

    def misfits(self, card: Mapping[str, Any], folder: Path) -> Iterator[Finding]:  # noqa: ARG002
        """Why the step cannot be done; asked before any weights are opened, and again before the step itself.

        Keys of a finding start at the step's options: `("share",)`, or none where it is about the step as a whole.

        Args:
            card: task.json of the source.
            folder: its `model/`; of a later step, at first that of the run, for its own is not there yet.
        """
        yield from ()

    def told(self, facts: Facts) -> Iterator[str]:  # noqa: ARG002
        """What the step did, in sentences of the language in force."""
        yield from ()


@dataclass(frozen=True)
class Source:
    """The model that a step starts from.

    Args:
        folder: its `model/`.
        card: its task.json.
        records: the labelled rows of a split ("train", "dev" or "test") of the run; Refused where they are gone.
        texts: unlabelled texts, where the user named some.
        on_event: told of the steps of a fit.
    """

    folder: Path
    card: Mapping[str, Any]
    records: Callable[[str], Sequence[Record]]
    texts: Sequence[str] | None = None
    on_event: OnEvent = silent

    @cached_property
    def task(self) -> Any:
        """The task, with the options it was trained with."""
        kind = TASKS[self.card["task"]]
        return kind(kind.options_model.model_validate(self.card.get("options") or {}))

    @property
    def labels(self) -> Sequence[str]:
        """The label space."""
        labels: Sequence[str] = self.card["labels"]
        return labels

    @property
    def max_length(self) -> int:
        """Tokens of a text that the model reads."""
        return int(self.card["max_length"])

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that stands in the folder."""
        return load_tokenizer(self.folder)

    @property
    def form(self) -> Form:
        """What the folder holds."""
        return form_of(self.folder)

    def network(self) -> Network:
        """The torch network in evaluation mode, loaded anew at each call.

        Raises:
            Refused: the folder holds no torch weights.
        """
        if self.form != "torch":
            raise Refused(_("{folder}: holds no torch weights ({form})").format(folder=self.folder, form=self.form))
        from weitiao.models.network import load

        return load(self.folder)


class Step:
    """One way of making a model smaller; built as `STEPS[name](options)`."""

    def __init__(self, options: Any) -> None:
        self.options = options

    def run(self, source: Source, target: Path) -> Facts:
        """Write the new `model/` to `target`, which is not there yet, and say what was done.

        All of it: weights, tokenizer, config.json and task.json; `models.saving.save_model` does so for a network.
        """
        raise NotImplementedError

    def covers(self, source: Source, target: Path, records: Sequence[Record]) -> Sequence[bool]:  # noqa: ARG002
        """Of each record, whether an exact step promises that it is answered as before."""
        return [True] * len(records)
