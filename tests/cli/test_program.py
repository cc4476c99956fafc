"""How commands that are printed call the program, so that they can be copied."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from weitiao.cli.program import command, program


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "my env" / "bin" / "weitiao"
    path.parent.mkdir(parents=True)
    path.write_text("#!/bin/sh\nprintf '%s|' called \"$@\"\n", "utf-8")
    path.chmod(0o755)
    return path


def test_on_the_path_its_name_is_enough(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(script.parent))
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program() == "weitiao"
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py"])
    assert program() == "weitiao"


@pytest.mark.parametrize(
    ("folder", "expected"), [(".", "'my env/bin/weitiao'"), ("my env/bin", "./weitiao"), ("other", "'{script}'")]
)
@pytest.mark.parametrize("other_on_path", [False, True])
def test_elsewhere_it_is_called_as_it_was(
    folder: str, expected: str, other_on_path: bool, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other" / "weitiao"
    other.parent.mkdir()
    other.write_text("", "utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent) if other_on_path else "/nowhere")
    monkeypatch.chdir(tmp_path / folder)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert program() == expected.format(script=script)
    words = ["predict", "runs/o'neil", "房间很干净", "two words", "$HOME `date`"]
    done = subprocess.run(command(words), shell=True, capture_output=True, text=True, check=True)
    assert done.stdout == "called|" + "".join(f"{word}|" for word in words)


def test_as_a_module_the_interpreter_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py"])
    assert shlex.split(program()) == [sys.executable, "-m", "weitiao"]
