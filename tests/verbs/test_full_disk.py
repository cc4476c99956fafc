"""A disk that fills up while a checkpoint is written: one sentence, and a run that can be gone on with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML
from tests.verbs.trained import recipe

import weitiao

LARGEST = 40_000  # bytes a file: recipe, data and log fit, a checkpoint's weights do not
LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from weitiao.cli import main
sys.exit(main(sys.argv[2:]))
"""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "LANGUAGE": "en",
               "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip


def test_a_full_disk_is_one_sentence_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    made = recipe(tmp_path)
    made["training"] = {**made["training"], "epochs": 2}
    YAML().dump(made, tmp_path / "recipe.yaml")
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(LARGEST), "train", str(tmp_path / "recipe.yaml")],
        env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    run = tmp_path / "run"
    assert done.returncode == 1, done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert sentence == (
        f"error: {run / 'checkpoints/step-00000008'}: the disk is full; what was complete is kept; free some space; "
        f"go on with: weitiao train --resume {run}"
    )
    assert list((run / "checkpoints").iterdir()) == []
    resumed = weitiao.train(resume=run)
    straight = weitiao.train({**made, "output": str(tmp_path / "straight")})
    for name in ("model/model.safetensors", "predictions.jsonl", "log.jsonl"):
        assert (resumed.path / name).read_bytes() == (straight.path / name).read_bytes()
