"""Converted starters in the user's cache: made once, atomically, and remade when torn.

A folder is complete when its `starter.json` lists every file with its size, and each is there with that size; a
file whose time of change differs from the list is compared by sha256 too. Processes that want the same folder at the
same time wait for the first one's conversion.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from weitiao.artifact import cache_folder, replacing_folder, sha256_of, storage_guard

STAMP = "starter.json"


def folder(name: str, version: str, options: Mapping[str, object], convert: Callable[[Path], None]) -> Path:
    """The cached folder of a starter; `convert` fills it when it is missing or torn."""
    path = place(name, version, options)
    if intact(path):
        return path
    with storage_guard(path):
        from filelock import FileLock  # at use: its import costs `check` more than reading a small file

        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            if not intact(path):
                with replacing_folder(path) as beside:
                    convert(beside)
                    _stamp(beside, {"name": name, "version": version, "options": dict(options)})
    return path


def place(name: str, version: str, options: Mapping[str, object]) -> Path:
    """Where the folder of a starter is or will be; another conversion has another name."""
    digest = hashlib.sha256(json.dumps(options, sort_keys=True).encode()).hexdigest()
    return cache_folder() / "starters" / f"{name}-{version}-{digest[:8]}"


def intact(path: Path) -> bool:
    """Whether every file that the folder's stamp lists is there as it was written."""
    try:
        stamp = json.loads((path / STAMP).read_text("utf-8"))
        return all(_unchanged(path / name, facts) for name, facts in stamp["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _unchanged(path: Path, facts: Mapping[str, Any]) -> bool:
    status = path.stat()
    if status.st_size != facts["size"]:
        return False
    return bool(status.st_mtime_ns == facts["mtime_ns"] or sha256_of(path) == facts["sha256"])


def _stamp(path: Path, facts: Mapping[str, object]) -> None:
    files = {
        each.name: {"size": each.stat().st_size, "mtime_ns": each.stat().st_mtime_ns, "sha256": sha256_of(each)}
        for each in sorted(path.iterdir())
    }
    (path / STAMP).write_text(json.dumps({**facts, "files": files}, indent=2) + "\n", "utf-8")
