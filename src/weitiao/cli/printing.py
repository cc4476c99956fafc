"""Results on stdout: one JSON object, or tables that fit 80 columns and survive a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from weitiao.cli.marking import N_

Json = Annotated[bool, typer.Option("--json", help=N_("Print one JSON object on stdout; progress goes to stderr."))]


def print_json(value: Mapping[str, Any]) -> None:
    """The one JSON object of a verb; NaN and infinity, which JSON lacks, become null."""
    print(json.dumps(_finite(value), ensure_ascii=False, indent=2, default=str, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def print_table(
    rows: Iterable[Sequence[str]], *, head: Sequence[str] = (), title: str = "", right: Sequence[int] = ()
) -> None:
    """A table on stdout.

    Args:
        right: columns to align right, from 0.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title or None, title_justify="left", title_style="bold", box=None, show_header=bool(head), pad_edge=False
    )
    rows = [list(row) for row in rows]
    for index in range(len(head) or max((len(row) for row in rows), default=0)):
        table.add_column(
            head[index] if head else "",
            justify="right" if index in right else "left",
            header_style="bold",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    print_rich(table)


def print_rich(renderable: Any) -> None:
    """Anything of rich on stdout, without trailing blanks; no colour where NO_COLOR is set or stdout is no terminal."""
    from rich.console import Console

    from weitiao.cli.help import page_width

    console = Console(file=sys.stdout, width=page_width(), highlight=False)
    with console.capture() as captured:
        console.print(renderable)
    print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))


def print_next(title: str, commands: Iterable[str]) -> None:
    """Commands to try, one a line, each whole so that it can be copied."""
    print(f"\n{title}")
    for command in commands:
        print(f"  {command}")


def percent(value: float | None) -> str:
    """`91.2 %`, or a dash where there is no number."""
    return "-" if value is None else f"{100 * value:.1f} %"


def number(value: float | int | None) -> str:
    """`12,345`, or a dash where there is none."""
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
