"""A PostgreSQL server of the tests' own, from Debian's packages, on a socket in a folder and on no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def binaries() -> Path:
    """Where `initdb` and `pg_ctl` are; without them tests skip, in CI they fail."""
    beside = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda each: int(each.parts[-3]))
    found = [*beside, *filter(None, [shutil.which("pg_ctl")])]
    if not found:
        reason = "no PostgreSQL (apt-get install postgresql)"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    return Path(found[0]).parent


@contextmanager
def running() -> Iterator[str]:
    """The address of a new server, which is stopped and removed on leaving; it is none for root to run."""
    programs, folder = binaries(), Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # a socket's path is short
    user = pwd.getpwnam("postgres").pw_name if os.getuid() == 0 else None
    if user:
        shutil.chown(folder, user)

    def run(*command: str) -> None:
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=60)

    data = str(folder / "data")
    start = f"-k {folder} -c listen_addresses='' -c fsync=on"
    try:
        run(str(programs / "initdb"), "-D", data, "-U", "weitiao", "-A", "trust", "-E", "UTF8", "--no-sync")
        run(str(programs / "pg_ctl"), "-D", data, "-w", "-o", start, "-l", str(folder / "log"), "start")
        try:
            yield f"postgresql://weitiao@/postgres?host={folder}"
        finally:
            run(str(programs / "pg_ctl"), "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)
