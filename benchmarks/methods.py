"""Every fine-tuning method by its defaults, on four data sets: score, parameters that learn, minutes, memory, size.

A cell is one run by a recipe of `recipes/methods` (2,000 training and 1,000 test rows), a method and a seed.

    python benchmarks/methods.py --quick --json
"""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import by_recipe
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

RECIPES = Path(__file__).resolve().parent / "recipes" / "methods"
SEEDS = 3
METHODS: Mapping[str, Mapping[str, Any]] = {
    "full": {"name": "full"},
    "freeze": {"name": "freeze"},
    "gradual": {"name": "gradual"},
    "head": {"name": "head"},
    "bitfit": {"name": "bitfit"},
    "lora": {"name": "lora"},
    "rslora": {"name": "lora", "rslora": True},
    "dora": {"name": "lora", "dora": True},
    "pissa": {"name": "lora", "init": "pissa"},
    "adalora": {"name": "adalora"},
    "ia3": {"name": "ia3"},
    "adapter-houlsby": {"name": "adapter", "placement": "houlsby"},
    "adapter-pfeiffer": {"name": "adapter", "placement": "pfeiffer"},
    "prefix": {"name": "prefix"},
    "prompt": {"name": "prompt"},
    "p_tuning": {"name": "p_tuning"},
    "p_tuning_v2": {"name": "p_tuning_v2"},
}
STRONG = ("lora", "adalora", "adapter-houlsby", "adapter-pfeiffer", "freeze")
LEAST, MOST = 0.5, 0.9  # of full's gain over the majority baseline: every default, and the strong ones


def cells(quick: bool) -> list[Cell]:
    """One a data set, method and seed; seeds outermost, so that an early end leaves whole rounds."""
    return [
        Cell(
            f"{path.stem}-{name}-{seed}",
            {
                "recipe": path.read_text("utf-8"),
                "data": path.stem,
                "method": dict(method),
                "seed": seed,
                "quick": quick,
            },
        )
        for seed in range(1 if quick else SEEDS)
        for path in sorted(RECIPES.glob("*.yaml"))
        for name, method in METHODS.items()
    ]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Train by the recipe with the method and keep the figures of its report."""
    method = settings["method"]
    changes = [f"method.{key}={str(value).lower()}" for key, value in method.items()]
    quick = by_recipe.QUICK if settings["quick"] else ()
    done = by_recipe.train(settings["recipe"], workspace, [*changes, f"seed={17 + settings['seed']}", *quick])
    report = done["report"]
    headline = report["headline"]
    majority = report["baselines"].get("majority")
    return {
        "rows": report["data"]["rows"],
        "headline": headline,
        "score": report["metrics"][headline],
        "majority": majority["metrics"][headline]["value"] if majority else 0.0,
        "learnt": report["learnt"],
        "peak_memory_bytes": report["timing"]["peak_memory_bytes"],
        "seconds": done["seconds"],
    }


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row a data set and method; bars: the least share of full's gain over the majority."""
    rows, shares = [], {}
    for path in sorted(RECIPES.glob("*.yaml")):
        full = _of(results, path.stem, "full")
        for name in METHODS:
            found = _of(results, path.stem, name)
            if found:
                rows.append(_row(path.stem, name, found, full))
                shares[path.stem, name] = rows[-1]["of_full"]
    known = {key: share for key, share in shares.items() if share is not None and key[1] != "full"}
    strong = [share for (_data, name), share in known.items() if name in STRONG]
    sets = len(list(RECIPES.glob("*.yaml")))
    bars = {
        "cells": Bar(len(results), len(METHODS) * SEEDS * sets),
        "least_share_of_fulls_gain": Bar(_least(known.values(), (len(METHODS) - 1) * sets), LEAST),
        "least_share_of_the_strong": Bar(_least(strong, len(STRONG) * sets), MOST),
    }
    return Summary(rows, bars, NOTES)


def _least(shares: Collection[float], wanted: int) -> float | None:
    """The least of them; none before every method was measured on every data set, by one seed at least."""
    return min(shares) if len(shares) == wanted else None


def _of(results: Mapping[str, Result], data: str, name: str) -> dict[int, Mapping[str, Any]]:
    """Seed -> what was measured of a method on a data set."""
    names = {seed: f"{data}-{name}-{seed}" for seed in range(SEEDS)}
    return {seed: results[each].measured for seed, each in names.items() if each in results}


def _row(data: str, name: str, found: Mapping[int, Mapping[str, Any]], full: Mapping[int, Mapping[str, Any]]) -> Row:
    scores = [each["score"]["value"] for each in found.values()]
    learnt = next(iter(found.values()))["learnt"]
    return {
        "data": data,
        "method": name,
        "seeds": len(found),
        "score": round(statistics.fmean(scores), 4),
        "score_over_seeds": _interval(scores),
        "score_over_rows": [
            round(statistics.fmean(each["score"][end] for each in found.values()), 4) for end in ("low", "high")
        ],
        "of_full": _share(found, full),
        "trained": learnt["trained"],
        "adapter_mb": round(learnt["adapter_bytes"] / 1e6, 2) if learnt["adapter_bytes"] else None,
        "minutes": round(statistics.median(each["seconds"] for each in found.values()) / 60, 1),
        "peak_mb": round(statistics.median(each["peak_memory_bytes"] for each in found.values()) / 1e6),
    }


def _share(found: Mapping[int, Mapping[str, Any]], full: Mapping[int, Mapping[str, Any]]) -> float | None:
    """What the method gains over the majority by what full gains, over the seeds that both have."""
    seeds = sorted(found.keys() & full.keys())
    if not seeds:
        return None
    gains = [
        statistics.fmean(each[seed]["score"]["value"] - full[seed]["majority"] for seed in seeds)
        for each in (found, full)
    ]
    if gains[1] <= 0:
        raise ValueError(f"full fine-tuning gains nothing over the majority: {full[seeds[0]]['headline']}")
    return round(gains[0] / gains[1], 3)


def _interval(scores: Sequence[float]) -> list[float] | None:
    """Student's t interval of the mean over seeds."""
    return [round(end, 4) for end in spread.over_seeds(scores)] if len(scores) > 1 else None


NOTES = (
    "Each data set: 2,000 training rows, 400 of dev, 1,000 of test, 3 epochs of batches of 16; sst2, conll2003 and "
    "stsb with starter:en, waimai_10k with starter:zh-en; headline metrics accuracy, span F1, Spearman.",
    "Every method at its own learning rate; the new head over tokens (conll2003) at 3e-3 with every method.",
    "of_full: (score - majority) / (full's score - majority), means over the seeds of both; the majority scores 0 on "
    "conll2003 and stsb. score_over_rows: mean of the seeds.",
    "minutes and peak_mb: of the whole `weitiao train`, medians; cells ran on one core, two at a time.",
)


if __name__ == "__main__":
    about = "Every fine-tuning method by its defaults, on four data sets."
    run(Benchmark("methods", about, cells, measure, summarise))
