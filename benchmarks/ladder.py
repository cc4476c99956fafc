"""How small and how fast does a run get before it answers worse? `weitiao compress --ladder` on four data sets.

A cell trains one run, climbs the ladder with it, and judges every artifact on rows that neither the run nor any step
has seen. Speed is measured in turn with the run in torch. A student learns from the training rows and, of sst2 and
waimai_10k, from further texts without their labels.

    python benchmarks/ladder.py --quick --json
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import corpora
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

TRAIN, DEV, TEXTS = 3000, 400, 4000
QUICK_RUNGS = ("onnx", "onnx+int8")
BYTES, TIMES, FALL = 0.25, 3.0, 0.005  # of the issue: at most, at least, at most


@dataclass(frozen=True, slots=True)
class Set:
    """A run to compress.

    Args:
        task: of weitiao.
        model: the starter.
        training: of the recipe.
        files: of the recipe's data; None for rows of `corpora`, which are written as files.
        judge: labelled rows that every artifact is judged on; empty for the corpus' test rows.
        evaluation: of the recipe, where its headline needs more than the default.
        layers: of the student; half of the run's.
        pruned: one way more, in a cell of its own, where neither the whole network nor a student reaches the bars.
    """

    task: str
    model: Any
    training: Mapping[str, Any]
    files: Mapping[str, Any] | None = None
    judge: str = ""
    evaluation: Mapping[str, Any] = field(default_factory=dict)
    layers: int = 3
    pruned: str = ""

    def rungs(self) -> list[str]:
        """The whole network smaller, and a student of fewer layers smaller too."""
        student = f"distil:layers={self.layers},epochs=5,learning_rate=2e-4"
        whole = ["onnx", "int8", "int8:mode=static", "vocabulary+onnx+int8"]
        return [*whole, student, *(f"{student}+{steps}" for steps in ("onnx", "onnx+int8", "vocabulary+onnx+int8"))]


SENTIMENT = {"epochs": 3, "batch_size": 16, "max_length": 96, "learning_rate": 1e-4}
SETS: Mapping[str, Set] = {
    "sst2": Set("classify", {"name": "starter:en", "head": "stock"}, SENTIMENT),
    "waimai_10k": Set("classify", {"name": "starter:zh-en", "head": "stock"}, SENTIMENT, layers=6),
    "conll2003": Set(
        "tag", "starter:en",
        {"epochs": 4, "batch_size": 16, "max_length": 128, "learning_rate": 3e-4, "head_learning_rate": 3e-3},
        {
            "train": "conll2003/eng.train", "dev": "conll2003/eng.testa", "format": "conll",
            "fields": {"group": "document"}, "limit": {"train": 4000, "dev": DEV},
        },
        "conll2003/eng.testb", pruned="prune:ffn=0.5,recover=5,learning_rate=2e-4+onnx+int8",
    ),
    "atis": Set(
        "intent_slot", "starter:en", {"epochs": 8, "learning_rate": 4e-4, "max_length": 64},
        {"train": "atis/train", "dev": "atis/dev"}, "atis/test",
    ),
}  # fmt: skip


def cells(quick: bool) -> list[Cell]:
    """One a data set, and one more where it names one more way."""
    shared = {"rows": [TRAIN, DEV, TEXTS], "quick": quick}
    if quick:
        return [Cell("sst2", {"set": "sst2", "rungs": list(QUICK_RUNGS), **shared})]
    whole = [Cell(name, {"set": name, "rungs": each.rungs(), **shared}) for name, each in SETS.items()]
    pruned = [
        Cell(f"{name}-pruned", {"set": name, "rungs": [each.pruned], **shared})
        for name, each in SETS.items()
        if each.pruned
    ]
    return whole + pruned


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Train, and climb."""
    own = Path(tempfile.mkdtemp(dir=workspace))
    chosen = SETS[settings["set"]]
    files, judge, beside = dict(chosen.files or {}), chosen.judge, list[str]()
    if chosen.files is None:
        files, judge, beside = _written(settings["set"], own)
    quick = {"max_steps": 4} if settings["quick"] else {}
    recipe = {
        "task": chosen.task, "model": chosen.model, "data": files, "training": {**chosen.training, **quick},
        "evaluation": {"baselines": [], **chosen.evaluation}, "output": str(own / "run"),
    }  # fmt: skip
    (own / "recipe.yaml").write_text(json.dumps(recipe), "utf-8")  # JSON is YAML
    _weitiao("train", str(own / "recipe.yaml"))
    steps = [word for rung in settings["rungs"] for word in ("--steps", rung)]
    climbed = _weitiao("compress", str(own / "run"), "--ladder", *steps, "--data", judge, *beside)
    return {"ladder": {key: value for key, value in climbed.items() if key != "folder"}}


