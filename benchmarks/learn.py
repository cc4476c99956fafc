"""What is learnt and what is forgotten when new intents come in five increments, and does the gate refuse poison?

clinc150: 50 of its intents, drawn by a seed; the first 25 are the start, then five increments of 5 new ones. Accuracy
on test rows of the old intents (all those before the increment) and of its new ones, after each increment:

- `learn`: `weitiao learn` with replay and the distance from the old answers;
- `naive`: the same with neither, so that it trains on the new rows alone;
- `replay`, `distil`: with one of the two;
- `full-K`: the starter trained anew on all rows up to increment K, those included that `learn` holds out.

Each goes on from its own last run, whatever its gate says; what the gate says is kept. `poison-new` is the first
increment with its labels shuffled, `poison-old` a batch of old intents with shuffled labels.

    python benchmarks/learn.py --quick --json
"""

from __future__ import annotations

import csv
import json
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpora import shared_folder
from harness import Bar, Benchmark, Cell, Result, Row, Settings, Summary, run

INTENTS, START, STEP, INCREMENTS, SEED = 50, 25, 5, 5, 17
WAYS: Mapping[str, Mapping[str, Any]] = {  # five old rows of each of the first intents are replayed
    "learn": {"replay": 5 * START},
    "replay": {"replay": 5 * START, "weight": 0.0},
    "distil": {"replay": 0},
    "naive": {"replay": 0, "weight": 0.0},
}
Pairs = list[tuple[str, str]]


def cells(quick: bool) -> list[Cell]:
    """One a way, one a full retraining, and the two poisoned batches."""
    size = {"train_rows": 12, "dev_rows": 4, "test_rows": 4, "increments": 1, "epochs": 1.0} if quick else {
        "train_rows": 20, "dev_rows": 20, "test_rows": 20, "increments": INCREMENTS, "epochs": 3.0,
    }  # fmt: skip
    ways = [Cell(way, {"kind": "chain", "options": options, **size}) for way, options in WAYS.items()]
    full = [Cell(f"full-{step}", {"kind": "full", "step": step, **size}) for step in range(1, size["increments"] + 1)]
    poisoned = {"kind": "poison", "options": WAYS["learn"], **size}
    poison = [Cell(f"poison-{what}", {**poisoned, "what": what}) for what in ("new", "old")]
    return [*ways[:1], *poison, *ways[1:], *reversed(full)]


def prepare(workspace: Path, quick: bool) -> None:
    """The run that all start from."""
    import weitiao

    (settings, *_others) = (cell.settings for cell in cells(quick))
    weitiao.train(_recipe(settings, workspace / "start", 0))


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """One cell."""
    kinds = {"chain": _chain, "full": _full, "poison": _poison}
    return kinds[settings["kind"]](settings, workspace)


