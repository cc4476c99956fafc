"""`weitiao learn`: go on from the served model with new labelled rows, and promote the result where the gate holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.cli.progress import display
from weitiao.cli.shares import share_given
from weitiao.errors import Refused
from weitiao.messages import _

if TYPE_CHECKING:
    from weitiao.verbs.learn import Learnt

ABOUT = N_("Go on from the served model with new labelled rows; promote the result only if a paired test allows it.")
NOT_PROMOTED = 1  # exit code under --require


def learn(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=N_("The run that is served, or was at first."))],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help=N_("Changes to the run's recipe, such as training.epochs=2.")),
    ] = None,
    new: Annotated[
        str,
        typer.Option(
            "--new", metavar="SOURCE", help=N_("A file of labelled rows as the run's own, or a feedback store.")
        ),
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help=N_("The new run. Default: RUN-learnt-1 and so on."))
    ] = None,
    replay: Annotated[
        str,
        typer.Option(
            "--replay",
            metavar="N|SHARE",
            help=N_("Old training rows to mix in, such as 500 or 20%. Default: as many as new, 10 a label."),
        ),
    ] = "",
    hold_out: Annotated[
        str, typer.Option("--hold-out", metavar="SHARE", help=N_("Share of the new rows that is only measured on."))
    ] = "25%",
    weight: Annotated[
        float, typer.Option("--weight", metavar="W", help=N_("Of the distance from the old answers; 0 for none."))
    ] = 1.0,
    temperature: Annotated[
        float, typer.Option("--temperature", metavar="T", help=N_("At which old and new answers are compared."))
    ] = 2.0,
    margin: Annotated[
        str, typer.Option("--margin", metavar="SHARE", help=N_("What the headline metric may lose on the old rows."))
    ] = "1%",
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help=N_("Of a feedback store: corrections of this model, such as an artifact of RUN; repeatable."),
        ),
    ] = None,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help=N_("Whether it is served from now on if the gate holds."))
    ] = True,
    require: Annotated[bool, typer.Option("--require", help=N_("Exit with 1 if the gate does not hold."))] = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="DIR", help=N_("Go on with this interrupted new run."))
    ] = None,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help=N_("Serve again what was served before the last promotion."))
    ] = False,
    json: Json = False,
) -> None:
    """Learn, and print the figures of the gate; or roll back."""
    from weitiao.verbs import learn as verb

    if roll_back:
        if new or resume is not None:
            raise Refused(_("--roll-back learns nothing; give it without --new and --resume"))
        _rolled_back(run, verb.roll_back(run), json=json)
        return
    if resume is not None and (new or changes):
        raise Refused(_("--resume goes on as the run was begun; give no --new and no changes with it"))
    if resume is None and not new:
        raise Refused(_("--new is missing; name a file of labelled rows, or a feedback store such as sqlite:///FILE"))
    with display() as on_event:
        made = verb.learn(
            run, new or None, output=output, replay=replay or None, hold_out=share_given("--hold-out", hold_out),
            weight=weight, temperature=temperature, margin=share_given("--margin", margin), promote=promote,
            models=model or (), overrides=changes or (), resume=resume, on_event=on_event,
        )  # fmt: skip
    if json:
        print_json(made.as_json())
    else:
        _show(made)
    if require and not made.gate.holds:
        raise typer.Exit(NOT_PROMOTED)


def _rolled_back(run: Path, served: Path, *, json: bool) -> None:
    if json:
        print_json({"run": str(run), "served": str(served)})
    else:
        print(_("served in the place of {run} from now on: {served}").format(run=run, served=served))


def _show(made: Learnt) -> None:
    from weitiao.evaluation.titles import metric_title

    gate = made.gate
    parts = ((_("old rows"), gate.old), (_("new rows"), gate.new))
    rows = [
        (name, f"{part.rows:,}", f"{part.served:.3f}", f"{part.learnt:.3f}", part.difference.shown("+"))
        for name, part in parts
    ]
    head = [metric_title(gate.metric), _("rows"), _("served"), _("new run"), _("new minus served")]
    print_table(rows, head=head, right=[1, 2, 3])
    for sentence in made.notes:
        print(sentence)
    if made.new_labels:
        print(_("new labels: {labels}").format(labels=", ".join(made.new_labels)))
    for reason in gate.reasons:
        print(_("not promoted: {reason}").format(reason=reason))
    print(_verdict(made))


def _verdict(made: Learnt) -> str:
    if made.promoted:
        message = _("promoted: {output} is served in the place of {run} from now on; back with: weitiao learn {run} ")
        return message.format(output=made.output, run=made.run) + "--roll-back"
    if made.gate.holds:
        return _("the gate holds; not promoted, as asked; the new run: {output}").format(output=made.output)
    return _("the served run stays; the new run is kept: {output}").format(output=made.output)
