"""Markdown of docs/results.md from results/*.json: every figure in the docs comes from here.

python benchmarks/tables.py > docs/results.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import RESULTS, shown

INTRODUCTION = """\
# Measured results

Made by `python benchmarks/tables.py` from `benchmarks/results/`; do not edit. Each section names its script, which
measures everything again; a bar that is not reached stays here as missed.
"""


def markdown(results: Path = RESULTS) -> str:
    """The whole page."""
    sections = [section(json.loads(path.read_text("utf-8"))) for path in sorted(results.glob("*.json"))]
    return "\n".join([INTRODUCTION, *sections])


def section(whole: Mapping[str, Any]) -> str:
    """One benchmark: sentence, machine, table, notes, bars."""
    lines = [
        f"## {whole['benchmark']}",
        "",
        whole["about"],
        "",
        f"`python benchmarks/{whole['benchmark']}.py`, {_where(whole)}.",
    ]
    if whole["disturbed"]:
        lines += ["", f"Disturbed by other processes: {', '.join(whole['disturbed'])}."]
    lines += ["", *table(whole["rows"])]
    for note in whole["notes"]:
        lines += ["", note]
    if whole["bars"]:
        lines += ["", *table([_bar(name, bar) for name, bar in whole["bars"].items()])]
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A Markdown table; numbers to the right."""
    if not rows:
        return
    first = rows[0]
    yield "| " + " | ".join(name.replace("_", " ") for name in first) + " |"
    yield "|" + "|".join("---:" if _is_number(value) else "---" for value in first.values()) + "|"
    for row in rows:
        yield "| " + " | ".join(shown(value).replace("|", "\\|") for value in row.values()) + " |"


def _where(whole: Mapping[str, Any]) -> str:
    machines = whole["machine"] if isinstance(whole["machine"], list) else [whole["machine"]]
    places = {
        f"{each['cpu']}, {each['cores']} cores, torch {each['versions']['torch']}, "
        f"transformers {each['versions']['transformers']}"
        for each in machines
    }
    return "; ".join(sorted(places)) + f", commit {', '.join(whole['commits'])}"


def _bar(name: str, bar: Mapping[str, Any]) -> dict[str, Any]:
    reached = "reached" if bar["ok"] else "not measured" if bar["value"] is None else "**missed**"
    return {
        "bar": name.replace("_", " "),
        "value": bar["value"],
        "goal": f"{bar['sense']} {shown(bar['goal'])}",
        "": reached,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


if __name__ == "__main__":
    sys.stdout.write(markdown(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS))
