"""How long does `weitiao check` take on a file of short texts, in each format, and `weitiao --help`?

The same rows are written as csv, tsv, json, jsonl, parquet and xlsx. Each command is timed as a whole process, from
start to exit, in rounds over all of them; the first round only fills the caches of bytecode and files, as an
installation and an earlier run would have.

    python benchmarks/check_speed.py --quick --json
"""

from __future__ import annotations

import csv
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import machine
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

GOAL, HELP_GOAL = 1.5, 0.4  # seconds
ROUNDS = 5
DISTURBED = 0.3  # cores of other processes
HELP = "--help"
Texts = Sequence[tuple[str, str]]  # (text, label)


def cells(quick: bool) -> list[Cell]:
    """One: commands that take turns cannot be measured apart."""
    rounds, cpu = (2 if quick else ROUNDS), machine.facts()["cpu"]
    return [Cell("short-texts", {"rows": 10_000, "rounds": rounds, "cpu": cpu})]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Wall and CPU seconds of every command in every round."""
    texts, source = _texts(settings["rows"])
    for ending, write in WRITERS.items():
        write(texts, workspace / f"rows.{ending}")
        recipe = f"task: classify\nmodel: starter:en\ndata: {{file: rows.{ending}, dev: 10%, test: 10%}}\noutput: run\n"
        (workspace / f"{ending}.yaml").write_text(recipe, "utf-8")
    commands = {HELP: [HELP], **{ending: ["check", f"{ending}.yaml"] for ending in WRITERS}}
    for arguments in commands.values():
        _timed(arguments, workspace)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with machine.watch() as seen:
        for _round in range(settings["rounds"]):
            for name, arguments in commands.items():
                taken[name].append(_timed(arguments, workspace))
    own = sum(cpu for each in taken.values() for _wall, cpu in each) / seen.seconds
    return {"texts": source, "taken": taken, "disturbed": seen.disturbed(DISTURBED + own)}


def _timed(arguments: Sequence[str], folder: Path) -> tuple[float, float]:
    """(wall, CPU) seconds of one process."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "weitiao", *arguments],
        cwd=folder, env=_environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    """A user's: bytecode is kept, the tokenizer may use every core; and no speed measured by an earlier run."""
    taken_out = ("PYTHONDONTWRITEBYTECODE", "TOKENIZERS_PARALLELISM")
    kept = {name: value for name, value in os.environ.items() if name not in taken_out}
    return {**kept, "WEITIAO_CACHE": str(folder / "cache")}


def _texts(rows: int) -> tuple[Texts, str]:
    """Bank customers' questions and where they are from; made-up ones where the shared data sets are absent."""
    import corpora

    try:
        path = corpora.shared_folder() / "banking77" / "train.csv"
    except SystemExit:
        return _made_up(rows), "made up"
    with path.open(encoding="utf-8", newline="") as stream:
        texts = [(row["text"], row["category"]) for row in csv.DictReader(stream)]
    random.Random(0).shuffle(texts)
    return texts[:rows], "banking77"


def _made_up(rows: int) -> Texts:
    """Texts of about 12 words, of 77 labels, as banking77's are."""
    generator = random.Random(0)
    letters = "etaoinshrdlu"
    words = ["".join(generator.choices(letters, k=generator.randint(2, 8))) for _word in range(4000)]
    return [
        (" ".join(generator.choices(words, k=generator.randint(5, 19))), f"label {generator.randrange(77)}")
        for _row in range(rows)
    ]


def _write_delimited(delimiter: str) -> Callable[[Texts, Path], None]:
    def write(texts: Texts, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, delimiter=delimiter).writerows([("text", "label"), *texts])

    return write


def _objects(texts: Texts) -> list[dict[str, str]]:
    return [{"text": text, "label": label} for text, label in texts]


def _write_json(texts: Texts, path: Path) -> None:
    path.write_text(json.dumps(_objects(texts), ensure_ascii=False), "utf-8")


def _write_lines(texts: Texts, path: Path) -> None:
    lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in _objects(texts)]
    path.write_text("".join(lines), "utf-8")


def _write_parquet(texts: Texts, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(_objects(texts)), path)


def _write_workbook(texts: Texts, path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for cells_of_row in (("text", "label"), *texts):
        sheet.append(cells_of_row)
    book.save(path)


WRITERS: Mapping[str, Callable[[Texts, Path], None]] = {
    "csv": _write_delimited(","),
    "tsv": _write_delimited("\t"),
    "json": _write_json,
    "jsonl": _write_lines,
    "parquet": _write_parquet,
    "xlsx": _write_workbook,
}


def summarise(results: Mapping[str, Result]) -> Summary:
    """The median of each command, beside its goal."""
    rows, bars = [], {}
    for result in results.values():
        for name, taken in result.measured["taken"].items():
            walls, cpus = zip(*taken, strict=True)
            goal = HELP_GOAL if name == HELP else GOAL
            rows.append({
                "command": name, "median_seconds": round(statistics.median(walls), 3), "least": round(min(walls), 3),
                "most": round(max(walls), 3), "cpu_seconds": round(statistics.median(cpus), 3),
            })  # fmt: skip
            bars[f"{name.strip('-')}_seconds"] = Bar(rows[-1]["median_seconds"], goal, at_least=False)
    return Summary(rows, bars, [_note(result) for result in results.values()])


def _note(result: Result) -> str:
    rows, rounds = result.settings["rows"], result.settings["rounds"]
    return f"check of {rows:,} rows ({result.measured['texts']}), {rounds} rounds; whole processes, caches warm."


if __name__ == "__main__":
    run(Benchmark("check_speed", "Seconds that check and --help take.", cells, measure, summarise))
