"""How should a new head learn: beside a body at the rate of its own or the body's, alone in one go or by steps?

One layer on the mean of the tokens starts from nothing, and the weights below it do not. Full fine-tuning, LoRA and a
head alone on the starters, on the rows and by the recipe of choosing.py. The own way is what weitiao does by itself.

    python benchmarks/head_rate.py --quick --json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import choosing
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

COST = 2.0  # of a head that is solved, by itself
FEW, MORE, ROWS, TEST_ROWS = 8, 32, 2000, 1000  # labels a class; rows where `labels` is 0
SETS = (  # corpus, labels a class, model
    ("csl_ctg", FEW, "starter:zh-en"),
    ("cic_intent", FEW, "starter:zh-en"),
    ("banking77", 0, "starter:en"),
    ("sst2", 0, "starter:en"),
    ("waimai_10k", 0, "starter:zh-en"),
)
METHODS = {"full": 1e-4, "lora": 5e-4}  # and the rate that each takes by itself
OWN, SAME = "own", "same"
SOLVED = (*SETS, ("csl_ctg", MORE, "starter:zh-en"), ("cic_intent", MORE, "starter:zh-en"))
ALONE: Mapping[str, Mapping[str, Any]] = {
    OWN: {"solver": "lbfgs", "cost": COST},
    "by-steps": {"solver": "sgd"},
    "cost-0.5": {"solver": "lbfgs", "cost": 0.5},
    "cost-8": {"solver": "lbfgs", "cost": 8.0},
}


def cells(quick: bool) -> list[Cell]:
    """One a set, method and rate; and for a head alone one a set and way."""
    rows, test_rows, steps = (96, 64, 3) if quick else (ROWS, TEST_ROWS, None)
    rates = [
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
    alone = [
        Cell(
            f"{corpus}-{labels or 'all'}-head-{which}",
            {
                "kind": "fit", "corpus": corpus, "labels": labels, "rows": rows, "test_rows": test_rows,
                "method": {"name": "head", **options}, "model": model, "epochs": choosing.EPOCHS[labels],
                "max_steps": None,
            },
        )
        for corpus, labels, model in SOLVED[: 1 if quick else None]
        for which, options in ALONE.items()
    ]  # fmt: skip
    return rates + alone


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One training."""
    return choosing.measure(settings, workspace)


def summarise(results: Mapping[str, Result]) -> Summary:
    """The own way against the other, on the same test rows."""
    pairs = [
        (corpus, labels, method, f"rate-{rate:g}", [f"{corpus}-{method}-{which}" for which in (OWN, SAME)])
        for corpus, labels, _model in SETS
        for method, rate in METHODS.items()
    ]
    pairs += [
        (corpus, labels, "head", which, [f"{corpus}-{labels or 'all'}-head-{each}" for each in (OWN, which)])
        for corpus, labels, _model in SOLVED
        for which in ALONE
        if which != OWN
    ]
    rows: list[Row] = []
    for corpus, labels, method, other, names in pairs:
        if not results.keys() >= set(names):
            continue
        ours, theirs = (results[name].measured for name in names)
        over_rows = spread.over_rows([ours["correct"]], [theirs["correct"]])
        rows.append({
            "corpus": corpus, "labels a class": labels or "all", "train_rows": ours["train_rows"], "method": method,
            "the other way": other, "by it": round(spread.accuracy(theirs["correct"]), 4),
            "its own way": round(spread.accuracy(ours["correct"]), 4),
            "difference over rows": [round(each, 4) for each in over_rows],
        })  # fmt: skip
    worst = min((row["difference over rows"][1] for row in rows), default=None)
    epochs = f"{choosing.EPOCHS[FEW]} epochs, {MORE} and {choosing.EPOCHS[MORE]}"
    note = (
        f"{ROWS:,} training rows and {choosing.EPOCHS[0]} epochs, or {FEW} labels a class and {epochs}; "
        f"{TEST_ROWS:,} test rows; one seed. Its own way: a rate of 0.02 for the new head; alone, logistic regression "
        f"in one go, cost {COST:g}. The bar: nowhere is it shown to be worse."
    )
    return Summary(rows, {"least_upper_end": Bar(worst, 0.0)}, [note])


if __name__ == "__main__":
    about = "How a new head learns: its rate beside a body, and alone in one go or by steps."
    run(Benchmark("head_rate", about, cells, measure, summarise))