def _written(name: str, folder: Path) -> tuple[dict[str, Any], str, list[str]]:
    """Training, dev and test rows of a corpus as files, and the texts of others."""
    corpus = corpora.load(name)
    records = list(corpus.train)
    random.Random(17).shuffle(records)
    parts = {"train": records[:TRAIN], "dev": records[TRAIN : TRAIN + DEV], "judge": corpus.test}
    for part, rows in parts.items():
        lines = [json.dumps({"text": each.text, "label": each.label}, ensure_ascii=False) for each in rows]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    texts = [" ".join(each.text.split()) for each in records[TRAIN + DEV : TRAIN + DEV + TEXTS]]
    (folder / "texts.txt").write_text("\n".join(texts) + "\n", "utf-8")
    files = {part: str(folder / f"{part}.jsonl") for part in ("train", "dev")}
    return files, str(folder / "judge.jsonl"), ["--texts", str(folder / "texts.txt")]


def _weitiao(*words: str) -> dict[str, Any]:
    """What a command says."""
    done = subprocess.run(
        [sys.executable, "-m", "weitiao", *words, "--json"], cwd=corpora.shared_folder(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row a data set and artifact; of each set the artifact that comes nearest to all three bars."""
    rows: list[Row] = []
    met = set()
    for result in results.values():
        name, ladder = result.settings["set"], result.measured["ladder"]
        whole = ladder["rungs"][0]
        again = any(row["data"] == name for row in rows)  # the run has its row already
        rows += [_row(name, ladder, rung, whole) for rung in ladder["rungs"][again:]]
        met |= {name for rung in ladder["rungs"][1:] if _reaches(rung, whole)}
    bars = {"sets_with_a_quarter_at_three_times_within_half_a_point": Bar(len(met) if results else None, len(SETS))}
    return Summary(rows, bars, NOTES)


def _reaches(rung: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    small, fast = rung["bytes"] <= BYTES * whole["bytes"], rung["times"] >= TIMES
    return bool(small and fast and rung["difference"]["value"] >= -FALL)


def _row(name: str, ladder: Mapping[str, Any], rung: Mapping[str, Any], whole: Mapping[str, Any]) -> Row:
    gap = rung["difference"]
    return {
        "data": name,
        "artifact": rung["name"] if rung is not whole else "(the run)",
        "metric": ladder["metric"],
        "rows": ladder["rows"],
        "score": [round(rung["score"][part], 4) for part in ("value", "low", "high")],
        "difference": gap and [round(gap[part], 4) for part in ("value", "low", "high")],
        "mb": round(rung["bytes"] / 1e6, 1),
        "of_its_bytes": round(rung["bytes"] / whole["bytes"], 3),
        "times": round(rung["times"], 2),
        "p50_ms": round(rung["speed"]["p50"], 2),
        "p95_ms": round(rung["speed"]["p95"], 2),
        "reaches": _reaches(rung, whole) if gap else None,
    }


NOTES = (
    f"sst2 and waimai_10k: {TRAIN:,} training rows, {DEV} of dev, up to {TEXTS:,} unlabelled texts for the student; "
    f"conll2003: 4,000 sentences and {DEV}; atis whole. Judged on the test rows of each, which no step has seen.",
    "times: texts a second over the run's in torch, median of five rounds in turn; p50 and p95 of one text alone. "
    "score and difference with their intervals (paired bootstrap for the difference).",
    f"reaches: at most {BYTES} of the run's bytes, at least {TIMES:g} times its texts a second, and the metric fallen "
    f"by no more than {FALL:g}.",
)


if __name__ == "__main__":
    about = "Ways to compress a run: size, speed and score of each beside the run."
    run(Benchmark("ladder", about, cells, measure, summarise))
