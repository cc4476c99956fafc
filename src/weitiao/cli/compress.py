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
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.recipe.specs import share_of

if TYPE_CHECKING:
    from weitiao.compression.comparison import Comparison
    from weitiao.compression.history import Done
    from weitiao.verbs.compress import Compressed

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
    json: Json = False,
) -> None:
    """Compress, and print what it changed."""
    from weitiao.verbs.compress import compress as make

    with display() as on_event:
        made = make(
            run, steps or (), output=output, tolerance=tolerance_of(tolerance), accept=accept, data=data, texts=texts,
            on_event=on_event,
        )  # fmt: skip
    if json:
        print_json(made.as_json())
    else:
        _show(made)


def tolerance_of(text: str) -> float:
    """`0.5%` or `0.005` as a share.

    Raises:
        Refused: it is neither.
    """
    try:
        share = share_of(text)
        share = float(text) if share is None else share
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        message = _("--tolerance: got '{got}'; expected a share such as 0.5%")
        raise Refused(message.format(got=text))
    return share


def _show(made: Compressed) -> None:
    rows = [_row(each) for each in made.steps]
    print_table(rows, head=[_("step"), _("size"), _("agreement"), _("largest difference"), _("metric")], right=[1, 2])
    for done in made.steps:
        for sentence in _sentences(done):
            print(sentence)
    print()
    sizes = {"before": f"{made.bytes_before / MEGABYTE:,.2f}", "after": f"{made.bytes_after / MEGABYTE:,.2f}"}
    share = percent(made.bytes_after / made.bytes_before)
    print(_("model: {before} MB before, {after} MB after ({share} of it)").format(**sizes, share=share))
    print(_("artifact: {path}").format(path=made.path))
    print_next(_("Next:"), _next_commands(made))


def _row(done: Done) -> tuple[str, ...]:
    options = ",".join(f"{key}={value}" for key, value in done.options.items())
    size, found = f"{done.bytes / MEGABYTE:,.2f} MB", done.comparison
    word = f"{done.name}:{options}" if options else done.name
    if found is None:
        return (word, size, "-", "-", "-")
    apart = "-" if found.largest is None else f"{found.largest:.2g}"
    return (word, size, percent(found.agreement), apart, found.difference.shown("+"))


def _sentences(done: Done) -> Iterator[str]:
    """What the step did, and what the comparison says beyond the table."""
    yield from done.told()
    if done.comparison is None:
        yield _("{step}: compared with nothing, kept by --accept").format(step=done.name)
    else:
        yield from _remarks(done.name, done.comparison)


def _remarks(name: str, found: Comparison) -> Iterator[str]:
    from weitiao.compression.base import BATCHED
    from weitiao.evaluation.titles import metric_title

    figures = {"metric": metric_title(found.metric), "rows": f"{found.rows:,}", "split": found.split}
    scores = {"before": f"{found.before:.3f}", "after": f"{found.after:.3f}"}
    yield _("{metric} on {rows} rows of {split}: {before} before, {after} after").format(**figures, **scores)
    if found.batched > BATCHED:
        yield _("an output depends on the texts it is asked among: by {batched} at most").format(
            batched=f"{found.batched:.2g}"
        )
    for objection in found.objections:
        yield _("{step}: {objection}; kept by --accept").format(step=name, objection=objection)
    if not found.proven and not found.objections:
        yield _("these rows are too few to rule out a fall beyond the tolerance; judge by more with --data FILE")


def _next_commands(made: Compressed) -> Iterator[str]:
    """Commands that work as they are printed."""
    if made.report is not None:
        yield command(["compare", str(made.source), str(made.path)])
    yield command(["serve", str(made.path)])
