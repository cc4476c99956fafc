"""`weitiao tune --cluster ray`: a study whose workers are Ray tasks, one of which is killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.clusters.workers import RAY, kill_one
from tests.verbs.trained import recipe

import weitiao
from weitiao.verbs.clusters.session import Cluster

pytestmark = [pytest.mark.slow, *RAY]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_worker_costs_no_trial(
    workers: int, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the first trial, the worker is started again; every trial of the grid has a score at the end.

    What Ray leaves undone, `tune` would do itself; here it must not.
    """
    monkeypatch.setattr("weitiao.verbs.tune.work", lambda *_arguments, **_options: 0)
    notes: list[str] = []

    def kill(event: dict[str, Any]) -> None:
        if event["kind"] == "note":
            notes.append(event["text"])
            if len(notes) == 1:
                kill_one("work_on")

    made = recipe(tmp_path, training={"max_steps": 4, "batch_size": 16}, evaluation={"resamples": 100})
    space = {"training.learning_rate": [1e-4, 1e-3, 3e-3, 1e-2]}
    tuned = weitiao.tune(
        made, space=space, sampler="grid", seeds=0, cluster=replace(cluster, workers=workers), on_event=kill
    )
    scored = [trial for trial in tuned.result.trials if trial.score is not None]
    rates = sorted(trial.changes["training.learning_rate"] for trial in scored)
    assert rates == [1e-4, 1e-3, 3e-3, 1e-2]
    assert len(notes) >= 4
    assert tuned.best.is_file()
