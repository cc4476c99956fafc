"""How fast should a new head learn: as the rest of the model, or at the rate of its own that it has by default?

One layer on the mean of the tokens starts from nothing, and the weights below it do not. Full fine-tuning and LoRA of
the starters, on the rows and by the recipe of choosing.py.

    python benchmarks/head_rate.py --quick --json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import choosing
import spread
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

FEW, ROWS, TEST_ROWS = 8, 2000, 1000  # labels a class; rows where `labels` is 0
SETS = (  # corpus, labels a class, model
    ("csl_ctg", FEW, "starter:zh-en"),
    ("cic_intent", FEW, "starter:zh-en"),
    ("banking77", 0, "starter:en"),
    ("sst2", 0, "starter:en"),
    ("waimai_10k", 0, "starter:zh-en"),
)
METHODS = {"full": 1e-4, "lora": 5e-4}  # and the rate that each takes by itself
OWN, SAME = "own", "same"


def cells(quick: bool) -> list[Cell]:
    """One a set, method and rate."""
    rows, test_rows, steps = (96, 64, 3) if quick else (ROWS, TEST_ROWS, None)
    return [
        Cell(
            f"{corpus}-{method}-{which}",
            {
                "kind": "fit", "corpus": corpus, "labels": labels, "rows": rows, "test_rows": test_rows,
                "method": method, "model": model, "epochs": choosing.EPOCHS[labels], "max_steps": steps,
                "training": {"head_learning_rate": rate} if which == SAME else {},
            },
        )
        for corpus, labels, model in SETS[: 1 if quick else None]
        for method, rate in METHODS.items()
        for which in (OWN, SAME)
    ]  # fmt: skip


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One training."""
    return choosing.measure(settings, workspace)


def summarise(results: Mapping[str, Result]) -> Summary:
    """Own rate against the same rate, on the same test rows."""
    rows = []
    for corpus, labels, _model in SETS:
        for method, rate in METHODS.items():
            own, same = (results.get(f"{corpus}-{method}-{which}") for which in (OWN, SAME))
            if own is None or same is None:
                continue
            answers = [own.measured["correct"]], [same.measured["correct"]]
            rows.append({
                "corpus": corpus, "labels a class": labels or "all", "train_rows": own.measured["train_rows"],
                "method": method, "same": rate, "at the same rate": round(spread.accuracy(answers[1][0]), 4),
                "at its own": round(spread.accuracy(answers[0][0]), 4),
                "difference over rows": [round(each, 4) for each in spread.over_rows(*answers)],
            })  # fmt: skip
    worst = min((row["difference over rows"][1] for row in rows), default=None)
    note = (
        f"{ROWS:,} training rows and 3 epochs, or {FEW} labels a class and 10; {TEST_ROWS:,} test rows; one seed. The "
        "bar: nowhere is the own rate shown to be worse."
    )
    return Summary(rows, {"least_upper_end": Bar(worst, 0.0)}, [note])


if __name__ == "__main__":
    about = "The rate of a new head: that of the rest, or its own."
    run(Benchmark("head_rate", about, cells, measure, summarise))
