"""The quick start's outputs about data are what `check` says of the file that it tells the reader to make."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.commands import blocks, commands
from weitiao.cli import main
from weitiao.errors import Refused
from weitiao.models.starters import corpus
from weitiao.models.tiny import tiny
from weitiao.recipe import load_recipe
from weitiao.verbs.preparing.frame import frame

PAGES = ("quickstart.md", "quickstart.zh-CN.md")
FINDINGS = ("error:", "warning:", "note:", "export.csv:")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder with export.csv, the recipe that `new` writes, and a tiny model."""
    try:
        corpus()
    except Refused as missing:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(missing))
    folder = tmp_path_factory.mktemp("walk")
    runpy.run_path(str(repository / "docs" / "messy_export.py"))["write"](folder / "export.csv")
    tiny("bert", folder / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["new", "classify", "reviews.yaml", "--data", "export.csv"]) == 0
    return folder


def test_findings_are_those_of_check(desk: Path, repository: Path) -> None:
    page = repository / "docs" / PAGES[0]
    checks = [words[1:] for words in commands(page) if words[:2] == ["weitiao", "check"]]
    outputs = [body for body in blocks(page, "text") if "error:" in body or "warning:" in body]
    assert len(checks) == len(outputs) == 2
    for arguments, output in zip(checks, outputs, strict=True):
        done = subprocess.run(
            [sys.executable, "-m", "weitiao", *arguments, "--model", "./tiny"],
            cwd=desk, capture_output=True, text=True, check=False, env={**os.environ, "LANGUAGE": "en"},
        )  # fmt: skip
        said = (done.stdout + done.stderr).splitlines()
        shown = [line for line in output.splitlines() if line.startswith(FINDINGS) and "csv gb18030" not in line]
        assert len(shown) >= 3
        assert [line for line in shown if line not in said] == []


def test_both_languages_walk_the_same_way(repository: Path) -> None:
    english, chinese = (repository / "docs" / name for name in PAGES)
    assert commands(english) == commands(chinese)
    assert blocks(english, "yaml") == blocks(chinese, "yaml")


@pytest.mark.parametrize("name", ["quickstart.md", "data.md"])
def test_recipes_on_the_pages_are_valid(name: str, repository: Path, tmp_path: Path) -> None:
    for body in blocks(repository / "docs" / name, "yaml"):
        whole = body if "task:" in body else "task: classify\nmodel: starter:en\n" + body
        (tmp_path / "recipe.yaml").write_text(whole, "utf-8")
        assert load_recipe(tmp_path / "recipe.yaml", frame()).task.name == "classify"


def test_options_on_all_pages_exist(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb and option is known: `--help` of the verb lists it."""
    for page in sorted((repository / "docs").glob("*.md")):
        for words in commands(page):
            words = words[words.index("weitiao") :] if "weitiao" in words and words[0] != "docker" else []
            if not words:
                continue
            verb = words[1:3] if words[1] in ("adapters", "data", "keys", "models") else words[1:2]
            assert main([*verb, "--help"]) == 0, f"{page.name}: {' '.join(words)}"
            shown = capsys.readouterr().out
            assert all(word in shown for word in words if word.startswith("--")), f"{page.name}: {' '.join(words)}"
