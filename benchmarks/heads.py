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
SEEDS, ROWS, EPOCHS = 3, 2000, 2
RATES = (5e-5, 1e-4)  # the default of `full`, and twice that


def cells(quick: bool) -> list[Cell]:
    """One a corpus, learning rate, seed and head."""
    seeds, rows, test_rows = (1, 192, 256) if quick else (SEEDS, ROWS, None)
    made = []
    for corpus in CORPORA:
        for rate in RATES[-1:] if quick else RATES:
            for seed in range(seeds):
                for head in HEADS:
                    settings = {
                        "corpus": corpus, "learning_rate": rate, "seed": seed, "head": head, "rows": rows,
                        "test_rows": test_rows, "epochs": EPOCHS,
                    }  # fmt: skip
                    made.append(Cell(f"{corpus}-{rate:g}-{seed}-{head}", settings))
    return made


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One fit, from the starter itself."""
    import corpora
    import fitting
    from weitiao.models.starters import prepare

    corpus, seed = corpora.load(settings["corpus"]), settings["seed"]
    start = prepare(corpus.starter)
    texts = fitting.encode(corpus, start, settings["rows"], seed, settings["test_rows"])
    spec = fitting.FitSpec(
        epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        seed=seed,
        order="grouped",
        head=settings["head"],
    )
    fitted = fitting.fit_ours(start, texts, spec, fitting.fresh(workspace))
    return {"correct": fitting.correct(fitted.model, texts.test), "losses": fitted.losses, "seconds": fitted.seconds}


def summarise(results: Mapping[str, Result]) -> Summary:
    """Mean against stock, over the seeds that both have."""
    rows = []
    for corpus in CORPORA:
        for rate in RATES:
            stock, mean = (_correct(results, corpus, rate, head) for head in HEADS)
            seeds = sorted(stock.keys() & mean.keys())
            if seeds:
                size = max(each.settings["rows"] for each in results.values())
                rows.append(_row(corpus, rate, size, [mean[seed] for seed in seeds], [stock[seed] for seed in seeds]))
    return Summary(rows, {}, [f"Full fine-tuning, {EPOCHS} epochs, batch 32; difference: mean less stock."])


def _correct(results: Mapping[str, Result], corpus: str, rate: float, head: str) -> dict[int, str]:
    """Seed -> which test rows were answered rightly."""
    wanted = {"corpus": corpus, "learning_rate": rate, "head": head}
    return {
        each.settings["seed"]: each.measured["correct"]
        for each in results.values()
        if all(each.settings[key] == value for key, value in wanted.items())
    }


def _row(corpus: str, rate: float, train_rows: int, mean: list[str], stock: list[str]) -> dict[str, Any]:
    differences = [spread.accuracy(a) - spread.accuracy(b) for a, b in zip(mean, stock, strict=True)]
    return {
        "corpus": corpus,
        "learning_rate": rate,
        "train_rows": train_rows,
        "seeds": len(mean),
        "test_rows": len(mean[0]),
        "stock": statistics.fmean(map(spread.accuracy, stock)),
        "mean": statistics.fmean(map(spread.accuracy, mean)),
        "difference": round(statistics.fmean(differences), 5),
        "over_seeds": spread.over_seeds(differences) if len(differences) > 1 else None,
        "over_rows": spread.over_rows(mean, stock),
    }


if __name__ == "__main__":
    run(Benchmark("heads", "The stock head against mean pooling, on both starters.", cells, measure, summarise))
