"""API keys: a file of their sha256, who each is for, and how many requests a minute it may make.

A key is 256 bits from the system's generator, so there is nothing to guess that a slow hash would protect: sha256 is
enough, and costs a request nothing. The key itself is shown once, when it is made. A changed file counts within a
second, so a key can be taken away from a server that runs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from weitiao.artifact import read_json, write_json
from weitiao.errors import Refused
from weitiao.messages import _

PREFIX = "wt-"  # by which scanners of repositories know a key
BYTES = 32
PER_MINUTE = 600
FRESH = 1.0  # seconds that the file is not looked at again


class Key(BaseModel):
    """One key, as the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    per_minute: int = Field(gt=0)
    created: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[Key, ...] = ()


def read(path: Path) -> list[Key]:
    """The keys in a file; none where there is no file.

    Raises:
        Refused: it is something else.
    """
    if not path.exists():
        return []
    try:
        return list(_File.model_validate(read_json(path)).keys)
    except ValidationError as error:
        raise Refused(
            _("{path}: no file of keys; make one with: weitiao keys add {path} NAME").format(path=path)
        ) from error


def add(path: Path, name: str, *, per_minute: int = PER_MINUTE) -> str:
    """Make a key, keep its hash, and give the key.

    Raises:
        Refused: there is one of that name, or the file cannot be written.
    """
    keys = read(path)
    if any(key.name == name for key in keys):
        raise Refused(_("{path}: there is a key named '{name}' already; remove it first").format(path=path, name=name))
    if not name.strip() or len(name) > 100 or per_minute < 1:
        raise Refused(_("a key needs a name of at most 100 characters and at least one request a minute"))
    key = PREFIX + secrets.token_urlsafe(BYTES)
    made = Key(
        name=name, sha256=_hash(key), per_minute=per_minute, created=datetime.now(UTC).isoformat(timespec="seconds")
    )
    _write(path, [*keys, made])
    return key


def remove(path: Path, name: str) -> None:
    """Forget a key.

    Raises:
        Refused: there is none of that name.
    """
    keys = read(path)
    left = [key for key in keys if key.name != name]
    if len(left) == len(keys):
        known = ", ".join(key.name for key in keys) or _("none")
        raise Refused(_("{path}: no key named '{name}'; there are: {names}").format(path=path, name=name, names=known))
    _write(path, left)


def _write(path: Path, keys: Sequence[Key]) -> None:
    write_json(path, {"keys": [key.model_dump() for key in keys]})
    path.chmod(0o600)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


class Keyring:
    """The keys of a server, and what each has left of its rate.

    Args:
        path: the file.

    Raises:
        Refused: it is not there, or holds no key.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = read(path)
        self._seen = self._looked = 0.0
        self._left: dict[str, tuple[float, float]] = {}  # name -> requests that are left, when that was
        self._lock = threading.Lock()
        if not self._keys:
            raise Refused(_("{path}: no keys in it; make one with: weitiao keys add {path} NAME").format(path=path))

    def find(self, given: str) -> Key | None:
        """Whose key it is; every key is compared, each in the same time, whatever was given."""
        self._look()
        digest, found = _hash(given), None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def wait(self, key: Key) -> float:
        """Take one request from what the key may do; the seconds until it may, 0 where it did."""
        now = time.monotonic()
        with self._lock:
            left, since = self._left.get(key.name, (float(key.per_minute), now))
            left = min(float(key.per_minute), left + (now - since) * key.per_minute / 60)
            allowed = left >= 1
            self._left[key.name] = (left - allowed, now)
        return 0.0 if allowed else (1 - left) * 60 / key.per_minute

    def _look(self) -> None:
        """Read the file again where it has changed; a file that is broken or gone leaves the keys as they were."""
        now = time.monotonic()
        if now - self._looked < FRESH:
            return
        self._looked = now
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                self._keys, self._seen = read(self._path), changed
        except (OSError, Refused):
            pass


def secret(headers: Any) -> str:
    """The key that a request brings, as `Authorization: Bearer KEY` or `X-API-Key: KEY`; empty without one."""
    scheme, _space, token = str(headers.get("authorization", "")).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else str(headers.get("x-api-key", ""))
