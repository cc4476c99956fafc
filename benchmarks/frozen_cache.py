"""What does the precision of the frozen-layer cache do to the score, and what does the cache save?

`freeze` of two thirds of the layers, with the cache in fp16 (the default), in fp32 and without it; the same rows, seeds
and row order. fp32 and no cache train the same thing; fp16 rounds the frozen output to 11 bits.

    python benchmarks/frozen_cache.py --quick --json
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spread
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

CORPORA = ("sst2", "waimai_10k")
CACHES: Mapping[str, Mapping[str, Any]] = {
    "none": {"cache": False},
    "fp32": {"cache_precision": "fp32"},
    "fp16": {"cache_precision": "fp16"},
}
LAYERS = {"sst2": 4, "waimai_10k": 8}  # two thirds of each starter's
SEEDS, ROWS, TEST_ROWS, EPOCHS, RATE = 3, 800, 1000, 3, 1e-4


def cells(quick: bool) -> list[Cell]:
    """One a corpus, seed and kind of cache."""
    seeds, rows, test_rows = (1, 192, 256) if quick else (SEEDS, ROWS, TEST_ROWS)
    return [
        Cell(
            f"{corpus}-{seed}-{cache}",
            {
                "corpus": corpus, "seed": seed, "cache": cache, "rows": rows, "test_rows": test_rows, "epochs": EPOCHS,
                "learning_rate": RATE,
            },
        )
        for corpus in CORPORA
        for seed in range(seeds)
        for cache in CACHES
    ]  # fmt: skip


def prepare(workspace: Path, quick: bool) -> None:  # noqa: ARG001
    """Save the folders that every cell starts from."""
    import corpora
    import fitting

    for name in CORPORA:
        fitting.save_start(corpora.load(name), workspace)


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One fit."""
    import fitting

    start, folder = fitting.start_of(settings["corpus"], workspace), fitting.fresh(workspace)
    options = {"layers": LAYERS[settings["corpus"]], **CACHES[settings["cache"]]}
    fitted, texts = fitting.fit_sample(settings, start, folder, method="freeze", options=options)
    return {
        "correct": fitting.correct(fitted.model, texts.test),
        "loss": statistics.fmean(fitted.losses[-20:]),
        "seconds": fitted.seconds,
        "cache_seconds": fitted.prepared,
        "cache_bytes": sum(path.stat().st_size for path in folder.glob("*.bin")),
        "rows": len(texts.train),
        "tokens": sum(len(row) for row in texts.train),
    }


def summarise(results: Mapping[str, Result]) -> Summary:
    """Scores by kind of cache, beside the run without one."""
    rows, bars = [], {}
    for corpus in CORPORA:
        plain = _measured(results, corpus, "none")
        for cache in CACHES:
            found = _measured(results, corpus, cache)
            seeds = sorted(found.keys() & plain.keys())
            if not seeds:
                continue
            row = _row(corpus, cache, [found[seed] for seed in seeds], [plain[seed] for seed in seeds])
            rows.append(row)
            if cache == "fp16":
                bars[f"{corpus}_fp16_difference_upper_end"] = Bar(row["over_rows"][1], 0.0)
    return Summary(rows, bars, NOTES)


NOTES = (
    f"Starter with a stock head, two thirds of the layers frozen, {EPOCHS} epochs, learning rate {RATE}; "
    "difference: accuracy less that without a cache.",
    "Bars: the 95 % interval of the difference contains zero or lies above it.",
)


def _measured(results: Mapping[str, Result], corpus: str, cache: str) -> dict[int, dict[str, Any]]:
    """Seed -> what was measured."""
    return {
        each.settings["seed"]: each.measured
        for each in results.values()
        if each.settings["corpus"] == corpus and each.settings["cache"] == cache
    }


def _row(corpus: str, cache: str, found: list[dict[str, Any]], plain: list[dict[str, Any]]) -> dict[str, Any]:
    correct, without = [each["correct"] for each in found], [each["correct"] for each in plain]
    return {
        "corpus": corpus,
        "cache": cache,
        "train_rows": found[0]["rows"],
        "seeds": len(found),
        "accuracy": statistics.fmean(map(spread.accuracy, correct)),
        **spread.gain(correct, without),
        "other_answers": sum(
            a != b for mine, other in zip(correct, without, strict=True) for a, b in zip(mine, other, strict=True)
        ),
        "bytes_a_token": round(found[0]["cache_bytes"] / found[0]["tokens"]),
        "seconds": statistics.median(each["seconds"] for each in found),
        "cache_seconds": statistics.median(each["cache_seconds"] for each in found),
    }


if __name__ == "__main__":
    about = "Precision of the frozen-layer cache: what it does to the score, and what the cache saves."
    run(Benchmark("frozen_cache", about, cells, measure, summarise, prepare))
