"""The access log: one JSON object a line for each request, and one for what goes wrong inside; no texts unless asked.

A thread of its own writes, so that a full pipe or a slow disk holds up no request; of lines that it cannot keep up with
the number is told in the next one that it writes.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Full, Queue
from typing import Any, TextIO

from weitiao.errors import Refused
from weitiao.messages import _, system_reason

WAITING = 10_000  # lines
STDERR, NOWHERE = "-", "none"


class Journal:
    """Writes lines to a file, to stderr, or nowhere.

    Args:
        where: a file that is appended to; `-` for stderr, `none` for nowhere.
        texts: whether the texts of requests are logged too.

    Raises:
        Refused: the file cannot be written.
    """

    def __init__(self, where: str = NOWHERE, *, texts: bool = False) -> None:
        self.texts = texts
        self._lost = 0
        self._lines: Queue[Mapping[str, Any] | None] = Queue(WAITING)
        self._stream = _opened(where)
        self._thread = threading.Thread(target=self._write_all, name="journal", daemon=True)
        if self._stream is not None:
            self._thread.start()

    def write(self, entry: Mapping[str, Any]) -> None:
        """Leave one line; never waits."""
        if self._stream is None:
            return
        try:
            self._lines.put_nowait({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **entry})
        except Full:
            self._lost += 1

    def close(self) -> None:
        """Write what is left, within a second or two."""
        if self._thread.is_alive():
            with suppress(Full):
                self._lines.put(None, timeout=1)
            self._thread.join(1)

    def _write_all(self) -> None:
        assert self._stream is not None
        while (entry := self._lines.get()) is not None:
            lost, self._lost = self._lost, 0
            line = json.dumps({**entry, **({"lines_lost": lost} if lost else {})}, ensure_ascii=True, default=str)
            with suppress(OSError, ValueError):  # the reader has left; the server goes on
                self._stream.write(line + "\n")
                self._stream.flush()


def _opened(where: str) -> TextIO | None:
    if where == NOWHERE:
        return None
    if where == STDERR:
        return sys.stderr
    try:
        return Path(where).open("a", encoding="utf-8")
    except OSError as error:
        raise Refused(
            _("{path}: the log cannot be written ({reason})").format(path=where, reason=system_reason(error))
        ) from error
