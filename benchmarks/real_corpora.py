"""Real files as they come, trained with nothing but a recipe: `weitiao train benchmarks/recipes/NAME.yaml`.

Each recipe is run through the command line in the folder of the data sets; what it scored, beside its baselines, and
how its file was read are kept.

    python benchmarks/real_corpora.py --quick --json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import by_recipe
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

RECIPES = Path(__file__).resolve().parent / "recipes"


def cells(quick: bool) -> list[Cell]:
    """One a recipe."""
    return [
        Cell(path.stem, {"recipe": path.read_text("utf-8"), "quick": quick}) for path in sorted(RECIPES.glob("*.yaml"))
    ]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Train by the recipe and keep the figures of its report."""
    done = by_recipe.train(settings["recipe"], workspace, by_recipe.QUICK if settings["quick"] else ())
    report = done["report"]
    return {
        "rows": report["data"]["rows"],
        "classes": len(report["labels"]),
        "accuracy": report["metrics"]["accuracy"],
        "macro_f1": report["metrics"]["macro_f1"],
        "tfidf": report["baselines"]["tfidf"]["metrics"]["accuracy"],
        "difference": report["baselines"]["tfidf"]["difference"],
        "seconds": done["seconds"],
        "read_as": done["read_as"],
    }


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row a corpus; the bar is that the recipe alone was enough."""
    rows = []
    for name, result in results.items():
        found = result.measured
        rows.append(
            {
                "corpus": name,
                "rows": " / ".join(str(count) for count in found["rows"].values()),
                "classes": found["classes"],
                "read as": "; ".join(found["read_as"]),
                "accuracy": by_recipe.interval(found["accuracy"]),
                "TF-IDF": f"{found['tfidf']['value']:.3f}",
                "difference": by_recipe.interval(found["difference"], signed=True),
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
