"""Which version of a model answers: name of its folder and digest of its weights, as `reviews@3f1c0a5be2d49c07`.

A run that was promoted, compressed or trained again has another one, and a copied one keeps its digest.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from weitiao.artifact import ADAPTER_CARD, RunFolder
from weitiao.serving.cards import TASK_FILE

WEIGHTS = ("*.safetensors", "*.onnx", "*.onnx.data", "*.bin")
DIGITS = 16


@cache
def version_of(folder: Path) -> str:
    """The version in a run folder, or in a `model/` or `adapter/` folder; read once a process."""
    inner = any((folder / card).is_file() for card in (TASK_FILE, ADAPTER_CARD))
    run, weights = (folder.resolve().parent, folder) if inner else (folder.resolve(), RunFolder(folder).model)
    digest = hashlib.sha256()
    for path in sorted({path for pattern in WEIGHTS for path in weights.glob(pattern)}):
        with path.open("rb") as stream:
            digest.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return f"{run.name}@{digest.hexdigest()[:DIGITS]}"
