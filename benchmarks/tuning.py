"""Does a search find a better recipe than the one it starts from, and does TPE find it sooner than chance?

`tune-CORPUS`: `weitiao tune` on a recipe as `weitiao new` would write it, at a stated budget; the best recipe and the
recipe as it is are compared by tune itself (new seeds, dev rows), and both are trained again with seeds of their own
and compared on test rows, which the search never saw. `study-SAMPLER-SEED`: TPE and random draws, the same budget, on
a linear probe.

    python benchmarks/tuning.py --quick --json
"""

from __future__ import annotations

import csv
import itertools
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import spread
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

CORPORA = ("sst2", "waimai_10k")
SAMPLERS = ("tpe", "random")
STUDIES = 5
ROWS, DEV_ROWS, TEST_ROWS = 600, 400, 1000
TRIALS, SEEDS, STUDY_TRIALS = 16, 3, 25
FIRST = 101  # seed of the models that answer the test rows

SEARCHED: Mapping[str, Any] = {
    "training.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True},
    "training.epochs": [2.0, 4.0, 6.0],
    "method": [{"name": "freeze", "layers": [2, 4, 5]}, "head"],
    "model.head": ["stock", "mean"],
}
PROBED: Mapping[str, Any] = {
    "training.learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
    "training.head_learning_rate": {"low": 1e-5, "high": 1e-1, "log": True},
    "training.weight_decay": {"low": 1e-4, "high": 1.0, "log": True},
    "training.batch_size": [8, 32, 128],
    "training.epochs": {"low": 1.0, "high": 10.0, "step": 1.0},
    "model.head": ["stock", "mean"],
}


