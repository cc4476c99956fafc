"""Real files as they come, trained with nothing but a recipe: `weitiao train benchmarks/recipes/NAME.yaml`.

Each recipe is run through the command line in the folder of the data sets; what it scored, beside its baselines, and
how its file was read are kept.

    python benchmarks/real_corpora.py --quick --json
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import corpora
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

RECIPES = Path(__file__).resolve().parent / "recipes"
QUICK = ("training.max_steps=5", "evaluation.resamples=200")


def cells(quick: bool) -> list[Cell]:
    """One a recipe."""
    return [
        Cell(path.stem, {"recipe": path.read_text("utf-8"), "quick": quick}) for path in sorted(RECIPES.glob("*.yaml"))
    ]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Train by the recipe and keep the figures of its report."""
    recipe, output = workspace / "recipe.yaml", workspace / "run"
    recipe.write_text(settings["recipe"], "utf-8")
    words = ["train", str(recipe), f"output={output}", *(QUICK if settings["quick"] else ()), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "weitiao", *words],
        cwd=corpora.shared_folder(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    report = json.loads(done.stdout)["report"]
    read = json.loads((output / "data.json").read_text("utf-8"))["files"]
    return {
        "rows": report["data"]["rows"],
        "classes": len(report["labels"]),
        "accuracy": report["metrics"]["accuracy"],
        "macro_f1": report["metrics"]["macro_f1"],
        "tfidf": report["baselines"]["tfidf"]["metrics"]["accuracy"],
        "difference": report["baselines"]["tfidf"]["difference"],
        "seconds": json.loads(done.stdout)["seconds"],
        "read_as": sorted({f"{each['format']}, {each['encoding']}" for each in read}),
    }


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row a corpus; the bar is that the recipe alone was enough."""
    rows = []
    for name, result in results.items():
        found = result.measured
        score, gap = found["accuracy"], found["difference"]
        rows.append(
            {
                "corpus": name,
                "rows": " / ".join(str(count) for count in found["rows"].values()),
                "classes": found["classes"],
                "read as": "; ".join(found["read_as"]),
                "accuracy": f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]",
                "TF-IDF": f"{found['tfidf']['value']:.3f}",
                "difference": f"{gap['value']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}]",
                "minutes": round(found["seconds"] / 60, 1),
            }
        )
    bars = {"trained_by_recipe_alone": Bar(len(rows), len(list(RECIPES.glob("*.yaml"))))}
    return Summary(
        rows, bars, ["rows: in the order of the splits that the recipe gives; accuracy with its 95 % interval."]
    )


if __name__ == "__main__":
    about = "Real files as they come, trained with nothing but a recipe."
    run(Benchmark("real_corpora", about, cells, measure, summarise))
