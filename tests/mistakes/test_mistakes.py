"""The corpus of planted mistakes: each is refused before weights are opened, in the very words that the case gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.mistakes.cases import GOOD, GROUPS, Case
from tests.mistakes.file_cases import CHINESE, FILE_CASES
from tests.mistakes.mark_cases import MARK_CASES
from tests.mistakes.recipe_cases import RECIPE_CASES
from tests.mistakes.row_cases import COLUMN_CASES, LABEL_CASES, SPLIT_CASES
from tests.mistakes.tree_cases import TREE_CASES
from tests.model_folder import HIDDEN, make_model_folder
from weitiao.errors import ProblemsFound
from weitiao.verbs.check import check
from weitiao.verbs.planning.plan import remember_speed

CASES = [*RECIPE_CASES, *FILE_CASES, *COLUMN_CASES, *LABEL_CASES, *SPLIT_CASES, *TREE_CASES, *MARK_CASES]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the check, with good.csv and a model whose weights nobody may open."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path / "cache"))
    remember_speed(4e12, 10.0, HIDDEN)  # so that no check measures the machine
    make_model_folder(tmp_path / "m")
    plant(Case("none", "", []), tmp_path)
    return tmp_path


def plant(case: Case, folder: Path) -> None:
    """Write the case's files."""
    for name, contents in {"good.csv": GOOD, "r.yaml": case.recipe, **case.files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents if isinstance(contents, bytes) else contents.encode())


def expected(case: Case, folder: Path) -> list[str]:
    end = 2 * len(CHINESE)  # of the torn UTF-16 file
    return [problem.replace("{here}", str(folder)).replace("{end}", str(end)) for problem in case.problems]


def found() -> list[str]:
    """Every problem of r.yaml as `severity place: message`; notes do not stop anything and are left out."""
    try:
        problems = check("r.yaml").problems
    except ProblemsFound as error:
        problems = list(error.problems)
    return [f"{problem.severity} {problem}" for problem in problems if problem.severity != "note"]


def test_the_starting_point_has_no_fault(here: Path) -> None:
    preflight = check("r.yaml")
    assert [str(problem) for problem in preflight.problems] == []
    assert preflight.plan is not None
    assert preflight.plan.rows == {"train": 36, "dev": 4}


def test_the_corpus_is_large_enough() -> None:
    groups = Counter(case.group for case in CASES)
    assert len(CASES) >= 60
    assert set(groups) == set(GROUPS)
    assert min(groups.values()) >= 8
    assert len({(case.group, case.name) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.group}-{case.name}".replace(" ", "_"))
def test_each_mistake_is_told_in_its_words(case: Case, here: Path) -> None:
    plant(case, here)
    assert found() == expected(case, here)


# Counts what is read of weight files through Python, and notices that they were opened, or mapped, in another way.
WATCH = """
import builtins, io, json, sys
touched, counted = [], []
def watch(event, args):
    if event == "open" and str(args[0]).endswith((".safetensors", ".bin", ".h5", ".pt")):
        touched.append(str(args[0]))
    elif event == "mmap.__new__":
        touched.append(event)
sys.addaudithook(watch)
class Counted(io.FileIO):
    def read(self, size=-1):
        data = super().read(size)
        counted[-1] += len(data)
        return data
    def readall(self):
        return self.read(10**9)
    def readinto(self, buffer):
        count = super().readinto(buffer)
        counted[-1] += count
        return count
real = io.open
def opened(file, mode="r", *others, **named):
    if str(file).endswith(".safetensors"):
        counted.append(0)
        return Counted(file, "r")
    return real(file, mode, *others, **named)
io.open = builtins.open = opened
from weitiao.errors import ProblemsFound
{action}
told = []
for recipe in sys.argv[1:]:
    try:
        told.append(len(check(recipe).problems))
    except ProblemsFound as error:
        told.append(len(error.problems))
heavy = sorted({{"torch", "transformers", "safetensors", "accelerate", "sklearn", "pandas"}} & set(sys.modules))
print(json.dumps({{"told": told, "heavy": heavy, "touched": touched, "read": counted}}))
"""
CHECK = "from weitiao.verbs.check import check"
GREEDY = """
from pathlib import Path
def check(recipe):
    Path("m/model.safetensors").read_bytes()
    raise ProblemsFound([])
"""


def watched(action: str, *recipes: str) -> Any:
    """What a process that checks these recipes touched."""
    program = WATCH.format(action=action)
    run = subprocess.run([sys.executable, "-c", program, *recipes], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_at_most_the_header_of_the_weights_is_read_and_torch_stays_away(here: Path) -> None:
    names = ["r.yaml"]
    chosen = [case for case in CASES if not case.files]
    for index, case in enumerate(chosen):
        plant(case, here)
        names.append(f"r{index}.yaml")
        (here / "r.yaml").rename(here / names[-1])
    plant(Case("none", "", []), here)
    told = watched(CHECK, *names)
    weights = here / "m" / "model.safetensors"
    header = 8 + int.from_bytes(weights.read_bytes()[:8], "little")
    assert told["heavy"] == []
    assert told["touched"] == ["m/model.safetensors"] * len(told["read"])
    assert len(told["read"]) > 0
    assert 0 < max(told["read"]) <= header + 20 < weights.stat().st_size / 2  # its length is read twice
    assert told["told"][0] == 0
    assert len(told["told"][1:]) == len(chosen) >= 40
    assert min(told["told"][1:]) >= 1


def test_the_watch_sees_weights_that_are_read(here: Path) -> None:
    told = watched(GREEDY, "r.yaml")
    assert told["read"] == [(here / "m" / "model.safetensors").stat().st_size]


@pytest.mark.parametrize("group", GROUPS)
def test_errors_through_the_command_line(group: str, here: Path) -> None:
    case = next(case for case in CASES if case.group == group and case.problems[0].startswith("error"))
    plant(case, here)
    run = checked(here)
    assert run.returncode == 2
    for problem in expected(case, here):
        assert problem.removeprefix("error ") in run.stderr


def test_warnings_through_the_command_line(here: Path) -> None:
    case = next(case for case in SPLIT_CASES if case.name == "leak")
    plant(case, here)
    for options, code in (((), 0), (("--strict",), 2)):
        run = checked(here, *options)
        assert run.returncode == code
        assert case.problems[0].removeprefix("warning ") in run.stderr


def checked(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "weitiao", "check", "r.yaml", *options]
    environment = {**os.environ, "LANGUAGE": "en", "COLUMNS": "400", "WEITIAO_CACHE": str(folder / "cache")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