def cells(quick: bool) -> list[Cell]:
    """One a corpus, and one a sampler and study."""
    sizes = {"rows": 64, "dev_rows": 64, "test_rows": 64} if quick else {
        "rows": ROWS, "dev_rows": DEV_ROWS, "test_rows": TEST_ROWS,
    }  # fmt: skip
    searches = [
        Cell(f"tune-{corpus}", {"kind": "tune", "corpus": corpus, **sizes, "trials": 2 if quick else TRIALS,
                                "seeds": 1 if quick else SEEDS, "space": SEARCHED})
        for corpus in CORPORA
    ]  # fmt: skip
    studies = [
        Cell(f"study-{sampler}-{seed}", {"kind": "study", "corpus": CORPORA[0], **sizes, "sampler": sampler,
                                         "seed": seed, "trials": 2 if quick else STUDY_TRIALS, "space": PROBED})
        for seed in range(1 if quick else STUDIES)
        for sampler in SAMPLERS
    ]  # fmt: skip
    return searches + studies


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One search."""
    folder = Path(tempfile.mkdtemp(dir=workspace))
    recipe = recipe_of(settings, folder)
    return _search(settings, recipe, folder) if settings["kind"] == "tune" else _study(settings, recipe, folder)


def recipe_of(settings: Settings, folder: Path) -> dict[str, Any]:
    """The recipe as it is, and its rows as files."""
    import corpora

    corpus = corpora.load(settings["corpus"])
    rows = corpus.sample(settings["rows"] + settings["dev_rows"], seed=17)
    parts = {
        "train": rows[: settings["rows"]],
        "dev": rows[settings["rows"] :],
        "test": corpus.test[: settings["test_rows"]],
    }
    for name, records in parts.items():
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label"])
            writer.writerows((record.text, record.labels[0]) for record in records)
    return {
        "task": "classify",
        "model": {"name": f"starter:{corpus.starter}", "head": "mean"},
        "data": {name: str(folder / f"{name}.csv") for name in parts},
        "method": "freeze" if settings["kind"] == "tune" else "head",
        "training": {"epochs": 3, "batch_size": 32, "max_length": 128},
        "seed": 17 if settings["kind"] == "tune" else settings["seed"],
        "output": str(folder / "run"),
    }


def _search(settings: Settings, recipe: dict[str, Any], folder: Path) -> dict[str, Any]:
    import weitiao

    tuned = weitiao.tune(recipe, space=settings["space"], trials=settings["trials"], seeds=settings["seeds"])
    test = {
        name: [_right(each, seed, folder / f"{name}-{seed}") for seed in range(FIRST, FIRST + settings["seeds"])]
        for name, each in (("best", tuned.best), ("recipe", recipe))
    }
    result = tuned.result
    assert result.comparison is not None
    return {
        "dev": result.comparison.model_dump(mode="json"),
        "test": test,
        "best": result.trial(result.best).changes,
        "counts": result.counts,
        "search_seconds": result.seconds,
        "seeds": result.seeds,
    }


def _right(recipe: Any, seed: int, output: Path) -> str:
    """Whether each test row is answered rightly, of a model that was trained with this seed."""
    import weitiao

    run = weitiao.train(recipe, overrides=[f"seed={seed}", f"output={output}"])
    lines = [json.loads(line) for line in run.folder.predictions.read_text("utf-8").splitlines()]
    return "".join("01"[each["labels"] == each["prediction"]["labels"]] for each in lines)


def _study(settings: Settings, recipe: dict[str, Any], folder: Path) -> dict[str, Any]:
    import weitiao

    tuned = weitiao.tune(
        recipe, space=settings["space"], sampler=settings["sampler"], trials=settings["trials"], seeds=0,
        output=folder / "study",
    )  # fmt: skip
    scores = [each.score for each in tuned.result.trials if each.score is not None]
    return {
        "scores": scores,
        "best_so_far": list(itertools.accumulate(scores, max)),
        "best": tuned.result.trial(tuned.result.best).changes,
        "search_seconds": tuned.result.seconds,
    }


def summarise(results: Mapping[str, Result]) -> Summary:
    """The searches, then the samplers."""
    rows = [_search_row(name, each) for name, each in results.items() if each.settings["kind"] == "tune"]
    bars: dict[str, Bar] = {}
    for each in results.values():
        if each.settings["kind"] == "tune":
            test = each.measured["test"]
            upper = spread.gain(test["best"], test["recipe"])["over_seeds"]
            bars[f"{each.settings['corpus']}_best_minus_recipe_test_upper_end"] = Bar(upper and upper[1], 0.0)
    pairs = _pairs(results)
    if pairs:
        rows.append(_sampler_row(pairs, results))
    if len(pairs) > 1:
        bars["tpe_minus_random_upper_end"] = Bar(spread.over_seeds([a - b for a, b in pairs])[1], 0.0)
    return Summary(rows, bars, NOTES)


NOTES = (
    f"Searches: {TRIALS} trials of TPE on {ROWS} training and {DEV_ROWS} dev rows, the recipe: freeze, 3 epochs; "
    f"dev: both sides with {SEEDS} new seeds on the rows that chose the winner; test: {TEST_ROWS} rows, {SEEDS} other "
    "seeds, the interval by Student's t over them.",
    f"Samplers: {STUDIES} studies of {STUDY_TRIALS} trials, a linear probe on {CORPORA[0]}; the best dev accuracy "
    "found, of TPE in the column of the best and of random draws in that of the recipe.",
    "Bars: the upper end of the 95 % interval of the difference is not below zero, that is, the search is not shown to "
    "do harm and TPE not to be worse than random; whether they are better is said by the lower ends.",
)


def _search_row(name: str, result: Result) -> dict[str, Any]:
    found = result.measured
    dev = found["dev"]["metrics"][found["dev"]["headline"]]
    best, recipe = found["test"]["best"], found["test"]["recipe"]
    gain = spread.gain(best, recipe)
    return {
        "cell": name,
        "best": round(statistics.fmean(map(spread.accuracy, best)), 4),
        "recipe": round(statistics.fmean(map(spread.accuracy, recipe)), 4),
        "test_difference": [gain["difference"], *(gain["over_seeds"] or ())],
        "dev_difference": _triple(dev["difference"]),
        "seconds": found["search_seconds"],
    }


def _triple(score: Mapping[str, float]) -> list[float]:
    return [round(score[end], 4) for end in ("value", "low", "high")]


def _pairs(results: Mapping[str, Result]) -> list[tuple[float, float]]:
    """(best of TPE, best of random), study by study."""
    best = {
        (each.settings["sampler"], each.settings["seed"]): max(each.measured["scores"])
        for each in results.values()
        if each.settings["kind"] == "study"
    }
    return [
        (value, best["random", seed])
        for (name, seed), value in best.items()
        if name == "tpe" and ("random", seed) in best
    ]


def _sampler_row(pairs: Sequence[tuple[float, float]], results: Mapping[str, Result]) -> dict[str, Any]:
    seconds = [each.measured["search_seconds"] for each in results.values() if each.settings["kind"] == "study"]
    differences = [tpe - random for tpe, random in pairs]
    return {
        "cell": f"tpe against random, {len(pairs)} studies",
        "best": statistics.fmean(tpe for tpe, _random in pairs),
        "recipe": statistics.fmean(random for _tpe, random in pairs),
        "test_difference": None,
        "dev_difference": [
            round(statistics.fmean(differences), 4),
            *(spread.over_seeds(differences) if len(pairs) > 1 else ()),
        ],
        "seconds": statistics.median(seconds),
    }


if __name__ == "__main__":
    about = "What a search finds at a stated budget, and TPE against random draws."
    run(Benchmark("tuning", about, cells, measure, summarise))
