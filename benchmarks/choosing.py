"""Are the choices right: `method: auto` beside seven methods, and `choose` beside training each starter?

auto: two Chinese sets at 8, 32 and all labels a class, the methods of METHODS and `auto`, the same rows, epochs and
seed; every method at its own learning rate. What auto takes is settled by `weitiao check`, and its score is that of the
method it takes: the same recipe, trained once. choose: two Chinese and two English sets; the ranking of a recipe, and
each starter trained by it. A cell is one fit, one settling or one ranking.

    python benchmarks/choosing.py --quick --json
    python benchmarks/choosing.py --only 'choose-*'
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import corpora
import spread
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

Row = dict[str, str]

AUTO = ("csl_ctg", "cic_intent")
METHODS = ("full", "freeze", "head", "bitfit", "lora", "adapter", "contrastive")
CHOOSE = ("waimai_10k", "csl_ctg", "sst2", "banking77")
STARTERS = ("starter:en", "starter:zh-en", "starter:zh-en-full")
LABELS = (8, 32, 0)  # a class; 0 for all
EPOCHS = {8: 10, 32: 5, 0: 3}  # few rows need more passes to make as many steps
CHOOSE_ROWS, TEST_ROWS, SEED = 2000, 1000, 17
NEAR = 0.02  # two points
DATA: Mapping[str, Mapping[str, Any]] = {
    "banking77": {
        "train": "banking77/train.csv", "test": "banking77/test.csv", "fields": {"text": "text", "label": "category"},
    },
    "cic_intent": {
        "train": "cic_intent/train.json", "test": "cic_intent/dev.json",
        "fields": {"text": "sentence", "label": "label_des"},
    },
    "csl_ctg": {
        "train": "csl_ctg/train.tsv", "test": "csl_ctg/test.tsv", "header": False, "fields": {"text": 2, "label": 3},
    },
    "sst2": {"train": "sst2/train.tsv", "test": "sst2/test.tsv", "header": False, "fields": {"text": 1, "label": 2}},
    "waimai_10k": {"file": "waimai_10k/*.csv", "test": "20%", "fields": {"text": "review", "label": "label"}},
}  # fmt: skip


def cells(quick: bool) -> list[Cell]:
    """One a fit, one a settling and one a ranking."""
    sizes = {"rows": 96, "test_rows": 64, "max_steps": 3} if quick else {"test_rows": TEST_ROWS, "max_steps": None}
    methods = METHODS[:2] if quick else METHODS
    fits = [
        Cell(
            f"auto-{corpus}-{labels or 'all'}-{method}",
            {"kind": "settling" if method == "auto" else "fit", "corpus": corpus, "labels": labels, "method": method,
             "model": "starter:zh-en", "rows": None, "epochs": EPOCHS[labels], **sizes},
        )
        for corpus in AUTO[: 1 if quick else None]
        for labels in LABELS[: 1 if quick else None]
        for method in (*methods, "auto")
    ]  # fmt: skip
    chosen = CHOOSE[: 1 if quick else None]
    trained = [
        Cell(
            f"choose-{corpus}-{starter.partition(':')[2]}",
            {"kind": "fit", "corpus": corpus, "labels": 0, "method": "full", "model": starter, "rows": CHOOSE_ROWS,
             "epochs": EPOCHS[0], **sizes},
        )
        for corpus in chosen
        for starter in STARTERS
    ]  # fmt: skip
    rankings = [
        Cell(f"choose-{corpus}-ranking", {"kind": "ranking", "corpus": corpus, "rows": CHOOSE_ROWS, **sizes})
        for corpus in chosen
    ]
    return [*fits, *trained, *rankings]


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One fit, one settling or one ranking."""
    train, test = sampled(settings)
    made = {"task": "classify", "data": {"train": "memory", "dev": "10%"}, "seed": SEED}
    if settings["kind"] == "ranking":
        return _ranking(made, train)
    return _fit(made, settings, train, test, workspace)


def sampled(settings: Settings) -> tuple[list[Row], list[Row]]:
    """Training and test rows: so many labels a class, or a seeded sample."""
    rows = {split: list(each) for split, each in rows_of(settings["corpus"]).items()}
    rng = random.Random(SEED)
    for each in rows.values():
        rng.shuffle(each)
    test = rows["test"][: settings["test_rows"]]
    if not settings.get("labels"):
        return rows["train"][: settings["rows"]], test
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in rows["train"]:
        by_label[row["label"]].append(row)
    few = [row for label in sorted(by_label) for row in by_label[label][: settings["labels"]]]
    return few, test


def rows_of(corpus: str) -> dict[str, list[Row]]:
    """Split -> rows, as weitiao reads the files."""
    from weitiao.data import load_data
    from weitiao.recipe import load_recipe
    from weitiao.verbs.preparing.frame import frame, task_of

    folder = corpora.shared_folder()
    data: dict[str, Any] = {"dev": None, **DATA[corpus]}
    for key in ("file", "train", "test"):
        if "/" in str(data.get(key, "")):
            data[key] = str(folder / data[key])
    recipe = load_recipe({"task": "classify", "model": STARTERS[0], "data": data}, frame())
    task = task_of(recipe)
    found = load_data(recipe.data, fields=task.fields, read=task.read, answer=task.answer, surface=task.surface)
    return {
        split: [{"text": record.text, "label": record.label} for record in records]
        for split, records in found.records.items()
    }


