"""Every command of the READMEs is run, or shown to be there to run; both languages say the same."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.docs.commands import blocks, commands
from weitiao.cli import main
from weitiao.models.tiny import tiny

README, CHINESE = "README.md", "README.zh-CN.md"
CHEAP = ["training.epochs=1", "evaluation.resamples=100"]


def verbs(repository: Path) -> list[list[str]]:
    return [words[1:] for words in commands(repository / README) if words[0] == "weitiao"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A folder in which the README's `new`, `check` and `train` were run, with a tiny model in the starter's place."""
    folder = tmp_path_factory.mktemp("desk")
    rows = "".join(f"第 {n} 条评论，{'很好' if n % 2 else '太差'}，number {n},{n % 2}\n" for n in range(80))
    (folder / "reviews.csv").write_text("review,label\n" + rows.replace("，", " "), "utf-8")
    tiny("bert", folder / "tiny")
    new, check, train = verbs(repository)[:3]
    assert [new[0], check[0], train[0]] == ["new", "check", "train"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(new) == 0
        recipe = (folder / "reviews.yaml").read_text("utf-8")
        assert "name: starter:zh-en\n" in recipe
        (folder / "reviews.yaml").write_text(recipe.replace("name: starter:zh-en\n", "name: ./tiny\n"), "utf-8")
        assert main(check) == 0
        assert main([*train, *CHEAP]) == 0
    return folder


def test_make_has_every_target(repository: Path) -> None:
    makefile = (repository / "Makefile").read_text("utf-8")
    found = [words[words.index("make") + 1] for words in commands(repository / README) if "make" in words]
    assert {"quickstart", "test"} <= set(found)
    for target in found:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_torch_is_the_pinned_one(repository: Path) -> None:
    (pip,) = [words for words in commands(repository / README) if words[0].endswith("pip")]
    (torch,) = [word for word in pip if word.startswith("torch==")]
    assert torch in (repository / "constraints.txt").read_text("utf-8").splitlines()


def test_predict(
    desk: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    (predict,) = [words for words in verbs(repository) if words[0] == "predict"]
    assert main([*predict, "--json"]) == 0
    assert [each["text"] for each in json.loads(capfd.readouterr().out)["predictions"]] == predict[2:]


def test_what_a_run_leaves(desk: Path, repository: Path) -> None:
    (listed,) = [body for body in blocks(repository / README, "text") if body.startswith("runs/reviews/")]
    names = {line.split()[0].rstrip("/") for line in listed.splitlines()[1:]}
    assert names == {path.name for path in (desk / "runs" / "reviews").iterdir()}


def test_python(
    desk: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(desk)
    (code,) = blocks(repository / README, "python")
    assert "training.epochs=5" in code
    exec(code.replace("training.epochs=5", 'training.epochs=1", "evaluation.resamples=100'), {})
    assert "runs/five" in capsys.readouterr().out


def test_serve_and_curl(desk: Path, repository: Path) -> None:
    serve, *_others = [words for words in verbs(repository) if words[0] == "serve"]
    (curl,) = [words for words in commands(repository / README) if words[0] == "curl"]
    program = [sys.executable, "-m", "weitiao", *serve, "--port", "0"]
    with subprocess.Popen(program, cwd=desk, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        ready = next(line for line in server.stderr if "http" in line)
        (address,) = re.findall(r"http://[\d.:]+(?= )", ready)
        url = curl[1].replace("http://127.0.0.1:8000", address)
        with urllib.request.urlopen(url, data=curl[curl.index("-d") + 1].encode()) as answer:
            assert json.load(answer)["predictions"][0]["labels"][0] in ("0", "1")
        server.terminate()
        assert server.wait(20) == 0


def test_both_languages_have_the_same_commands_code_and_files(repository: Path) -> None:
    assert commands(repository / README) == commands(repository / CHINESE)
    assert blocks(repository / README, "python") == blocks(repository / CHINESE, "python")
    names = [
        [line.split()[0] for body in blocks(repository / page, "text") for line in body.splitlines()]
        for page in (README, CHINESE)
    ]
    assert names[0] == names[1]
    headings = [re.findall(r"^#+", (repository / page).read_text("utf-8"), re.MULTILINE) for page in (README, CHINESE)]
    assert headings[0] == headings[1]


def test_the_file_tree_is_whole(repository: Path) -> None:
    (tree,) = [body for body in blocks(repository / README, "text") if "src/weitiao/\n" in body]
    listed = {line.split()[0].rstrip("/") for line in tree.splitlines() if not line.startswith(("src", "  "))}
    inner = {line.split()[0].rstrip("/") for line in tree.splitlines() if line.startswith("  ")}
    assert all((repository / name).exists() for name in listed)
    assert all((repository / "src/weitiao" / name).exists() for name in inner)
    package = {path.name for path in (repository / "src/weitiao").iterdir() if path.name != "__pycache__"}
    assert package == inner
    if (repository / ".git").exists():
        tracked = subprocess.run(["git", "ls-files"], cwd=repository, capture_output=True, text=True, check=True).stdout
        assert {line.split("/")[0] for line in tracked.splitlines()} - {"src", ".gitignore"} <= listed
