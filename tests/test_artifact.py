"""Writing: whole or not at all, never over a run, and a full disk is one sentence."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from weitiao import artifact
from weitiao.artifact import (
    RunFolder,
    cache_folder,
    open_run,
    read_json,
    replacing,
    replacing_folder,
    sha256_of,
    storage_guard,
    write_json,
    write_text,
)
from weitiao.errors import Refused, StorageFull


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_and_json_round_trip(tmp_path: Path) -> None:
    write_text(tmp_path / "a" / "t.txt", "一\r\n二\n")
    assert (tmp_path / "a" / "t.txt").read_bytes() == "一\r\n二\n".encode()
    write_json(tmp_path / "j.json", {"label": "正面", "n": 1.5})
    assert read_json(tmp_path / "j.json") == {"label": "正面", "n": 1.5}
    assert "正面" in (tmp_path / "j.json").read_text("utf-8")
    assert names(tmp_path) == ["a", "j.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path: Path) -> None:
    write_text(tmp_path / "t", "old")

    def fail() -> None:
        with replacing(tmp_path / "t") as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "t").read_text() == "old"
    assert names(tmp_path) == ["t"]


def test_a_folder_is_replaced_whole(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with replacing_folder(tmp_path / "model") as beside:
            (beside / "inner").mkdir()
            (beside / "inner" / f"{text}.txt").write_text(text)
            assert not (tmp_path / "model" / "inner" / f"{text}.txt").exists()
    assert names(tmp_path / "model" / "inner") == ["two.txt"]
    assert names(tmp_path) == ["model"]


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "model") as beside:
        (beside / "a").write_text("a")

    def fail() -> None:
        with replacing_folder(tmp_path / "model") as beside:
            (beside / "b").write_text("b")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail()
    assert names(tmp_path / "model") == ["a"]
    assert names(tmp_path) == ["model"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_sentence(tmp_path: Path, code: int) -> None:
    with pytest.raises(StorageFull) as caught, storage_guard(tmp_path / "x"):
        raise OSError(code, os.strerror(code))
    assert str(caught.value) == (f"{tmp_path / 'x'}: the disk is full; what was complete is kept; free some space")


def test_a_full_disk_in_another_librarys_words(tmp_path: Path) -> None:
    with pytest.raises(StorageFull), storage_guard(tmp_path):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(RuntimeError, match="other"), storage_guard(tmp_path):
        raise RuntimeError("other")
    with pytest.raises(FileNotFoundError), storage_guard(tmp_path):
        raise FileNotFoundError(errno.ENOENT, "no such file")


def test_a_really_full_file_system(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(StorageFull), storage_guard(tmp_path), open("/dev/full", "wb", buffering=0) as stream:  # noqa: PTH123
        stream.write(b"x")


def test_a_read_only_place_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(artifact.os, "replace", denied)
    with pytest.raises(Refused) as caught:
        write_text(tmp_path / "t", "x")
    assert str(caught.value) == f"{tmp_path / 't'}: cannot be written (Permission denied)"
    assert names(tmp_path) == []


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "runs" / "a")
    run.claim()
    run.claim()  # still empty
    write_text(run.recipe, "task: classify\n")
    with pytest.raises(Refused) as caught:
        run.claim()
    assert str(caught.value) == (
        f"{run.path}: a run is already there and is never overwritten; set another `output`, "
        f"or resume it with: weitiao train --resume {run.path}"
    )
    with pytest.raises(Refused):
        RunFolder(run.recipe).claim()  # a file is in the way


def test_what_a_killed_process_left_is_no_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    (run.path / ".recipe.yaml.4711.tmp").write_text("task: cla")
    (run.path / ".model.4711.tmp").mkdir()
    (run.path / ".model.4711.old").mkdir()
    (run.path / ".model.4711.old" / "config.json").write_text("{}")
    run.claim()
    assert names(run.path) == []


def test_sweeping_keeps_what_is_not_ours(tmp_path: Path) -> None:
    for name in (".gitignore", ".notes.tmp", ".report.json.7.tmp", "model", "recipe.yaml", "a.12.tmp"):
        (tmp_path / name).write_text("")
    with pytest.raises(Refused, match="a run is already there"):
        RunFolder(tmp_path).claim()
    assert ".report.json.7.tmp" in names(tmp_path)  # a run that is at work there is not disturbed
    RunFolder(tmp_path).sweep()
    assert names(tmp_path) == [".gitignore", ".notes.tmp", "a.12.tmp", "model", "recipe.yaml"]


def test_opening_a_run_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no such run folder; expected the `output` folder of a run"):
        open_run(tmp_path / "no")
    write_text(tmp_path / "rows.csv", "")
    with pytest.raises(Refused, match="a file, not a run folder"):
        open_run(tmp_path / "rows.csv")
    with pytest.raises(Refused, match=r"not a run folder \(no recipe.yaml in it\)"):
        open_run(tmp_path)
    write_text(tmp_path / "ladder" / "int8" / "recipe.yaml", "")
    with pytest.raises(Refused, match=r"not a run folder itself, but it holds 1; name one of them, such as .*int8"):
        open_run(tmp_path / "ladder")
    write_text(tmp_path / "recipe.yaml", "")
    with pytest.raises(Refused, match="the run has no finished model; finish it with: weitiao train --resume"):
        open_run(tmp_path)
    write_json(tmp_path / "model" / "task.json", {})
    assert open_run(str(tmp_path)).path == tmp_path


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "not valid JSON (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))"),
        ("[]", "expected a JSON object"),
    ],
)
def test_unreadable_json(tmp_path: Path, contents: str | None, reason: str) -> None:
    path = tmp_path / "a.json"
    if contents is not None:
        path.write_text(contents)
    with pytest.raises(Refused) as caught:
        read_json(path)
    assert str(caught.value) == f"{path}: {reason}"


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_the_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEITIAO_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("WEITIAO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder() == tmp_path / "x" / "weitiao"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "h"))
    assert cache_folder() == tmp_path / "h" / ".cache" / "weitiao"
