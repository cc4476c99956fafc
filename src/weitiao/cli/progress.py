"""What a training run says while it runs, on stderr: a bar in a terminal, plain lines otherwise.

Fed with the events of `weitiao.train`: {"kind": "phase" | "problems" | "note" | "step" | "evaluation", ...}.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from weitiao.cli.failures import problem_lines, say
from weitiao.evaluation.titles import metric_title
from weitiao.messages import _, duration

EVERY = 10.0  # seconds between plain lines
MEBIBYTE = 1 << 20


class Display(Protocol):
    """Shows the events of a run."""

    def __call__(self, event: Mapping[str, Any]) -> None: ...

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def display() -> Display:
    """The display that fits stderr."""
    return Bar() if sys.stderr.isatty() else Lines()


class Lines:
    """One line a phase, problem, note and evaluation, and one line of progress every ten seconds."""

    def __init__(self, clock: Any = time.monotonic) -> None:
        self._clock = clock
        self._pace = Remaining(clock)
        self._last = -EVERY

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["kind"] != "step":
            if text := words(event):
                say(text)
            return
        left = self._pace.left(event["step"], event["steps"])
        if self._clock() - self._last >= EVERY or event["step"] == event["steps"]:
            self._last = self._clock()
            say(_("step {step}/{steps}  {figures}").format(
                step=event["step"], steps=event["steps"], figures=figures(event, left)
            ))  # fmt: skip


class Bar:
    """A bar with loss, tokens a second and the time left; other events scroll above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._pace = Remaining()
        self._progress = Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task: Any = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, event: Mapping[str, Any]) -> None:
        if event["kind"] == "step":
            self._step(event)
        elif text := words(event):
            self._say(text)

    def _say(self, text: str) -> None:
        from rich.text import Text

        self._progress.console.print(Text(text), soft_wrap=True)

    def _step(self, event: Mapping[str, Any]) -> None:
        shown = figures(event, self._pace.left(event["step"], event["steps"]))
        if self._task is None:
            self._task = self._progress.add_task("", total=event["steps"], figures=shown)
            self._progress.start()
        self._progress.update(self._task, completed=event["step"], total=event["steps"], figures=shown)


class Rows:
    """How many rows of a file are answered: a bar in a terminal, else a line every ten seconds.

    Args:
        about: rows that there are, as far as can be told before they are read; 0 where it cannot.
    """

    def __init__(self, about: int, clock: Any = time.monotonic) -> None:
        self._about, self._clock, self._last = about, clock, clock()
        self._bar: Any = None

    def __enter__(self) -> Rows:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(bar_width=None), TextColumn("{task.completed:,}"), TimeRemainingColumn())
            self._bar = Progress(*columns, console=Console(stderr=True, highlight=False), transient=True)
            self._task = self._bar.add_task("", total=self._about or None)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, rows: int) -> None:
        """So many are answered."""
        if self._bar is not None:
            self._bar.update(self._task, completed=rows, total=max(rows, self._about) or None)
        elif self._clock() - self._last >= EVERY:
            self._last = self._clock()
            say(_("rows: {rows}").format(rows=f"{rows:,}"))


def lines_in(path: Path) -> int:
    """Line ends in a file, which is about how many rows a long one has; 0 where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return sum(block.count(b"\n") for block in iter(lambda: stream.read(MEBIBYTE), b""))
    except OSError:
        return 0


class Remaining:
    """How long the rest takes, from the steps since the display began (a resumed run starts in the middle)."""

    def __init__(self, clock: Any = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[int, float] | None = None

    def left(self, step: int, steps: int) -> float | None:
        """Seconds to go; None while unknown."""
        now = self._clock()
        if self._first is None or step < self._first[0]:
            self._first = (step, now)
            return None
        first, began = self._first
        return (now - began) / (step - first) * (steps - step) if step > first else None


def words(event: Mapping[str, Any]) -> str:
    """What is said of an event that is no step; nothing of kinds that are not known here."""
    if event["kind"] == "evaluation":
        return evaluation_line(event)
    if event["kind"] == "problems":
        return "\n".join(problem_lines(event["problems"]))
    return str(event["text"]) if event["kind"] in ("phase", "note") else ""


def figures(event: Mapping[str, Any], left: float | None) -> str:
    """`loss 0.412  2,310 tokens/s  1 min 20 s left`."""
    parts = [_("loss {loss}").format(loss=f"{event['loss']:.4f}")]
    if event.get("tokens_per_second"):
        parts.append(_("{rate} tokens/s").format(rate=f"{event['tokens_per_second']:,.0f}"))
    if left is not None:
        parts.append(_("{time} left").format(time=duration(left)))
    return "  ".join(parts)


def evaluation_line(event: Mapping[str, Any]) -> str:
    """`dev at step 120: loss 0.3312, Accuracy 0.8710, Macro F1 0.8680`; without a dev split, the loss of training."""
    if "dev" not in event:
        return _("step {step}: training loss {loss}").format(step=event["step"], loss=f"{event['train_loss']:.4f}")
    dev = event["dev"]
    names = [name for name in dict.fromkeys(("loss", event.get("metric", "loss"), "macro_f1")) if name in dev]
    shown = _(", ").join(_measured(name, f"{dev[name]:.4f}") for name in names)
    return _("dev at step {step}: {figures}").format(step=event["step"], figures=shown)


def _measured(name: str, value: str) -> str:
    return _("loss {loss}").format(loss=value) if name == "loss" else f"{metric_title(name)} {value}"
