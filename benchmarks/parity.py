"""Does our loop train the same model as `transformers.Trainer`?

Without dropout, on the same rows in the same order, step by step by the loss; with dropout, by the score on test rows
over several seeds. Both sides start from the same saved folder (starter and new stock head), so only the loops differ.

    python benchmarks/parity.py --quick --json
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run, shown

CORPORA = ("sst2", "waimai_10k")
LOSS_GOAL, STEPS, SEEDS, ROWS, RATE = 1e-4, 50, 5, 2000, 1e-4
EPOCHS = {"sst2": 2, "waimai_10k": 1}  # so that a cell ends within ten minutes
FITS = {  # name in a cell -> (system, order of the rows)
    "trainer": ("trainer", "random"),
    "ours": ("ours", "random"),
    "ours-grouped": ("ours", "grouped"),
}
LOSSES: Mapping[str, Mapping[str, Any]] = {  # 5e-5 is Trainer's default, RATE the one of the scores
    "float32": {"precision": "float32", "learning_rate": 5e-5},
    "float32-epsilon-1e-6": {"precision": "float32", "learning_rate": 5e-5, "epsilon": 1e-6},
    "float64": {"precision": "float64", "learning_rate": RATE},
}


def cells(quick: bool) -> list[Cell]:
    """Losses: one cell a corpus and precision. Scores: one a corpus, seed and system."""
    steps, seeds, rows = (8, 1, 192) if quick else (STEPS, SEEDS, ROWS)
    made = [
        Cell(
            f"losses-{name}-{kind}",
            {"kind": "losses", "corpus": name, "steps": steps, **options},
        )
        for name in CORPORA
        for kind, options in LOSSES.items()
    ]
    made += [
        Cell(f"itself-{name}", {"kind": "itself", "corpus": name, "steps": steps, "learning_rate": 5e-5})
        for name in CORPORA
    ]
    for name in CORPORA:
        for seed in range(seeds):
            for fit, (system, order) in FITS.items():
                settings = {
                    "kind": "score", "corpus": name, "system": system, "order": order, "seed": seed, "rows": rows,
                    "epochs": EPOCHS[name], "learning_rate": RATE, "test_rows": 256 if quick else None,
                }  # fmt: skip
                made.append(Cell(f"score-{name}-{seed}-{fit}", settings))
    return made


def prepare(workspace: Path, quick: bool) -> None:  # noqa: ARG001
    """Save the folders that every cell starts from."""
    import corpora
    import fitting

    for name in CORPORA:
        fitting.save_start(corpora.load(name), workspace)


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One cell."""
    return {"losses": _losses, "itself": _itself, "score": _score}[settings["kind"]](settings, workspace)


def _losses(settings: Settings, workspace: Path) -> dict[str, Any]:
    import fitting

    start, texts, spec = _stepped(settings, workspace)
    ours = fitting.fit_ours(start, texts, spec, fitting.fresh(workspace)).losses
    theirs = fitting.fit_trainer(start, texts, spec, workspace / "trainer").losses
    return {"ours": ours, "trainer": theirs}


