"""Results on stdout: one JSON object, or tables that fit 80 columns and survive a pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from weitiao.cli.layout import page_width, table
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
    shown = [list(row) for row in rows]
    if title:
        print(_bold(title))
    lines = list(table([list(head), *shown] if head else shown, page_width(), right)) if head or shown else []
    if head:
        lines[0] = _bold(lines[0])
    print("\n".join(lines))


def _bold(text: str) -> str:
    """Bold on a terminal, unless NO_COLOR is set."""
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else text


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
