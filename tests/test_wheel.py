"""The wheel, built as from a fresh clone and installed: what is in it, and that it speaks the user's language.

The new environment sees the packages of this one through a path file, so that nothing is downloaded; weitiao itself is
the wheel's, for the path file of an editable install is not followed there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

import pytest

pytestmark = pytest.mark.slow

SOURCES = ("src", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "NOTICE", ".gitignore")
KINDS = {".py", ".yaml", ".po", ".mo", ".css", ".html", ".js", ".j2", ".txt", ".typed"}
RECIPE = "task: classify\nmodle: starter:en\ndata: reviews.csv\n"

Say = Callable[..., subprocess.CompletedProcess[str]]


def run(command: Sequence[object], **options: object) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what a clone has: no compiled catalogue, no bytecode."""
    clone = tmp_path_factory.mktemp("clone")
    for name in SOURCES:
        if (repository / name).is_dir():
            shutil.copytree(repository / name, clone / name, ignore=shutil.ignore_patterns("*.mo", "__pycache__"))
        else:
            shutil.copy(repository / name, clone / name)
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", clone / "dist", clone])
    (made,) = (clone / "dist").iterdir()
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that has the wheel."""
    environment = tmp_path_factory.mktemp("installed")
    run([sys.executable, "-m", "venv", "--without-pip", environment])
    python = environment / "bin" / "python"
    run([sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", "--no-compile", wheel])
    inner = run([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    outer = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (Path(inner) / "packages_of_the_tests.pth").write_text("".join(f"{path}\n" for path in outer), "utf-8")
    return python.parent


@pytest.fixture
def say(installed: Path, tmp_path: Path) -> Say:
    """Runs the installed program in a language, as a terminal of that language would."""
    spoken = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LC_CTYPE", "PYTHONPATH", "PYTHONUTF8", "PYTHONIOENCODING")
    kept = {key: value for key, value in os.environ.items() if key not in spoken}

    def speak(lang: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(each) for each in (installed / "weitiao", *arguments)],
            env={**kept, "LANG": lang}, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip

    return speak


def test_the_wheel_has_what_the_program_needs_and_no_more(wheel: Path, repository: Path) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    source = repository / "src"
    kept = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert inside == {path.relative_to(source).as_posix() for path in kept if path.suffix != ".mo"} | {
        "weitiao/locale/zh_CN/LC_MESSAGES/weitiao.mo"
    }
    assert {PurePosixPath(name).suffix for name in inside} == KINDS
    assert {"weitiao/py.typed", "weitiao/evaluation/report.html.j2", "weitiao/recipes/quickstart.yaml"} <= inside
    assert not any("test" in PurePosixPath(name).parts[1] for name in inside)


def test_the_program_is_the_wheels(installed: Path) -> None:
    where = run([installed / "python", "-c", "import weitiao; print(weitiao.__file__)"], cwd=installed)
    assert Path(where.strip()).is_relative_to(installed.parent)


@pytest.mark.parametrize(("lang", "verb"), [("zh_CN.UTF-8", "按配方训练"), ("en_US.UTF-8", "Train by a recipe")])
def test_help(lang: str, verb: str, say: Say) -> None:
    done = say(lang, "--help")
    assert done.returncode == 0, done.stderr
    assert verb in done.stdout


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [("zh_CN.UTF-8", "recipe.yaml:2: 未知的键"), ("en_US.UTF-8", "recipe.yaml:2: unknown key 'modle'; did you mean")],
)
def test_a_mistake_is_told(lang: str, sentence: str, say: Say, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE, "utf-8")
    done = say(lang, "check", "recipe.yaml")
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr


@pytest.mark.parametrize(
    ("lang", "words"), [("zh_CN.UTF-8", ("机器", "缓存文件夹")), ("en_US.UTF-8", ("machine", "cache"))]
)
def test_doctor(lang: str, words: tuple[str, ...], say: Say) -> None:
    done = say(lang, "doctor")
    assert done.returncode == 0, done.stderr
    assert all(word in done.stdout for word in words)


@pytest.mark.parametrize("lang", ["zh_CN.UTF-8", "en_US.UTF-8"])
def test_recipes_and_pages_are_at_hand(lang: str, say: Say, repository: Path, installed: Path) -> None:
    listed = say(lang, "list", "recipes")
    assert listed.returncode == 0, listed.stderr
    for path in (repository / "src/weitiao/recipes").glob("*.yaml"):
        assert path.stem in listed.stdout
    for package, template in (("weitiao.evaluation", "report.html.j2"), ("weitiao.tuning", "tune.html.j2")):
        opened = f"from weitiao.evaluation.page import environment; environment({package!r}).get_template({template!r})"
        run([installed / "python", "-c", opened], cwd=installed)
