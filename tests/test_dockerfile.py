"""The Dockerfile as far as it can be read without an engine: what it copies is there, nobody is root."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

INSTRUCTIONS = {
    "FROM",
    "WORKDIR",
    "RUN",
    "ENV",
    "COPY",
    "USER",
    "EXPOSE",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


@pytest.fixture(scope="module")
def lines(repository: Path) -> list[tuple[str, str]]:
    text = (repository / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    return [
        (line.split()[0], line.partition(" ")[2]) for line in text.splitlines() if line and not line.startswith("#")
    ]


def test_every_instruction_is_one(lines: list[tuple[str, str]]) -> None:
    assert {name for name, _rest in lines} <= INSTRUCTIONS
    assert lines[0][0] == "FROM"


def test_images_have_a_version_and_are_slim(lines: list[tuple[str, str]]) -> None:
    images = [rest.split()[0] for name, rest in lines if name == "FROM"]
    assert len(images) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim", image) for image in images)


def test_what_it_copies_is_there_and_is_not_ignored(repository: Path, lines: list[tuple[str, str]]) -> None:
    kept = [line[1:] for line in (repository / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")]
    copied = [each for name, rest in lines if name == "COPY" and "--from" not in rest for each in rest.split()[:-1]]
    assert "src" in copied
    for each in copied:
        assert (repository / each).exists(), each
        assert any(fnmatch.fnmatch(each, pattern) for pattern in kept), each


def test_the_server_is_not_root_and_its_health_is_asked(lines: list[tuple[str, str]]) -> None:
    last = len(lines) - 1 - [name for name, _rest in lines][::-1].index("FROM")
    own = dict(lines[last:])
    assert own["USER"] not in ("root", "0")
    assert "/health/live" in own["HEALTHCHECK"]
    assert json.loads(own["ENTRYPOINT"])[:2] == ["weitiao", "serve"]
    assert own["STOPSIGNAL"] == "SIGTERM"


def test_it_installs_extras_that_there_are_with_the_pins(repository: Path, lines: list[tuple[str, str]]) -> None:
    commands = [shlex.split(rest) for name, rest in lines if name == "RUN"]
    (installed,) = [each for command in commands for each in command if each.startswith(".[")]
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    extras = set(installed[2:-1].split(","))
    assert extras <= set(project["optional-dependencies"])
    assert extras >= {"serve", "compress", "postgres"}  # what `--engine auto` and `--feedback postgresql://` need
    assert any("-c" in command for command in commands)
    assert re.search(r"(?m)^torch==", (repository / "constraints.txt").read_text("utf-8"))