def _fit(
    made: Mapping[str, Any], settings: Settings, train: list[Row], test: list[Row], workspace: Path
) -> dict[str, Any]:
    """One training and its answers to the test rows, or only what a recipe settles on."""
    import weitiao
    from weitiao.errors import ProblemsFound

    recipe = {
        **made,
        "model": {"name": settings["model"], "head": "mean"},
        "method": settings["method"],
        "training": {
            "epochs": settings["epochs"],
            "max_steps": settings["max_steps"],
            "max_length": 128,
            **settings.get("training", {}),
        },
        "evaluation": {"baselines": [], "resamples": 200},
        "output": str(Path(tempfile.mkdtemp(dir=workspace)) / "run"),
    }
    data = {"train": train, "test": test}
    if settings["kind"] == "settling":
        return {"method": weitiao.check(recipe, data=data).recipe.method.name}
    try:
        trained = weitiao.train(recipe, data=data)
    except ProblemsFound as error:
        return {"refused": [str(problem) for problem in error.problems]}
    lines = [json.loads(line) for line in trained.folder.predictions.read_text("utf-8").splitlines()]
    right = "".join("01"[each["labels"] == each["prediction"]["labels"]] for each in lines)
    return {
        "correct": right,
        "seconds": trained.report.timing.train_seconds,
        "train_rows": len(train),
    }


def _ranking(made: Mapping[str, Any], train: list[Row]) -> dict[str, Any]:
    import weitiao

    recipe = {**made, "model": {"name": STARTERS[0], "head": "mean"}, "training": {"max_length": 128}}
    return weitiao.choose(recipe, STARTERS, data={"train": train}).to_json()


def summarise(results: Mapping[str, Result]) -> Summary:
    """The methods beside auto, the starters beside the ranking."""
    rows = [*_auto_rows(results), *_choose_rows(results)]
    behind = [row["behind the best"] for row in rows if row["question"] == "auto"]
    whole = len(behind) == len(AUTO) * len(LABELS)
    chosen = [row for row in rows if row["question"] == "choose"]
    bars = {
        "auto_points_behind_the_best_method": Bar(statistics.fmean(behind) if whole else None, NEAR, at_least=False),
        "choose_ranks_the_best_starter_first": Bar(_count(chosen, "first is best"), len(CHOOSE)),
        "choose_ranks_none_first_that_is_shown_worse": Bar(_count(chosen, "not shown worse"), len(CHOOSE)),
    }
    epochs = ", ".join(str(each) for each in EPOCHS.values())
    notes = [
        f"choose: {CHOOSE_ROWS:,} training rows, {EPOCHS[0]} epochs; {TEST_ROWS:,} test rows, a tenth of train is dev; "
        f"auto: epochs at 8, 32 and all labels a class: {epochs} (contrastive: its own); one seed.",
        "Left out for lack of time: AdaLoRA, gradual unfreezing, IA3, prefixes and virtual tokens (see methods.py); "
        "and zero_shot, which learns nothing from labels.",
        "First is best: what `choose` ranks first has the highest test accuracy of the starters, each trained once. "
        "Not shown worse: the paired bootstrap over the test rows does not show its accuracy to be below the highest.",
        "All starters are embedding models, so the rules of auto for others are not tried here.",
    ]
    return Summary([_padded(row, rows) for row in rows], bars, notes)


def _auto_rows(results: Mapping[str, Result]) -> list[dict[str, Any]]:
    found = []
    for corpus in AUTO:
        for labels in LABELS:
            scores = _accuracies(results, f"auto-{corpus}-{labels or 'all'}-")
            settled = results.get(f"auto-{corpus}-{labels or 'all'}-auto")
            if settled is not None and len(scores) == len(METHODS):
                best, taken = max(scores, key=lambda name: scores[name]), settled.measured["method"]
                found.append({
                    "question": "auto", "corpus": corpus, "labels a class": labels or "all",
                    "scores": _shown(scores), "taken": taken, "its score": round(scores[taken], 4), "best": best,
                    "behind the best": round(scores[best] - scores[taken], 4),
                })  # fmt: skip
    return found


def _choose_rows(results: Mapping[str, Result]) -> list[dict[str, Any]]:
    found = []
    for corpus in CHOOSE:
        scores = _accuracies(results, f"choose-{corpus}-")
        ranking = results.get(f"choose-{corpus}-ranking")
        if ranking is None or len(scores) < len(STARTERS):
            continue
        first = ranking.measured["candidates"][0]["name"].partition(":")[2]
        best = max(scores, key=lambda name: scores[name])
        correct = {name: results[f"choose-{corpus}-{name}"].measured["correct"] for name in scores}
        _low, high = spread.over_rows([correct[first]], [correct[best]])
        found.append({
            "question": "choose", "corpus": corpus, "scores": _shown(scores), "taken": first,
            "its score": round(scores[first], 4), "best": best,
            "behind the best": round(scores[best] - scores[first], 4),
            "first is best": scores[first] == scores[best], "not shown worse": first == best or high >= 0,
        })  # fmt: skip
    return found


def _count(rows: Sequence[Mapping[str, Any]], key: str) -> int | None:
    return sum(row[key] for row in rows) if rows else None


def _accuracies(results: Mapping[str, Result], prefix: str) -> dict[str, float]:
    """What stands behind the prefix -> test accuracy; without what was refused."""
    return {
        name.removeprefix(prefix): spread.accuracy(each.measured["correct"])
        for name, each in results.items()
        if name.startswith(prefix) and "correct" in each.measured
    }


def _shown(scores: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in sorted(scores.items(), key=lambda item: -item[1]))


def _padded(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Every row with the same keys."""
    keys = list(dict.fromkeys(key for each in rows for key in each))
    return {key: row.get(key, "") for key in keys}


if __name__ == "__main__":
    about = "`method: auto` beside seven methods, and `choose` beside training each starter."
    run(Benchmark("choosing", about, cells, measure, summarise))
