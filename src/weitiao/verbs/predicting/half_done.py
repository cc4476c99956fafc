"""The answers to a long file while they are written, kept beside the output: the same call goes on after a stop.

`.NAME.part` has the rows that are answered, `.NAME.part.json` how far it is whole, and of which source and model. What
a killed process wrote beyond that is cut off; another source, model or output begins anew. Once all rows are there the
part becomes the output, so a reader never sees half of it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from weitiao.artifact import fsync, read_json, storage_guard, write_json
from weitiao.errors import Refused
from weitiao.messages import _


@dataclass(slots=True)
class Tally:
    """What came of the parts of a file so far.

    Args:
        parts: that are answered and written.
        rows: in them, faulty ones included.
        faulty: rows without an answer.
        faults: of the first of them.
        truncated: texts of which the model saw only the beginning.
        bytes: that they take in the file.
    """

    parts: int = 0
    rows: int = 0
    faulty: int = 0
    faults: list[str] = field(default_factory=list)
    truncated: int = 0
    bytes: int = 0


class HalfDone:
    """An output on its way.

    Args:
        output: the file that it becomes.
        of: what the answers depend on; JSON-able. None: it is not to be gone on with.
    """

    def __init__(self, output: Path, of: Mapping[str, Any] | None) -> None:
        self._output, self._of = output, None if of is None else dict(of)
        self._part = output.with_name(f".{output.name}.part")
        self._note = output.with_name(f".{output.name}.part.json")
        self._stream: TextIO | None = None
        self.tally = Tally()

    @contextmanager
    def open(self, encoding: str) -> Iterator[TextIO]:
        """Where to write on; becomes the output on leaving, and stays half done after an error.

        Raises:
            Refused: another process writes it.
        """
        with storage_guard(self._output):
            self._output.parent.mkdir(parents=True, exist_ok=True)
            with self._part.open("ab") as raw:
                self._claim(raw.fileno())
                self.tally = self._found()
                os.truncate(self._part, self.tally.bytes)
            try:
                with self._part.open("a", encoding=encoding, errors="backslashreplace", newline="") as stream:
                    self._claim(stream.fileno())
                    self._stream = stream
                    yield stream
                fsync(self._part)
                os.replace(self._part, self._output)
                self._note.unlink(missing_ok=True)
            except BaseException:
                if self._of is None or self.tally.parts == 0:
                    self._forget()
                raise
            fsync(self._output.parent)

    def keep(self) -> None:
        """One part more is written: from here a later call goes on."""
        assert self._stream is not None
        self.tally.parts += 1
        if self._of is not None:
            self._stream.flush()
            self.tally.bytes = os.fstat(self._stream.fileno()).st_size
            write_json(self._note, {"of": self._of, "tally": asdict(self.tally)})

    def _claim(self, handle: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Refused(_("{path}: another process is writing it").format(path=self._output)) from error

    def _found(self) -> Tally:
        """How far an earlier call came with the same question; nothing where there is none."""
        with suppress(Refused, KeyError, TypeError):
            note = read_json(self._note)
            tally = Tally(**note["tally"])
            if note["of"] == self._of and self._part.stat().st_size >= tally.bytes:
                return tally
        return Tally()

    def _forget(self) -> None:
        for path in (self._part, self._note):
            with suppress(OSError):
                path.unlink(missing_ok=True)
