"""Promise 6: with local files nothing opens a socket, whatever is installed; through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.verbs.trained import recipe

# An audit hook sees every look-up and every connection that Python code or a library's Python layer asks for.
WATCHED = """
import json, sys
seen = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto"):
        seen.append([event, repr(args[1:] if event.startswith("socket.connect") else args)])
sys.addaudithook(watch)
sys.argv = ["weitiao", *{words!r}]
from weitiao.cli import main
code = 0
try:
    main()
except SystemExit as left:
    code = left.code
modules = sorted(set(sys.modules) & {{"torch", "transformers", "datasets"}})
print(json.dumps({{"code": code, "seen": seen, "modules": modules}}), file=sys.stderr)
"""


def watched(*words: str | Path) -> dict[str, object]:
    """Run a command and return its exit code and the network calls it made."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WATCHED.format(words=list(map(str, words)))],
        env={**environment, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found: dict[str, object] = json.loads(done.stderr.strip().splitlines()[-1])
    assert found["code"] in (0, None), done.stderr
    return found


@pytest.fixture(scope="module")
def trained_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    path = folder / "recipe.yaml"
    YAML().dump(recipe(folder), path)
    return path


def test_the_watch_sees_a_socket() -> None:
    code = WATCHED.format(words=["--version"]).replace("from weitiao.cli import main", SOCKET)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert json.loads(done.stderr.strip().splitlines()[-1])["seen"]


SOCKET = """
import socket
def main():
    with socket.socket() as talk:
        talk.bind(("127.0.0.1", 0))
"""


def test_check_train_predict_evaluate_open_no_socket(trained_recipe: Path, tmp_path: Path) -> None:
    run = trained_recipe.parent / "run"
    for words in (
        ["check", trained_recipe],
        ["train", trained_recipe],
        ["predict", run, "good room"],
        ["evaluate", run],
        ["compare", run, run],
        ["doctor"],
    ):
        assert watched(*words)["seen"] == [], words


@pytest.mark.parametrize("words", [["check"], ["new", "classify"], ["schema"], ["list", "tasks"], ["--help"]])
def test_what_needs_no_weights_imports_no_torch(
    words: list[str], trained_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = watched(*words, *([trained_recipe] if words == ["check"] else []))
    assert (found["seen"], found["modules"]) == ([], [])
