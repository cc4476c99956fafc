"""The folder a run leaves, and how anything is written into it: beside, fsynced, renamed.

    runs/<name>/
      recipe.yaml  data.json  log.jsonl  checkpoints/  model/  report.json  report.html  README.md  predictions.jsonl
      drift.json
      trackers/  where any are wanted

A reader never sees half a file; a full disk ends in `StorageFull` with what was complete still there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weitiao.errors import Refused, StorageFull
from weitiao.messages import _, system_reason

ADAPTER_CARD, ADAPTER_WEIGHTS = "adapter.json", "adapter.safetensors"  # in `adapter/`, what a method learnt by itself


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Names inside one run."""

    path: Path

    @property
    def recipe(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def adapter(self) -> Path:
        """What was learnt, without the base; only of methods that leave most of the base alone."""
        return self.path / "adapter"

    @property
    def compression(self) -> Path:
        """What was done to the model since training; only of what `weitiao compress` made."""
        return self.path / "compression.json"

    @property
    def report(self) -> Path:
        return self.path / "report.json"

    @property
    def page(self) -> Path:
        return self.path / "report.html"

    @property
    def card(self) -> Path:
        return self.path / "README.md"

    @property
    def predictions(self) -> Path:
        """Answers on the test split (dev where there is none), one JSON object a line, in row order."""
        return self.path / "predictions.jsonl"

    def refuse_if_taken(self) -> None:
        """See that a new run can go here; what a killed process left half-written is nothing.

        Raises:
            Refused: the folder exists and is not empty.
        """
        if self.path.exists() and not (self.path.is_dir() and all(map(_half_written, self.path.iterdir()))):
            raise Refused(
                _(
                    "{path}: a run is already there and is never overwritten; set another `output`, "
                    "or resume it with: weitiao train --resume {path}"
                ).format(path=self.path)
            )

    def claim(self) -> None:
        """Make the folder for a new run.

        Raises:
            Refused: it exists and is not empty.
        """
        self.refuse_if_taken()
        with storage_guard(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self.sweep()

    def sweep(self) -> None:
        """Remove what a killed process left half-written: `.NAME.PID.tmp` and `.NAME.PID.old`."""
        for path in self.path.iterdir():
            if _half_written(path):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    with suppress(OSError):
                        path.unlink()


def _half_written(path: Path) -> bool:
    return re.fullmatch(r"\..+\.\d+\.(tmp|old)", path.name) is not None


def open_run(path: Path | str) -> RunFolder:
    """An existing, finished run.

    Raises:
        Refused: the folder is missing, is no run, or has no model yet.
    """
    run = RunFolder(Path(path))
    if run.path.is_file():
        raise Refused(_("{path}: a file, not a run folder; expected the `output` folder of a run").format(path=path))
    if not run.path.is_dir():
        raise Refused(_("{path}: no such run folder; expected the `output` folder of a run").format(path=path))
    if not run.recipe.is_file():
        if inside := sorted(str(each.parent) for each in run.path.glob("*/recipe.yaml")):
            message = _("{path}: not a run folder itself, but it holds {count}; name one of them, such as {first}")
            raise Refused(message.format(path=path, count=len(inside), first=inside[0]))
        raise Refused(_("{path}: not a run folder (no recipe.yaml in it)").format(path=path))
    if not (run.model / "task.json").is_file():
        raise Refused(
            _("{path}: the run has no finished model; finish it with: weitiao train --resume {path}").format(path=path)
        )
    return run


@contextmanager
def storage_guard(path: Path) -> Iterator[None]:
    """Turn a full disk or a read-only folder into one clear sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(_full(path)) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise Refused(
                _("{path}: cannot be written ({reason})").format(path=path, reason=system_reason(error))
            ) from error
        raise
    except Exception as error:  # safetensors raises its own type, with the operating system's words inside
        if "No space left on device" in str(error) or "os error 28" in str(error) or "File too large" in str(error):
            raise StorageFull(_full(path)) from error
        raise


def _full(path: Path) -> str:
    return _("{path}: the disk is full; what was complete is kept; free some space").format(path=path)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file to write beside `path`; on leaving, fsynced and renamed onto it, or removed after an error."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_guard(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
            fsync(beside)
            os.replace(beside, path)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise
        fsync(path.parent)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A folder to fill beside `path`; on leaving, every file is fsynced and the folder renamed onto it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with storage_guard(path):
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        try:
            yield beside
            for each in sorted(beside.rglob("*")):
                if each.is_file():  # safetensors writes for the owner alone; give files what folders get from the umask
                    each.chmod(beside.stat().st_mode & 0o666)
                fsync(each)
            fsync(beside)
            if path.exists():
                old = path.with_name(f".{path.name}.{os.getpid()}.old")
                os.replace(path, old)
                os.replace(beside, path)
                shutil.rmtree(old, ignore_errors=True)
            else:
                os.replace(beside, path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        fsync(path.parent)


def fsync(path: Path) -> None:
    """Force a file's or folder's contents to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all (UTF-8, LF)."""
    with replacing(path) as beside:
        beside.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write a JSON file whole or not at all."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Refused: the file is missing or is no JSON object.
    """
    try:
        value = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Refused(_("{path}: cannot be read ({reason})").format(path=path, reason=system_reason(error))) from error
    except ValueError as error:
        raise Refused(_("{path}: not valid JSON ({reason})").format(path=path, reason=error)) from error
    if not isinstance(value, dict):
        raise Refused(_("{path}: expected a JSON object").format(path=path))
    return value


def sha256_of(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where converted starters and the like are kept: $WEITIAO_CACHE, else weitiao/ under the user's cache folder."""
    chosen = os.environ.get("WEITIAO_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weitiao"
