"""`weitiao predict`: answer texts, or the rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weitiao.cli.adapters import Base
from weitiao.cli.clusters import Address, ClusterName, Workers, cluster_of
from weitiao.cli.failures import say
from weitiao.cli.marking import N_
from weitiao.cli.printing import Json, print_json, print_table
from weitiao.cli.progress import Rows, lines_in
from weitiao.errors import Refused
from weitiao.messages import _, ngettext

if TYPE_CHECKING:
    from weitiao.verbs.clusters.session import Cluster

ABOUT = N_("Answer texts, or the rows of a file.")


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help=N_("A run folder, or its adapter/."))],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="TEXT", help=N_("Texts; put -- before one that begins with a dash."))
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help=N_("File of rows in any format that training reads."))
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help=N_("File to write: .csv, .tsv or .jsonl."))
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=N_("Overwrite the output file."))] = False,
    base: Base = None,
    cluster: ClusterName = "",
    workers: Workers = None,
    address: Address = "",
    json: Json = False,
) -> None:
    """Answer on stdout, or into a file."""
    where = cluster_of(cluster, workers, address)
    if where is not None and source is None:
        raise Refused(_("--cluster answers the rows of a file; give --input FILE and --output FILE"))
    if source is not None and not texts:
        if output is None:
            raise Refused(_("--output is missing; name the file to write: .csv, .tsv or .jsonl"))
        _predict_file(run, source, output, force=force, base=base, where=where, json=json)
    elif texts and source is None and output is None:
        _predict_texts(run, texts, base=base, json=json)
    else:
        raise Refused(_("give either texts, or --input FILE with --output FILE"))


def _predict_texts(run: Path, texts: list[str], *, base: str | None, json: bool) -> None:
    from weitiao.verbs.predict import answer

    answers = answer(run, texts, base=base)
    pairs = list(zip(texts, answers.predictions, strict=True))
    _say_truncated(len(answers.truncated), len(texts), answers.max_length)
    if json:
        rows = [{"text": text, **each.model_dump(mode="json")} for text, each in pairs]
        print_json({"predictions": rows, "truncated": answers.truncated})
        return
    print_table([(text, *each.shown()) for text, each in pairs], head=[_("text"), _("answer"), _("confidence")])


def _say_truncated(count: int, texts: int, max_length: int) -> None:
    """That the model did not see the end of some texts; nothing where it saw all."""
    if count:
        message = ngettext(
            "{count} of {texts} texts is longer than {limit} tokens; the model read only its beginning",
            "{count} of {texts} texts are longer than {limit} tokens; the model read only their beginning",
            count,
        ).format(count=f"{count:,}", texts=f"{texts:,}", limit=max_length)
        say(_("warning: {message}").format(message=message))


def _predict_file(
    run: Path, source: Path, output: Path, *, force: bool, base: str | None, where: Cluster | None, json: bool
) -> None:
    from weitiao.verbs.predict import predict_file

    with Rows(lines_in(source)) as rows:
        answered = predict_file(run, source, output, force=force, base=base, cluster=where, on_rows=rows)
    if answered.resumed:
        say(_("went on from an earlier call that was stopped after {rows} rows").format(rows=f"{answered.resumed:,}"))
    if answered.faulty:
        shown = "\n".join(f"  {fault}" for fault in answered.faults)
        if more := answered.faulty - len(answered.faults):
            shown += "\n  " + _("and {count} more").format(count=more)
        message = ngettext(
            "{count} row has no answer; see its `error` column:",
            "{count} rows have no answer; see their `error` column:",
            answered.faulty,
        ).format(count=answered.faulty)
        say(_("warning: {message}").format(message=f"{message}\n{shown}"))
    _say_truncated(answered.truncated, answered.rows - answered.faulty, answered.max_length)
    if json:
        print_json(answered.as_json())
    else:
        print(_("wrote {path}; rows: {rows}").format(path=output, rows=f"{answered.rows:,}"))
