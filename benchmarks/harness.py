"""What the benchmarks share: cells that are kept and resumed, bars, tables and one JSON object.

A benchmark is a list of cells. Each is measured in a process of its own, so that its peak memory is its own, and
written to results/<benchmark>/<cell>.json; a later run measures only what is missing, was disturbed by another process,
or has other settings. The summary of all cells goes to results/<benchmark>.json, as a table to stderr and, with --json,
to stdout.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import machine

RESULTS = Path(__file__).resolve().parent / "results"
LONGEST_CELL = 600  # seconds; above it a cell should be made smaller
QUICK = "quick: figures are no evidence (small sizes, few repeats)"
MARKS = {"met": "ok    ", "missed": "MISSED", "not measured": "open  "}

Settings = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement.

    Args:
        name: file name of its result, without the ending.
        settings: all that the result depends on; another value means measuring again.
    """

    name: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and the goal that an issue set for it.

    Args:
        value: None where its cells are not there yet.
        goal: copied from the issue.
        at_least: whether the value has to reach the goal, or must not exceed it.
    """

    value: float | None
    goal: float
    at_least: bool = True

    @property
    def ok(self) -> bool:
        if self.value is None:
            return False
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def as_json(self) -> dict[str, Any]:
        return {"value": self.value, "goal": self.goal, "ok": self.ok, "sense": ">=" if self.at_least else "<="}


@dataclass(frozen=True, slots=True)
class Summary:
    """What the cells say together.

    Args:
        rows: the table; every row with the same keys.
        bars: name -> bar.
        notes: what a reader of the figures has to know.
    """

    rows: Sequence[Row]
    bars: Mapping[str, Bar] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """A measured cell.

    Args:
        seconds, peak_mb: of its process.
        commit: of the repository, marked where files differed from it.
        date: UTC, year-month-day; cells of before it was kept have none.
    """

    name: str
    settings: Settings
    measured: dict[str, Any]
    seconds: float
    peak_mb: float
    machine: dict[str, Any]
    commit: str
    date: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What a script defines and hands to `run`.

    Args:
        name: of the script and of its results.
        about: one sentence above the table.
        cells: quick -> cells.
        measure: settings and workspace -> measured; called in a process of its own.
        summarise: results by cell name -> summary.
        prepare: fills the workspace, a folder that all cells share; called once, in a process of its own.
        parallel: cells at a time; more than one only where time is not what is measured.
    """

    name: str
    about: str
    cells: Callable[[bool], Sequence[Cell]]
    measure: Callable[[Settings, Path], dict[str, Any]]
    summarise: Callable[[Mapping[str, Result]], Summary]
    prepare: Callable[[Path, bool], None] | None = None
    parallel: int = 1


def run(benchmark: Benchmark) -> None:
    """The command line of a benchmark script."""
    arguments = _arguments(benchmark)
    if arguments.child:
        _serve_child(benchmark, json.loads(arguments.child))
        return
    with tempfile.TemporaryDirectory(prefix=f"{benchmark.name}-") as scratch:
        kept = Path(scratch) / "results" if arguments.quick else arguments.results
        runner = _Runner(benchmark, kept, Path(scratch), quick=arguments.quick, fresh=arguments.fresh)
        started = time.monotonic()
        results = runner.results(arguments.only)
        whole = _whole(benchmark, results, quick=arguments.quick, seconds=time.monotonic() - started)
    if not arguments.quick:
        _write(arguments.results / f"{benchmark.name}.json", whole)
    print(text_of(whole), file=sys.stderr)
    if arguments.json:
        print(json.dumps(whole, ensure_ascii=False))


def _arguments(benchmark: Benchmark) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"benchmarks/{benchmark.name}.py", description=benchmark.about)
    parser.add_argument("--quick", action="store_true", help="small sizes, under five minutes; nothing is kept")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--fresh", action="store_true", help="measure every cell again")
    parser.add_argument("--only", default="*", metavar="GLOB", help="measure only the cells with such names")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where results are kept")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


class _Runner:
    """Measures what is missing and returns every result of the current cells."""

    def __init__(self, benchmark: Benchmark, results: Path, scratch: Path, *, quick: bool, fresh: bool) -> None:
        self.benchmark, self.quick, self.fresh = benchmark, quick, fresh
        self.folder = results / benchmark.name
        self.workspace = scratch / "workspace"
        self.workspace.mkdir()

    def results(self, only: str) -> dict[str, Result]:
        cells = self.benchmark.cells(self.quick)
        kept = {cell.name: result for cell in cells if (result := self._kept(cell)) is not None}
        wanted = [cell for cell in cells if fnmatch.fnmatch(cell.name, only)]
        missing = [cell for cell in wanted if self.fresh or cell.name not in kept or disturbed(kept[cell.name])]
        print(f"{self.benchmark.name}: {len(missing)} of {len(cells)} cells to measure", file=sys.stderr)
        if missing and self.benchmark.prepare is not None:
            self._child({"prepare": True})
        with ThreadPoolExecutor(self.benchmark.parallel) as pool:
            for result in pool.map(self._measure, missing):
                kept[result.name] = result
        return {cell.name: kept[cell.name] for cell in cells if cell.name in kept}

    def _kept(self, cell: Cell) -> Result | None:
        path = self.folder / f"{cell.name}.json"
        if not path.is_file():
            return None
        result = Result(**json.loads(path.read_text("utf-8")))
        return result if result.settings == json.loads(json.dumps(cell.settings)) else None

    def _measure(self, cell: Cell) -> Result:
        started = time.monotonic()
        answer = self._child({"cell": cell.settings})
        seconds = round(time.monotonic() - started, 1)
        result = Result(
            cell.name, cell.settings, answer["measured"], seconds, answer["peak_mb"], machine.facts(),
            machine.commit(), time.strftime("%Y-%m-%d", time.gmtime()),
        )  # fmt: skip
        _write(self.folder / f"{cell.name}.json", asdict(result))
        slow = f", longer than {LONGEST_CELL} s" if seconds > LONGEST_CELL else ""
        mark = ", disturbed by other processes" if disturbed(result) else ""
        print(f"  {cell.name}: {seconds:.0f} s{slow}{mark}", file=sys.stderr)
        return result

    def _child(self, order: dict[str, Any]) -> dict[str, Any]:
        """Run this script anew on one order; the last line of its stdout is the answer."""
        order = {**order, "workspace": str(self.workspace), "quick": self.quick}
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        finished = subprocess.run(
            [sys.executable, sys.argv[0], "--child", json.dumps(order)],
            stdout=subprocess.PIPE, text=True, env=environment, check=False,
        )  # fmt: skip
        if finished.returncode != 0:
            raise SystemExit(f"{self.benchmark.name}: {order} failed with exit code {finished.returncode}")
        answer: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
        return answer


