"""Few labels: the method `contrastive` against a head alone and full fine-tuning, and beside the setfit package.

All see the same rows, so many of each label, drawn by the seed; the score is the accuracy on the same test rows. Time
runs from opening the pretrained model to the saved one. The setfit package (its defaults: one pass over all pairs, 16 a
step) needs other packages than weitiao and lives in an environment of its own, at $WEITIAO_SETFIT or made in
`.setfit` beside this file; where that cannot be, its cells say why and are left out of the bars.

    python benchmarks/few_shot.py --quick --json
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import corpora
import spread
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

SETFIT = "1.2.0"
SIDE = Path(__file__).resolve().parent / "setfit_side.py"
GRID: Mapping[tuple[str, int], int] = {  # (corpus, labels a class) -> seeds
    ("sst2", 8): 10, ("sst2", 16): 3, ("sst2", 64): 3,
    ("waimai_10k", 8): 10, ("waimai_10k", 16): 3, ("waimai_10k", 64): 3,
    ("banking77", 8): 3,
}  # fmt: skip
BESIDE_SETFIT = (("sst2", 8), ("sst2", 16))
METHODS: Mapping[str, Mapping[str, Any]] = {  # what of the recipe is the method's
    "contrastive": {"method": "contrastive"},
    "head": {"method": {"name": "head", "solver": "lbfgs"}},
    "full": {  # so many passes that it has the steps to learn (Mosbach et al. 2021, section 7)
        "method": "full", "training": {"epochs": 20, "batch_size": 8},
    },
}  # fmt: skip
NEXT = {"contrastive": "head", "head": "full"}  # which are not to be behind which
TEST_ROWS = 1000


def cells(quick: bool) -> list[Cell]:
    """One a corpus, number of labels, seed and method."""
    grid = {("sst2", 8): 1} if quick else GRID
    found = []
    for (corpus, labels), seeds in grid.items():
        beside = ["setfit"] if (corpus, labels) in BESIDE_SETFIT else []
        for seed in range(1, seeds + 1):
            for method in [*METHODS, *beside]:
                settings = {
                    "corpus": corpus, "labels": labels, "seed": seed, "method": method,
                    "test_rows": 200 if quick else TEST_ROWS,
                    "how": {"setfit": SETFIT} if method == "setfit" else METHODS[method],
                }  # fmt: skip
                found.append(Cell(f"{corpus}-{labels}-{seed}-{method}", settings))
    return found


def prepare(workspace: Path, quick: bool) -> None:  # noqa: ARG001
    """Convert the starters, so that no cell's time has it."""
    from weitiao.models.starters import prepare as convert

    for corpus in {corpus for corpus, _labels in GRID}:
        convert(corpora.load(corpus).starter)


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One fit and its answers to the test rows."""
    corpus = corpora.load(settings["corpus"])
    train = corpus.few(settings["labels"], settings["seed"])
    test = corpus.test[: settings["test_rows"]]
    side = _setfit if settings["method"] == "setfit" else _ours
    return side(settings, corpus, _rows(train), _rows(test), workspace)


def _rows(records: Sequence[Any]) -> list[dict[str, str]]:
    return [{"text": record.text, "label": record.label} for record in records]


def _ours(
    settings: Settings, corpus: corpora.Corpus, train: list[Any], test: list[Any], workspace: Path
) -> dict[str, Any]:
    import weitiao

    moments: list[float] = []

    def on_event(event: dict[str, Any]) -> None:
        if event["kind"] == "phase":
            moments.append(time.perf_counter())

    name = f"{settings['corpus']}-{settings['labels']}-{settings['seed']}-{settings['method']}"
    how = dict(settings["how"])
    recipe = {
        "task": "classify", "model": {"name": f"starter:{corpus.starter}", "head": "mean"},
        "data": {"train": "memory", "dev": None, "test": "memory"}, "seed": settings["seed"],
        "evaluation": {"resamples": 100, "baselines": []}, "output": str(workspace / name), **how,
        "training": {"max_length": corpus.max_length, **how.get("training", {})},
    }  # fmt: skip
    made = weitiao.train(recipe, data={"train": train, "test": test}, on_event=on_event)
    lines = (made.path / "predictions.jsonl").read_text("utf-8").splitlines()
    answers = [json.loads(line) for line in lines]
    return {
        "correct": "".join(str(int(each["prediction"]["labels"] == each["labels"])) for each in answers),
        "seconds": round(moments[-1] - moments[1], 2),  # from opening the model to measuring, when it is saved
    }


def _setfit(
    settings: Settings, corpus: corpora.Corpus, train: list[Any], test: list[Any], workspace: Path
) -> dict[str, Any]:
    from weitiao.models.starters import prepare as convert

    python, reason = setfit_python()
    if reason:
        return {"skipped": reason}
    order = {
        "model": str(convert(corpus.starter)), "seed": settings["seed"], "max_length": corpus.max_length,
        "train": train, "test": test, "output": str(workspace / "setfit"),
    }  # fmt: skip
    done = subprocess.run(
        [str(python), str(SIDE)], input=json.dumps(order), stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode != 0:
        return {"skipped": f"the setfit package ended with exit code {done.returncode}"}
    answer = json.loads(done.stdout.splitlines()[-1])
    right = "".join(str(int(got == row["label"])) for got, row in zip(answer["answers"], test, strict=True))
    return {"correct": right, "seconds": answer["seconds"]}


def setfit_python() -> tuple[Path, str]:
    """The interpreter of the setfit package's environment, made where it is missing; and why it cannot be used."""
    folder = Path(os.environ.get("WEITIAO_SETFIT") or SIDE.parent / ".setfit")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not python.is_file():
        import torch

        venv.create(folder, with_pip=True)
        wanted = [f"setfit=={SETFIT}", f"torch=={torch.__version__}"]
        done = subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=False, stdout=sys.stderr)
        if done.returncode != 0:
            return python, f"pip cannot install {' '.join(wanted)} into {folder}"
    there = subprocess.run([str(python), "-c", "import setfit"], check=False, capture_output=True)
    return python, "" if there.returncode == 0 else f"{folder} has no setfit package that can be imported"


