"""What is asked of a cluster, and refused, before Ray is imported."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.verbs.trained import recipe

import weitiao
from weitiao.cli import main
from weitiao.errors import Failed, MissingExtra, Refused
from weitiao.verbs.clusters import session
from weitiao.verbs.clusters.session import Cluster, cluster_at, lost


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        (Cluster("rya"), "unknown cluster 'rya'; expected one of: ray; did you mean 'ray'?"),
        ("rya", "unknown cluster 'rya'; expected one of: ray; did you mean 'ray'?"),
        (2, "`cluster` is 2; expected a weitiao.Cluster or its name"),
        (Cluster(workers=0), "0 workers do no work; give at least one"),
        *(
            (
                Cluster(address=word),
                f"'{word}' is no address of a Ray cluster; expected auto, HOST:PORT or ray://HOST:PORT",
            )
            for word in ("nonsense", "host:port", "127.0.0.1:99999", "ray://nowhere")
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(cluster: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        weitiao.train(recipe(tmp_path), cluster=cluster)
    assert str(refused.value) == message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nothing_listens_is_refused_at_once(scheme: str, tmp_path: Path) -> None:
    with socket.socket() as bound:  # and not listening
        bound.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{bound.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(Refused, match=f"^{address}: no Ray cluster answers there; see that it runs"):
            weitiao.train(recipe(tmp_path), cluster=Cluster(address=address))
    assert time.monotonic() - began < 30
    assert not (tmp_path / "run").exists()


def test_an_address_where_something_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        Cluster(address=f"127.0.0.1:{server.getsockname()[1]}").check()


def test_a_name_is_a_cluster_with_its_defaults() -> None:
    assert cluster_at("ray") == Cluster()
    assert cluster_at(None) is None


def test_a_cluster_that_is_not_reached_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreached(_cluster: Cluster) -> None:
        raise Refused("auto: no Ray cluster answers there")

    monkeypatch.setattr(session, "session", unreached)
    for _time in range(2):
        with pytest.raises(Refused, match=r"^auto: no Ray cluster"):
            weitiao.train(recipe(tmp_path), cluster=Cluster(address="auto"))
        with pytest.raises(Refused, match=r"^auto: no Ray cluster"):
            weitiao.tune(recipe(tmp_path), space={"method": ["head", "full"]}, cluster=Cluster(address="auto"))
    assert not (tmp_path / "run").exists() and not (tmp_path / "run-tune").exists()


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
