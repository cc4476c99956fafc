"""`weitiao train --cluster ray`: the result of one process, with a lost worker, an error or a signal on the way."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from tests.verbs.clusters.workers import RAY, kill_one
from tests.verbs.trained import recipe

import weitiao
from weitiao.errors import Failed, Interrupted
from weitiao.training.checkpoint import at_step
from weitiao.verbs.clusters.session import Cluster

pytestmark = [pytest.mark.slow, *RAY]
WEIGHTS = "model/model.safetensors"


def made(folder: Path, **training: Any) -> dict[str, Any]:
    """160 steps without dropout, and checkpoints of some of them."""
    own = recipe(folder)
    own["model"]["dropout"] = 0.0
    own["training"] |= {"epochs": 20, "checkpoint_every": 5, "keep_checkpoints": 60} | training
    return own


def losses(run: Path) -> list[float]:
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    return [entry["loss"] for entry in entries if "loss" in entry]


@pytest.fixture(scope="module")
def undisturbed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data, and a run of two workers."""
    folder = tmp_path_factory.mktemp("undisturbed")
    told: list[dict[str, Any]] = []
    weitiao.train(made(folder), cluster=cluster, on_event=told.append)
    assert [event["step"] for event in told if event["kind"] == "step"] == list(range(1, 161))
    assert not (folder / "run/.ray").exists()
    return folder


def test_two_workers_give_the_result_of_one_process(undisturbed: Path) -> None:
    """Promise 3: the loss of each of 20 steps within 1e-6, and the weights after them within 1e-4."""
    alone = weitiao.train({**made(undisturbed), "output": str(undisturbed / "alone")}).path
    together = undisturbed / "run"
    np.testing.assert_allclose(losses(together)[:20], losses(alone)[:20], rtol=1e-6)
    weights = [load_file(at_step(run / "checkpoints", 20) / "weights.safetensors") for run in (together, alone)]
    assert max(float(np.abs(weights[0][name] - weights[1][name]).max()) for name in weights[1]) < 1e-4


def test_a_killed_worker_costs_a_retry(undisturbed: Path, cluster: Cluster) -> None:
    """Killed in the middle, the run ends in the bytes of the undisturbed one."""
    notes: list[str] = []

    def kill(event: dict[str, Any]) -> None:
        if event["kind"] == "note":
            notes.append(event["text"])
        if event["kind"] == "evaluation" and event["step"] == 8 and not notes:
            kill_one("RayTrainWorker")

    own = {**made(undisturbed), "output": str(undisturbed / "killed")}
    killed = weitiao.train(own, cluster=cluster, on_event=kill)
    assert notes[0] == "a worker was lost; going on from the newest checkpoint (retry 1 of 3)"
    assert notes[1].startswith("resumed at step ")
    for name in (WEIGHTS, "predictions.jsonl", "log.jsonl"):
        assert (killed.path / name).read_bytes() == (undisturbed / "run" / name).read_bytes()


def test_a_signal_leaves_a_run_that_is_gone_on_with(undisturbed: Path, cluster: Cluster) -> None:
    def interrupt(event: dict[str, Any]) -> None:
        if event["kind"] == "step" and event["step"] == 3:
            signal.raise_signal(signal.SIGINT)

    own = {**made(undisturbed, epochs=1000), "output": str(undisturbed / "left")}
    hint = (
        r"^interrupted at step \d+ of 8000; the run is saved; go on with: weitiao train --resume .*left --cluster ray"
    )
    with pytest.raises(Interrupted, match=hint):
        weitiao.train(own, cluster=cluster, on_event=interrupt)
    assert list((undisturbed / "left/checkpoints").iterdir())


def test_the_error_of_a_worker_is_one_sentence(undisturbed: Path, cluster: Cluster) -> None:
    own = {**made(undisturbed, learning_rate=1e30, clip=None), "output": str(undisturbed / "broken")}
    with pytest.raises(Failed, match=r"^step \d+: [^\n]*not finite[^\n]*; [^\n]*lower training.learning_rate[^\n]*$"):
        weitiao.train(own, cluster=cluster)