def _serve_child(benchmark: Benchmark, order: dict[str, Any]) -> None:
    workspace = Path(order["workspace"])
    measured: dict[str, Any] = {}
    if "cell" in order:
        measured = benchmark.measure(order["cell"], workspace)
    elif benchmark.prepare is not None:
        benchmark.prepare(workspace, order["quick"])
    print(json.dumps({"measured": measured, "peak_mb": machine.peak_mb()}))


def disturbed(result: Result) -> bool:
    """Whether another process used the machine while the cell was measured."""
    return bool(result.measured.get("disturbed"))


def _whole(benchmark: Benchmark, results: Mapping[str, Result], *, quick: bool, seconds: float) -> dict[str, Any]:
    summary = benchmark.summarise(results)
    measured_on = [
        dict(fact) for fact in {json.dumps(each.machine): each.machine for each in results.values()}.values()
    ]
    return {
        "benchmark": benchmark.name,
        "about": benchmark.about,
        "quick": quick,
        "versions": _versions(results),
        "machine": measured_on[0] if len(measured_on) == 1 else measured_on or machine.facts(),
        "commits": dict(sorted(Counter(each.commit or "none" for each in results.values()).items())),
        "commit": machine.commit(),
        "dates": sorted({each.date for each in results.values() if each.date}),
        "cells": len(results),
        "disturbed": sorted(name for name, each in results.items() if disturbed(each)),
        "seconds": round(seconds, 1),
        "cell_seconds": round(sum(each.seconds for each in results.values()), 1),
        "rows": list(summary.rows),
        "notes": list(summary.notes),
        "bars": {name: {**bar.as_json(), **({"ok": None} if quick else {})} for name, bar in summary.bars.items()},
    }


def _versions(results: Mapping[str, Result]) -> dict[str, str]:
    """Package -> version; every one of them, where cells were measured with several."""
    measured = [each.machine["versions"] for each in results.values()] or [machine.versions()]
    names = dict.fromkeys(name for each in measured for name in each)
    return {name: ", ".join(sorted({each[name] for each in measured if each.get(name)})) for name in names}


def _write(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all: a benchmark may be stopped at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json_of(value) + "\n", "utf-8")
    beside.replace(path)


NUMBER = r"(?:-?[0-9][0-9.eE+-]*|NaN|null)"
NUMBERS = re.compile(rf"\[\n\s*({NUMBER}(?:,\n\s*{NUMBER})*)\n\s*\]")  # a line break is never inside a JSON string


def json_of(value: Mapping[str, Any]) -> str:
    """JSON with a line a key, and a list of numbers on one line: of a thousand rows it would fill a thousand."""
    return NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", json.dumps(value, ensure_ascii=False, indent=1))


def text_of(whole: Mapping[str, Any]) -> str:
    """The summary as aligned plain text."""
    blocks = [f"\n{whole['about']}", *([QUICK] if whole["quick"] else []), *aligned(whole["rows"]), *whole["notes"]]
    blocks += measured_at(whole)
    for name, bar in whole["bars"].items():
        goal = f"goal {bar['sense']} {shown(bar['goal'])}"
        if whole["quick"]:
            blocks.append(f"quick  {name}: {shown(bar['value'])} (no evidence for or against the {goal})")
        else:
            blocks.append(f"{MARKS[state(bar)]} {name}: {shown(bar['value'])} ({goal})")
    return "\n".join(blocks)


def state(bar: Mapping[str, Any]) -> str:
    """'met', 'missed' or 'not measured'."""
    if bar["value"] is None:
        return "not measured"
    return "met" if bar["ok"] else "missed"


def measured_at(whole: Mapping[str, Any]) -> list[str]:
    """A sentence where cells were measured at other commits than this one, or with changes that no commit holds."""
    commits = whole["commits"]
    said = []
    if any(commit != whole["commit"] for commit in commits):
        counts = ", ".join(f"{count} at {commit}" for commit, count in commits.items())
        said.append(f"Cells by commit: {counts}; summed up at {whole['commit']}.")
    if any(commit.endswith(machine.DIRTY) for commit in commits):
        said.append(f"{machine.DIRTY}: with changes that were not committed.")
    return said


def aligned(rows: Sequence[Row]) -> list[str]:
    """Rows under their keys, columns padded to one width."""
    if not rows:
        return []
    table = [list(rows[0]), *([shown(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]


def shown(value: Any) -> str:
    """A value as it stands in a table; pairs are intervals."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(shown(each) for each in value) + "]"
    return str(value)
