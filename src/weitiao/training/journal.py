"""log.jsonl: one line a logged step or evaluation; a resumed run goes on behind its last checkpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao.artifact import storage_guard, write_text


class Journal:
    """Appends to a log file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append one line."""
        with storage_guard(self.path), self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def rewind(self, step: int) -> None:
        """Drop the lines after `step`, and a half-written last one."""
        kept = [line for line in self._lines() if _step(line) <= step]
        write_text(self.path, "".join(kept))

    def _lines(self) -> list[str]:
        if not self.path.is_file():
            return []
        lines = self.path.read_bytes().decode("utf-8", "replace").split("\n")  # a text may hold U+2028 and its like
        return [f"{line}\n" for line in lines if line]


def steps_told(path: Path) -> tuple[int, int]:
    """The last step and the last evaluation in a log, 0 where there is none."""
    lines = [json.loads(line) for line in Journal(path)._lines() if _step(line) < float("inf")]
    step = max((line["step"] for line in lines if "loss" in line), default=0)
    evaluation = max((line["step"] for line in lines if "train_loss" in line), default=0)
    return step, evaluation


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