def _chain(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Every increment, each from the run before it, whatever the gate says of that."""
    import weitiao

    folder, steps = Path(tempfile.mkdtemp(dir=workspace)), []
    served = workspace / "start" / "run"
    for step in range(1, settings["increments"] + 1):
        began = time.monotonic()
        made = weitiao.learn(
            served, _rows("train", _of_step(step), settings, folder / f"new-{step}.csv"),
            output=folder / f"run-{step}", promote=False, **settings["options"],
        )  # fmt: skip
        served = made.output
        scores = _accuracy(served, settings, step)
        steps.append({"step": step, **scores, "seconds": round(time.monotonic() - began, 1), **_gate(made)})
    return {"start": _accuracy(workspace / "start" / "run", settings, 0), "steps": steps}


def _full(settings: Settings, workspace: Path) -> dict[str, Any]:
    """The starter on all rows up to an increment."""
    import weitiao

    folder, step, began = Path(tempfile.mkdtemp(dir=workspace)), settings["step"], time.monotonic()
    made = weitiao.train(_recipe(settings, folder, step))
    scores = _accuracy(made.path, settings, step)
    return {"step": step, **scores, "seconds": round(time.monotonic() - began, 1)}


def _poison(settings: Settings, workspace: Path) -> dict[str, Any]:
    """A batch whose labels were shuffled among its rows."""
    import weitiao

    folder = Path(tempfile.mkdtemp(dir=workspace))
    intents = _of_step(1) if settings["what"] == "new" else _of_step(0)[:STEP]
    split = "train" if settings["what"] == "new" else "spare"
    made = weitiao.learn(
        workspace / "start" / "run", _rows(split, intents, settings, folder / "poison.csv", shuffled=True),
        output=folder / "run", promote=True, **settings["options"],
    )  # fmt: skip
    return {**_accuracy(made.output, settings, 1 if settings["what"] == "new" else 0), **_gate(made)}


def _gate(made: Any) -> dict[str, Any]:
    gate = made.gate
    return {
        "holds": gate.holds,
        "promoted": made.promoted,
        "reasons": list(gate.reasons),
        "dev": gate.model_dump(mode="json", include={"old", "new", "association"}),
        "rows": made.rows,
    }


def _recipe(settings: Settings, folder: Path, step: int) -> dict[str, Any]:
    """Of a run on all intents up to an increment."""
    intents = [intent for each in range(step + 1) for intent in _of_step(each)]
    data = {split: str(_rows(split, intents, settings, folder / f"{split}.csv")) for split in ("train", "dev")}
    return {
        "task": "classify",
        "model": {"name": "starter:en", "head": "mean"},
        "data": data,
        "training": {"epochs": settings["epochs"], "learning_rate": 3e-4, "max_length": 48},
        "output": str(folder / "run"),
    }


def _accuracy(run_folder: Path, settings: Settings, step: int) -> dict[str, Any]:
    """On the test rows of the intents before an increment, of its own, and of both."""
    import weitiao

    answers = weitiao.load(run_folder)
    before = [intent for each in range(step) for intent in _of_step(each)] or _of_step(0)
    parts = {"old": before, "new": _of_step(step) if step else []}
    right: dict[str, list[bool]] = {}
    for name, intents in parts.items():
        pairs = _pairs("test", intents, settings)
        said = answers.predict([text for text, _intent in pairs])
        right[name] = [each.labels == (intent,) for each, (_text, intent) in zip(said, pairs, strict=True)]
    every = [*right["old"], *right["new"]]
    return {name: _share(each) for name, each in {**right, "all": every}.items()}


def _share(right: Sequence[bool]) -> float | None:
    return round(sum(right) / len(right), 4) if right else None


def _of_step(step: int) -> list[str]:
    """The intents of the start, or of an increment."""
    known = sorted({intent for _text, intent in _clinc()["train"]})
    drawn = random.Random(SEED).sample(known, INTENTS)
    first = START + STEP * (step - 1)
    return drawn[:START] if step == 0 else drawn[first : first + STEP]


def _pairs(split: str, intents: Sequence[str], settings: Settings) -> Pairs:
    """Rows of these intents, the first so many of each; `spare`: training rows that no run is trained on."""
    own = {"dev": "val", "spare": "train"}.get(split, split)
    skipped = settings["train_rows"] if split == "spare" else 0
    count = settings["train_rows" if split == "spare" else f"{split}_rows"]
    of_intent: dict[str, Pairs] = {intent: [] for intent in intents}
    for text, intent in _clinc()[own]:
        if intent in of_intent:
            of_intent[intent].append((text, intent))
    return [pair for pairs in of_intent.values() for pair in pairs[skipped : skipped + count]]


def _rows(split: str, intents: Sequence[str], settings: Settings, path: Path, *, shuffled: bool = False) -> Path:
    """A file of such rows."""
    pairs = _pairs(split, intents, settings)
    labels = [intent for _text, intent in pairs]
    if shuffled:
        random.Random(SEED).shuffle(labels)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        writer.writerows(zip((text for text, _intent in pairs), labels, strict=True))
    return path


def _clinc() -> dict[str, Pairs]:
    return json.loads((shared_folder() / "clinc150" / "data_small.json").read_text("utf-8"))  # type: ignore[no-any-return]


def summarise(results: Mapping[str, Result]) -> Summary:
    """A row for each way and increment."""
    rows: list[Row] = []
    for name, each in results.items():
        kind = each.settings["kind"]
        steps = each.measured["steps"] if kind == "chain" else [{"step": 1, **each.measured}]
        rows += [_row(name if kind != "full" else "full", step) for step in steps]
    notes = [
        f"clinc150, {INTENTS} intents drawn by seed {SEED}: {START}, then {STEP} an increment; accuracy on test rows.",
        "gate: what `weitiao learn` decides by itself; full retraining has none.",
        "The goals of the accuracies are ours: forget no more than naive training, and lose five points at most on new "
        "intents to full retraining, means over the increments.",
    ]
    return Summary(sorted(rows, key=lambda row: (row["way"], row["increment"])), _bars(results, rows), notes)


def _bars(results: Mapping[str, Result], rows: Sequence[Row]) -> dict[str, Bar]:
    """A gate that never holds refuses every poisoned batch, so clean increments must pass it too."""
    poisoned = [each.measured["promoted"] for each in results.values() if each.settings["kind"] == "poison"]
    passed = [row["gate"] == "holds" for row in rows if row["way"] == "learn"]
    return {
        "poisoned_batches_promoted": Bar(float(sum(poisoned)) if poisoned else None, 0, at_least=False),
        "clean_increments_that_the_gate_passes": Bar(float(sum(passed)) if passed else None, 1),
        "old_intents_learn_minus_naive": Bar(_lead(rows, "old", "naive"), 0.0),
        "new_intents_learn_minus_full_retraining": Bar(_lead(rows, "new", "full"), -0.05),
    }


def _lead(rows: Sequence[Row], part: str, other: str) -> float | None:
    """Accuracy of `learn` minus that of another way, the mean over the increments that both have."""
    of_way = {way: {row["increment"]: row[part] for row in rows if row["way"] == way} for way in ("learn", other)}
    both = sorted(of_way["learn"].keys() & of_way[other].keys())
    if not both:
        return None
    return round(sum(of_way["learn"][step] - of_way[other][step] for step in both) / len(both), 4)


def _row(way: str, step: Mapping[str, Any]) -> Row:
    holds = step.get("holds")
    return {
        "way": way,
        "increment": step["step"],
        "old": step["old"],
        "new": step["new"],
        "all": step["all"],
        "gate": None if holds is None else "holds" if holds else "refuses",
        "seconds": step.get("seconds"),
    }


if __name__ == "__main__":
    run(Benchmark("learn", __doc__.splitlines()[0], cells, measure, summarise, prepare))