def _itself(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Trainer beside Trainer with the rows of each batch in reverse: the same sums, added up in another order."""
    import fitting

    start, texts, spec = _stepped(settings, workspace)
    size = spec.batch_size
    reverse = [row for first in range(0, len(texts.train), size) for row in texts.train[first : first + size][::-1]]
    turned = fitting.Texts(reverse, texts.test, texts.labels)
    both = [fitting.fit_trainer(start, each, spec, workspace / "trainer").losses for each in (turned, texts)]
    return {"ours": both[0], "trainer": both[1]}


def _stepped(settings: Settings, workspace: Path) -> tuple[Path, Any, Any]:
    """(folder to start from, rows, recipe) of a comparison step by step."""
    import corpora
    import fitting

    spec = fitting.FitSpec(
        steps=settings["steps"], order="given", dropout=0.0, learning_rate=settings["learning_rate"],
        precision=settings.get("precision", "float32"), epsilon=settings.get("epsilon", 1e-8),
    )  # fmt: skip
    corpus = corpora.load(settings["corpus"])
    start = fitting.start_of(corpus.name, workspace)
    return start, fitting.encode(corpus, start, spec.batch_size * settings["steps"], seed=0, test_rows=1), spec


def _score(settings: Settings, workspace: Path) -> dict[str, Any]:
    import corpora
    import fitting

    corpus, system = corpora.load(settings["corpus"]), settings["system"]
    spec = fitting.FitSpec(
        epochs=settings["epochs"],
        learning_rate=settings["learning_rate"],
        seed=settings["seed"],
        order=settings["order"],
    )
    start = fitting.start_of(corpus.name, workspace)
    texts = fitting.encode(corpus, start, settings["rows"], settings["seed"], settings["test_rows"])
    if system == "trainer":
        fitted = fitting.fit_trainer(start, texts, spec, workspace / "trainer")
    else:
        fitted = fitting.fit_ours(start, texts, spec, fitting.fresh(workspace))
    return {"correct": fitting.correct(fitted.model, texts.test), "losses": fitted.losses, "seconds": fitted.seconds}


def summarise(results: Mapping[str, Result]) -> Summary:
    """The largest loss differences, and the score differences with their intervals."""
    rows, bars = [], {}
    notes = [*NOTES]
    for name in CORPORA:
        largest = {kind: _largest(results.get(f"losses-{name}-{kind}")) for kind in LOSSES}
        for kind, value in largest.items():
            bars[f"loss_difference_{name}_{kind}"] = Bar(value, LOSS_GOAL, at_least=False)
        itself = shown(_largest(results.get(f"itself-{name}")))
        notes.append(f"{name}: Trainer beside itself, rows of each batch in reverse, float32: {itself}.")
        for fit in ("ours", "ours-grouped"):
            row = _compared(results, name, fit)
            rows.append(row)
            upper = [row[key][1] for key in ("over_seeds", "over_rows") if row[key]]
            bars[f"score_{name}_{row['order']}"] = Bar(min(upper, default=None), 0.0)
    return Summary(rows, bars, notes)


NOTES = (
    f"Loss bars: largest difference of a step's loss over {STEPS} steps; batches of 32 rows, dropout 0, same rows and "
    f"order; float32 at learning rate 5e-5, Trainer's default, float64 at {RATE}. Both sides take the same steps, as "
    "float64 shows. In float32 Adam may turn the rounding of gradients near zero (a key's bias has no other) into "
    "whole steps, so that the same batches, summed in another order, part: see Trainer beside itself. An epsilon of "
    "1e-6, that of the original BERT (Devlin et al. 2019), keeps such steps small; transformers' default is 1e-8.",
    "Score bars: the smaller upper end of the two 95 % intervals of (ours - Trainer) reaches 0: each interval contains "
    "zero or lies above it.",
    f"Scores: accuracy after {EPOCHS['sst2']} epochs (waimai_10k: {EPOCHS['waimai_10k']}) on other rows each seed, "
    f"dropout 0.1, batch 32, learning rate {RATE}; "
    "Trainer in random order, its default; ours in random order too, and grouped by length, our default.",
)


def _largest(result: Result | None) -> float | None:
    if result is None:
        return None
    pairs = zip(result.measured["ours"], result.measured["trainer"], strict=True)
    return max((abs(mine - other) for mine, other in pairs), default=None)


def _compared(results: Mapping[str, Result], name: str, fit: str) -> Row:
    """Scores of one of our fits against Trainer's, over the seeds that both have."""
    sizes = {each.settings["rows"] for each in results.values() if each.settings["kind"] == "score"}
    pairs = [
        (ours.measured["correct"], theirs.measured["correct"])
        for seed in range(SEEDS)
        if (ours := results.get(f"score-{name}-{seed}-{fit}"))
        and (theirs := results.get(f"score-{name}-{seed}-trainer"))
    ]
    mine, others = [ours for ours, _theirs in pairs], [theirs for _ours, theirs in pairs]
    differences = [spread.accuracy(a) - spread.accuracy(b) for a, b in pairs]
    return {
        "corpus": name,
        "order": FITS[fit][1],
        "train_rows": max(sizes, default=0),
        "seeds": len(pairs),
        "test_rows": len(mine[0]) if mine else 0,
        "accuracy": statistics.fmean(map(spread.accuracy, mine)) if mine else None,
        "trainer": statistics.fmean(map(spread.accuracy, others)) if others else None,
        "difference": statistics.fmean(differences) if differences else None,
        "over_seeds": spread.over_seeds(differences) if len(differences) > 1 else None,
        "over_rows": spread.over_rows(mine, others) if mine else None,
    }


if __name__ == "__main__":
    run(
        Benchmark(
            "parity", "Our loop against transformers.Trainer: losses and scores.", cells, measure, summarise, prepare
        )
    )
