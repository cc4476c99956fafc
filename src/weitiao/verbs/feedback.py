"""`weitiao data feedback`: the corrections of a server as rows to train on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from weitiao.data.writing import ENDINGS, WRITERS, Writer
from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.serving.feedback.store import FeedbackStore, latest
from weitiao.verbs.inner import with_tokens


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of it.

    Args:
        output: the file written.
        written_as: its format.
        rows: rows in it.
        superseded: corrections that a later one of the same input replaces.
        lost: what the format cannot hold, in sentences with counts.
    """

    output: str
    written_as: str
    rows: int
    superseded: int
    lost: list[str]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def export_feedback(
    url: str,
    output: Path | str,
    *,
    model: str | None = None,
    since: str | None = None,
    write_as: str | None = None,
    force: bool = False,
) -> Exported:
    """Write the corrections in a database into a file that `train`, `learn` and `convert` read.

    Args:
        url: the database, as for `weitiao serve --feedback`.
        output: the file to write.
        model: corrections of this model only.
        since: stored at this time or later, such as 2026-01-31.
        write_as: a format of `weitiao convert`; told by the output's ending when None.
        force: overwrite the output.

    Raises:
        Refused: there are no corrections, or the output cannot be written.
        Unreachable: the database does not answer.
    """
    output = Path(output)
    name = write_as or _format_of(output)
    writer: Writer = WRITERS[name]()
    if output.exists() and not force:
        raise Refused(_("{path}: already there; name another file, or overwrite it with --force").format(path=output))
    store = FeedbackStore.open(url, make=False)
    kept = list(store.rows(model=model, since=since))
    rows = latest(kept)
    if not rows:
        there = sorted({each.model for each in store.counts()})
        message = _("{url}: no such corrections; there are some of the models: {names}")
        raise Refused(message.format(url=store.shown, names=", ".join(there) or _("none")))
    written = [with_tokens(row) for row in rows] if getattr(writer, "tokenised", False) else rows
    lost = writer.write(written, output)
    return Exported(str(output), name, len(rows), len(kept) - len(rows), lost)


def _format_of(output: Path) -> str:
    """The format that the file's ending says.

    Raises:
        Refused: it says none that can be written.
    """
    if output.suffix.lower() not in ENDINGS:
        message = _("{path}: the ending '{got}' says no format; take one of {endings}, or name a format with --to")
        raise Refused(message.format(path=output, got=output.suffix, endings=", ".join(sorted(ENDINGS))))
    return ENDINGS[output.suffix.lower()]
