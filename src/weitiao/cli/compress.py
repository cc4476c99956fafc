"""`weitiao compress`: a smaller or faster artifact of a run, compared with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, percent, print_json, print_next, print_table
from weitiao.cli.program import command
from weitiao.cli.progress import display
from weitiao.cli.shares import share_given
from weitiao.errors import Refused
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.compression.comparison import Comparison
    from weitiao.compression.history import Done
    from weitiao.evaluation.intervals import Score
    from weitiao.verbs.compress import Compressed
    from weitiao.verbs.ladder import Climbed

ABOUT = N_("Make a smaller or faster artifact of a run, and prove that it answers as well.")
MEGABYTE = 1_000_000


def compress(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=N_("A run folder, or an artifact of compress."))],
    steps: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="STEP", help=N_("Steps in order, each NAME or NAME:KEY=VALUE,KEY=VALUE; see: weitiao list steps.")
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help=N_("New folder. Default: RUN-STEP-STEP beside the run.")),
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", metavar="SHARE", help=N_("By how much the headline metric may fall."))
    ] = "0.5%",
    accept: Annotated[
        bool, typer.Option("--accept", help=N_("Keep it outside the tolerance too, or uncompared; it is recorded."))
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help=N_("Labelled rows to compare on in place of the run's dev rows.")),
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option("--texts", metavar="FILE", help=N_("Unlabelled texts for the steps that use some.")),
    ] = None,
    ladder: Annotated[
        bool, typer.Option("--ladder", help=N_("Try several ways, measure each, and say which no other beats."))
    ] = False,
    rungs: Annotated[
        list[str] | None,
        typer.Option(
            "--steps", metavar="STEP+STEP", help=N_("With --ladder: a way to try, its steps joined by +; repeatable.")
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Compress, and print what it changed."""
    allowed = share_given("--tolerance", tolerance)
    if ladder:
        if steps or accept:
            raise Refused(_("--ladder takes its ways from --steps and keeps all of them; give no STEP and no --accept"))
        _climb(run, rungs, output=output, tolerance=allowed, data=data, texts=texts, json=json)
        return
    if rungs:
        raise Refused(_("--steps names the ways of --ladder; without it, name the steps behind the run"))
    from weitiao.verbs.compress import compress as make

    with display() as on_event:
        made = make(
            run, steps or (), output=output, tolerance=allowed, accept=accept, data=data, texts=texts,
            on_event=on_event,
        )  # fmt: skip
    if json:
        print_json(made.as_json())
    else:
        _show(made)


def _climb(
    run: Path, rungs: list[str] | None, *, output: Path | None, tolerance: float, data: Path | None, texts: Path | None,
    json: bool,
) -> None:  # fmt: skip
    from weitiao.verbs.ladder import ladder

    with display() as on_event:
        made = ladder(run, rungs or None, output=output, tolerance=tolerance, data=data, texts=texts, on_event=on_event)
    if json:
        print_json(made.as_json())
    else:
        _show_ladder(made)


def _show(made: Compressed) -> None:
    from weitiao.evaluation.titles import metric_title

    metrics = {each.comparison.metric for each in made.steps if each.comparison is not None}
    title = metric_title(metrics.pop()) if metrics else _("metric")
    head = [_("step"), _("size"), _("same answers"), title, _("difference")]
    print_table([_row(each) for each in made.steps], head=head, right=[1, 2, 3])
    print()
    for done in made.steps:
        for sentence in _sentences(done):
            print(sentence)
    sizes = {"before": f"{made.bytes_before / MEGABYTE:,.2f}", "after": f"{made.bytes_after / MEGABYTE:,.2f}"}
    share = percent(made.bytes_after / made.bytes_before)
    print(_("model: {before} MB before, {after} MB after ({share} of it)").format(**sizes, share=share))
    print(_("artifact: {path}").format(path=made.path))
    print_next(_("Next:"), _next_commands(made))


def _show_ladder(made: Climbed) -> None:
    from weitiao.compression.ladder import PAGE_FILE
    from weitiao.evaluation.titles import metric_title

    found = made.ladder
    head = ["", _("steps"), "MB", _("p50 / p95 ms"), _("texts/s"), metric_title(found.metric), _("difference")]
    rows = [
        (
            ("*" if each.best else "") + ("" if each.within else "!"),
            each.name,
            f"{each.bytes / MEGABYTE:,.1f}",
            f"{each.speed.p50:.1f} / {each.speed.p95:.1f}",
            f"{each.speed.texts_per_second:,.0f} ({each.times:.1f}x)",
            f"{each.score.value:.3f}",
            "" if each.difference is None else points(each.difference, found.metric),
        )
        for each in found.rungs
    ]
    print_table(rows, head=head, right=[2, 3, 4, 5])
    print()
    print(_("*: no other is better in size, speed and score together; !: outside the tolerance"))
    for out in found.left_out:
        print(_("not possible: {name}: {reason}").format(name=out.name, reason=out.reason))
    print(_("ladder: {path}").format(path=made.path / PAGE_FILE))


def points(gap: Score, metric: str) -> str:
    """A difference with its interval, in points where the metric is a share: `-0.2 [-0.6, +0.1]`."""
    from weitiao.evaluation.page import NO_SHARES

    if metric in NO_SHARES:
        return gap.shown("+")
    return f"{100 * gap.value:+.1f} [{100 * gap.low:+.1f}, {100 * gap.high:+.1f}]"


def _row(done: Done) -> tuple[str, ...]:
    size, found = f"{done.bytes / MEGABYTE:,.2f} MB", done.comparison
    if found is None:
        return (done.name, size, "-", "-", "-")
    return (done.name, size, percent(found.agreement), f"{found.after:.3f}", found.difference.shown("+"))


def _sentences(done: Done) -> Iterator[str]:
    """What the step did, and what the comparison says beyond the table."""
    yield from done.told()
    if done.comparison is None:
        yield _("{step}: compared with nothing, kept by --accept").format(step=done.name)
    else:
        yield from _remarks(done.name, done.comparison)


def _remarks(name: str, found: Comparison) -> Iterator[str]:
    from weitiao.compression.base import BATCHED

    if found.largest is not None:
        yield _("{step}: on {rows} rows of {split} an output differs from its source's by {worst} at most").format(
            step=name, rows=f"{found.covered:,}", split=found.split, worst=f"{found.largest:.2g}"
        )
    if found.batched > BATCHED:
        yield _("{step}: an output depends on the texts that it is asked with, by {batched} at most").format(
            step=name, batched=f"{found.batched:.2g}"
        )
    for objection in found.objections:
        yield _("{step}: {objection}; kept by --accept").format(step=name, objection=objection)
    if not found.proven and not found.objections:
        yield _(
            "{step}: too few rows to rule out a fall beyond the tolerance; compare on more with --data FILE"
        ).format(step=name)


def _next_commands(made: Compressed) -> Iterator[str]:
    """Commands that work as they are printed."""
    if made.report is not None:
        yield command(["compare", str(made.source), str(made.path)])
    yield command(["serve", str(made.path)])
