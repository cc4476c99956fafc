"""A run by its recipe alone: `weitiao train` through the command line, in the folder of the data sets."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import corpora

QUICK = ("training.max_steps=5", "evaluation.resamples=200")


def train(recipe: str, workspace: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """What the run said: its report, its seconds, and how its files were read."""
    own = Path(tempfile.mkdtemp(dir=workspace))
    path, output = own / "recipe.yaml", own / "run"
    path.write_text(recipe, "utf-8")
    words = ["train", str(path), f"output={output}", *overrides, "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "weitiao", *words],
        cwd=corpora.shared_folder(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    said = json.loads(done.stdout)
    files = json.loads((output / "data.json").read_text("utf-8"))["files"]
    read_as = sorted({", ".join(filter(None, (each["format"], each["encoding"]))) for each in files})
    return {"report": said["report"], "seconds": said["seconds"], "read_as": read_as}


def interval(score: dict[str, float], *, signed: bool = False) -> str:
    """`0.873 [0.856, 0.890]`."""
    sign = "+" if signed else ""
    return f"{score['value']:{sign}.3f} [{score['low']:{sign}.3f}, {score['high']:{sign}.3f}]"
