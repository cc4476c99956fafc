"""What does training lose to one other busy process, and what does it cost to wait for threads asleep?

Two threads meet after every kernel. By default the one that comes first spins; where another process holds a core, it
spins for long. `OMP_WAIT_POLICY=PASSIVE`, which the command line sets unless the user did, lets it sleep. The same
steps with either, on a quiet machine and beside one process that never stops.

    python benchmarks/busy_machine.py --quick --json
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spread
from harness import Bar, Benchmark, Cell, Result, Settings, Summary, run

POLICIES = ("ACTIVE", "PASSIVE")
ROUNDS, STEPS, ROWS = 4, 12, 32
SPIN = "while True: pass"
GOALS = {"quiet": 0.9, "busy": 1.2}  # speed with PASSIVE by that with ACTIVE; ours, no issue set them


def cells(quick: bool) -> list[Cell]:
    """One a round, state of the machine and policy, the policies one after the other."""
    return [
        Cell(f"{place}-{index}-{policy.lower()}", {"place": place, "index": index, "policy": policy, "steps": STEPS})
        for place in GOALS
        for index in range(1 if quick else ROUNDS)
        for policy in POLICIES
    ]


def prepare(workspace: Path, quick: bool) -> None:  # noqa: ARG001
    """Save the folder that every cell starts from."""
    import corpora
    import fitting

    fitting.save_start(corpora.load("sst2"), workspace)


def measure(settings: Settings, workspace: Path) -> dict[str, Any]:
    """Real tokens a second of a few steps; the first three are not counted."""
    os.environ["OMP_WAIT_POLICY"] = settings["policy"]  # read when torch is imported, in the next lines
    import corpora
    import fitting

    spec = fitting.FitSpec(steps=settings["steps"], batch_size=ROWS, seed=settings["index"])
    start = fitting.start_of("sst2", workspace)
    texts = fitting.encode(corpora.load("sst2"), start, ROWS * settings["steps"], seed=0, test_rows=1)
    other = subprocess.Popen([sys.executable, "-c", SPIN]) if settings["place"] == "busy" else None
    try:
        fitted = fitting.fit_ours(start, texts, spec, fitting.fresh(workspace))
    finally:
        if other is not None:
            other.kill()
            other.wait()
    return {"tokens_per_second": sum(fitted.tokens[3:]) / (fitted.ended[-1] - fitted.ended[2])}


def summarise(results: Mapping[str, Result]) -> Summary:
    """Medians, and the gain of waiting asleep within a round."""
    rows, bars = [], {}
    for place, goal in GOALS.items():
        speeds: dict[str, dict[int, float]] = {policy: {} for policy in POLICIES}
        for each in results.values():
            if each.settings["place"] == place:
                speeds[each.settings["policy"]][each.settings["index"]] = each.measured["tokens_per_second"]
        for policy, found in speeds.items():
            if found:
                middle, ends = spread.median_and_range(list(found.values()))
                rows.append({"machine": place, "waiting": policy, "tokens_per_second": middle, "range": ends})
        pairs = [
            (speeds["PASSIVE"][index], each) for index, each in speeds["ACTIVE"].items() if index in speeds["PASSIVE"]
        ]
        gain = statistics.median(passive / active for passive, active in pairs) if pairs else None
        bars[f"passive_by_active_{place}"] = Bar(gain, goal)
    return Summary(rows, bars, [f"starter:en on sst2, full fine-tuning, batches of {ROWS} rows, torch's own threads."])


if __name__ == "__main__":
    about = "Training beside another busy process, with threads that spin or sleep while they wait."
    run(Benchmark("busy_machine", about, cells, measure, summarise, prepare))
