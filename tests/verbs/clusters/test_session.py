"""What is asked of a cluster, and refused, before Ray is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.cli import main
from weitiao.errors import Failed, MissingExtra, Refused
from weitiao.verbs.clusters import session
from weitiao.verbs.clusters.session import Cluster, lost


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        (Cluster("rya"), "unknown cluster 'rya'; expected one of: ray; did you mean 'ray'?"),
        (Cluster(workers=0), "0 workers do no work; give at least one"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(cluster: Cluster, message: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        weitiao.train(recipe(tmp_path), cluster=cluster)
    assert str(refused.value) == message
    assert not (tmp_path / "run").exists()


def test_without_ray_its_extra_is_named(made_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra) as missing:
        weitiao.predict_file(made_run, "rows.csv", made_run / "out.csv", cluster=Cluster())
    assert str(missing.value) == "ray is not installed; install it with: pip install 'weitiao[ray]'"
    assert missing.value.exit_code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "recipe.yaml", "--workers", "2"], "--workers and --address are of a cluster; add --cluster ray"),
        (["train", "recipe.yaml", "--address", "auto"], "--workers and --address are of a cluster; add --cluster ray"),
        (["predict", "run", "text", "--cluster", "ray"], "--cluster answers the rows of a file; give --input FILE"),
    ],
)
def test_options_that_mean_nothing_together(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_how_to_go_on_names_the_cluster() -> None:
    assert Cluster(workers=3).words() == " --cluster ray --workers 3"
    assert Cluster(address="auto").words() == " --cluster ray --workers 2 --address auto"


def test_the_error_of_a_worker_is_its_root_in_one_line() -> None:
    root = ValueError("no such thing\nin file x")
    group = RuntimeError("Training failed due to worker errors:\nand more")
    group.worker_failures = {1: root}  # type: ignore[attr-defined]
    outer = RuntimeError("Ray says much")
    outer.__cause__ = group
    error = lost(outer)
    assert isinstance(error, Failed)
    assert str(error) == "a Ray worker failed (ValueError: no such thing)"


def test_usage_is_not_reported() -> None:
    """Whatever the user's home says, and though Ray would report where it is told nothing."""
    ask = "import weitiao; from ray._common.usage import usage_lib as usage; print(usage.usage_stats_enabled())"
    clean = {name: value for name, value in os.environ.items() if name != "RAY_USAGE_STATS_ENABLED"}
    done = subprocess.run([sys.executable, "-c", ask], env=clean, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
