"""What several test folders share: the real data sets where they are there, and a tiny finished run."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """A shell that starts the tests in the background makes them ignore SIGINT, which some of them send."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real data sets beside the repository, or in $WEITIAO_SHARED; without them tests skip, in CI they fail."""
    folder = Path(os.environ.get("WEITIAO_SHARED") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no shared data sets at {folder}; set WEITIAO_SHARED"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cache folder of the tests' own: converted starters, what is measured of the machine, activations."""
    os.environ["WEITIAO_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from weitiao.models.network import NetworkSpec, build
    from weitiao.models.tiny import tiny

    base = tmp_path_factory.mktemp("made") / "reviews"
    pretrained = tiny("bert", base.parent / "tiny")
    labels = ["neg", "pos"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = build(pretrained, NetworkSpec(head="classify", kind="mean", labels=labels))
    model = base / "model"
    model.mkdir(parents=True)
    network.save(model)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(pretrained / name, model / name)
    card = {
        "weitiao": "0.1.0", "task": "classify", "options": {}, "labels": labels, "settings": {},
        "network": {"head": "classify", "kind": "mean"}, "max_length": 64, "name": "reviews",
    }  # fmt: skip
    (model / "task.json").write_text(json.dumps(card), "utf-8")
    (base / "recipe.yaml").write_text("task: classify\nmodel: ./tiny\ndata: reviews.csv\n", "utf-8")
    return base


@pytest.fixture
def made_run(finished_run: Path, tmp_path: Path) -> Path:
    """A run folder named `reviews` with a tiny random model of the labels neg and pos; its own copy for each test."""
    return Path(shutil.copytree(finished_run, tmp_path / "reviews"))