def summarise(results: Mapping[str, Result]) -> Summary:
    """Accuracy and seconds by corpus and labels; contrastive against the others, paired by seed."""
    rows: list[Row] = []
    bars: dict[str, Bar] = {}
    for corpus, labels in GRID:
        of_method = {name: _of(results, corpus, labels, name) for name in [*METHODS, "setfit"]}
        for name, found in of_method.items():
            if found:
                rows.append(
                    _row(corpus, labels, name, found)
                    | {"over_next": _over(found, of_method.get(NEXT.get(name, ""), {}))}
                )
        if labels == 8:
            bars[f"{corpus}_8_contrastive_over_head"] = _ahead(of_method["contrastive"], of_method["head"])
            bars[f"{corpus}_8_head_over_full"] = _ahead(of_method["head"], of_method["full"])
        if (corpus, labels) in BESIDE_SETFIT:
            bars |= _beside(f"{corpus}_{labels}", of_method["contrastive"], of_method["setfit"])
    skipped = sorted({each.measured["skipped"] for each in results.values() if "skipped" in each.measured})
    return Summary(rows, bars, [f"setfit was not measured: {reason}" for reason in skipped])


def _of(results: Mapping[str, Result], corpus: str, labels: int, method: str) -> dict[int, dict[str, Any]]:
    """Seed -> what was measured."""
    wanted = {"corpus": corpus, "labels": labels, "method": method}
    return {
        each.settings["seed"]: each.measured
        for each in results.values()
        if "correct" in each.measured and all(each.settings[key] == value for key, value in wanted.items())
    }


def _row(corpus: str, labels: int, method: str, found: Mapping[int, Mapping[str, Any]]) -> Row:
    scores = [spread.accuracy(each["correct"]) for each in found.values()]
    return {
        "corpus": corpus,
        "labels": labels,
        "method": method,
        "seeds": len(found),
        "accuracy": round(statistics.fmean(scores), 4),
        "lowest": round(min(scores), 4),
        "highest": round(max(scores), 4),
        "seconds": round(statistics.median(each["seconds"] for each in found.values()), 1),
    }


def _ahead(ours: Mapping[int, Mapping[str, Any]], other: Mapping[int, Mapping[str, Any]]) -> Bar:
    """Mean difference in accuracy over the seeds that both have."""
    gaps = _gaps(ours, other)
    return Bar(round(statistics.fmean(gaps), 4) if gaps else None, 0.0)


def _over(ours: Mapping[int, Mapping[str, Any]], other: Mapping[int, Mapping[str, Any]]) -> list[float] | None:
    gaps = _gaps(ours, other)
    if len(gaps) < 2:
        return None
    return [round(each, 4) for each in (statistics.fmean(gaps), *spread.over_seeds(gaps))]


def _gaps(ours: Mapping[int, Mapping[str, Any]], other: Mapping[int, Mapping[str, Any]]) -> list[float]:
    seeds = sorted(set(ours) & set(other))
    return [spread.accuracy(ours[seed]["correct"]) - spread.accuracy(other[seed]["correct"]) for seed in seeds]


def _beside(
    name: str, ours: Mapping[int, Mapping[str, Any]], setfit: Mapping[int, Mapping[str, Any]]
) -> dict[str, Bar]:
    """The upper end of the difference's interval over seeds, and the ratio of the times."""
    gaps, seeds = _gaps(ours, setfit), sorted(set(ours) & set(setfit))
    upper = spread.over_seeds(gaps)[1] if len(gaps) > 1 else None
    ratio = statistics.median(ours[seed]["seconds"] / setfit[seed]["seconds"] for seed in seeds) if seeds else None
    return {
        f"{name}_over_setfit_upper": Bar(upper, 0.0),
        f"{name}_time_of_setfit": Bar(None if ratio is None else round(ratio, 3), 1.0, at_least=False),
    }


if __name__ == "__main__":
    about = "Few labels: contrastive, head alone and full fine-tuning on the same rows, beside the setfit package."
    run(Benchmark("few_shot", about, cells, measure, summarise, prepare))
