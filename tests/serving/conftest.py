"""Tiny runs, and one server that tests ask and do not change."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving import kinds
from tests.serving.running import Server, running


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each task, named as the task; not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    for task in kinds.ROWS:
        kinds.run_of(task, folder)
    return folder


@pytest.fixture(scope="session")
def vectors_run(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the task embed, named `vectors`."""
    import torch

    from weitiao.models.network import NetworkSpec, build
    from weitiao.models.tiny import tiny

    run = tmp_path_factory.mktemp("made") / "vectors"
    pretrained = tiny("bert", run.parent / "tiny")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        network = build(pretrained, NetworkSpec(head="embed", kind="mean", labels=[]))
    (run / "model").mkdir(parents=True)
    network.save(run / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pretrained / name, run / "model" / name)
    card = {
        "weitiao": "0.1.0", "task": "embed", "options": {"dimensions": [16]}, "labels": [], "settings": {},
        "network": {"head": "embed", "kind": "mean"}, "max_length": 64, "name": "vectors",
    }  # fmt: skip
    (run / "model" / "task.json").write_text(json.dumps(card), "utf-8")
    (run / "recipe.yaml").write_text("task: embed\nmodel: ./tiny\ndata: texts.csv\n", "utf-8")
    return run


@pytest.fixture(scope="session")
def server(finished_run: Path, vectors_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    kept = tmp_path_factory.mktemp("kept") / "feedback.db"
    with running(finished_run, vectors_run, options=("--feedback", f"sqlite:///{kept}")) as server:
        yield server
