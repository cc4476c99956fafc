"""Which head suits the starters: the family's own (`stock`: first token and pooler), or mean pooling (`mean`)?

Full fine-tuning on the same rows, seeds and row order; the new weights of both heads come from the same seed.

    python benchmarks/heads.py --quick --json
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spread
from harness import Benchmark, Cell, Result, Settings, Summary, run

CORPORA = ("sst2", "waimai_10k")
HEADS = ("stock", "mean")
SEEDS, ROWS, TEST_ROWS, EPOCHS = 3, 800, 1000, 2
RATE = 1e-4  # twice the default of `full`, as the steps are few


def cells(quick: bool) -> list[Cell]:
    """One a corpus, seed and head."""
    seeds, rows, test_rows = (1, 192, 256) if quick else (SEEDS, ROWS, TEST_ROWS)
    return [
        Cell(
            f"{corpus}-{seed}-{head}",
            {
                "corpus": corpus, "learning_rate": RATE, "seed": seed, "head": head, "rows": rows,
                "test_rows": test_rows, "epochs": EPOCHS,
            },
        )
        for corpus in CORPORA
        for seed in range(seeds)
        for head in HEADS
    ]  # fmt: skip


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One fit, from the starter itself."""
    import corpora
    import fitting
    from weitiao.models.starters import prepare

    start = prepare(corpora.load(settings["corpus"]).starter)
    fitted, texts = fitting.fit_sample(settings, start, fitting.fresh(workspace), head=settings["head"])
    return {"correct": fitting.correct(fitted.model, texts.test), "losses": fitted.losses, "seconds": fitted.seconds}


def summarise(results: Mapping[str, Result]) -> Summary:
    """Mean against stock, over the seeds that both have."""
    rows = []
    for corpus in CORPORA:
        stock, mean = (_correct(results, corpus, head) for head in HEADS)
        seeds = sorted(stock.keys() & mean.keys())
        if seeds:
            size = max(each.settings["rows"] for each in results.values())
            rows.append(_row(corpus, size, [mean[seed] for seed in seeds], [stock[seed] for seed in seeds]))
    note = f"Full fine-tuning, {EPOCHS} epochs, batch 32, learning rate {RATE}; difference: mean less stock."
    return Summary(rows, {}, [note])


def _correct(results: Mapping[str, Result], corpus: str, head: str) -> dict[int, str]:
    """Seed -> which test rows were answered rightly."""
    return {
        each.settings["seed"]: each.measured["correct"]
        for each in results.values()
        if each.settings["corpus"] == corpus and each.settings["head"] == head
    }


def _row(corpus: str, train_rows: int, mean: list[str], stock: list[str]) -> dict[str, Any]:
    return {
        "corpus": corpus,
        "train_rows": train_rows,
        "seeds": len(mean),
        "test_rows": len(mean[0]),
        "stock": statistics.fmean(map(spread.accuracy, stock)),
        "mean": statistics.fmean(map(spread.accuracy, mean)),
        **spread.gain(mean, stock),
    }


if __name__ == "__main__":
    run(Benchmark("heads", "The stock head against mean pooling, on both starters.", cells, measure, summarise))
