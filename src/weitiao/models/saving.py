"""A network written down as a `model/` folder that stands by itself: weights, tokenizer and task.json."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weitiao.artifact import replacing_folder, write_json
from weitiao.models.network import Network
from weitiao.text import Tokenizer

WEIGHT_FILES = (".safetensors", ".bin", ".gguf", ".onnx", ".h5", ".msgpack", ".pt", ".pth", ".index.json")


def save_model(
    network: Network, card: Mapping[str, Any], folder: Path, *, base: Path | None, tokenizer: Tokenizer | None
) -> None:
    """Write model/: weights, tokenizer and task.json, whole or not at all.

    Args:
        card: task.json.
        base: the pretrained model, whose tokenizer files are copied.
        tokenizer: what to write where those hold no tokenizer.json.
    """
    with replacing_folder(folder) as beside:
        network.save(beside)
        if base is not None:
            copy_tokenizer(base, beside)
        if tokenizer is not None and not (beside / "tokenizer.json").is_file():
            tokenizer.backend.save(str(beside / "tokenizer.json"))
        for name, value in network.files(card["max_length"]).items():
            (beside / name).parent.mkdir(exist_ok=True)
            write_json(beside / name, value)
        write_json(beside / "task.json", card)


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy the tokenizer's files: every small file at the top that is neither weights nor configuration."""
    for path in sorted(source.iterdir()):
        wanted = path.suffix in {".json", ".txt", ".model", ".jinja"} and path.name not in {"config.json", "task.json"}
        if (
            path.is_file()
            and wanted
            and not path.name.endswith(WEIGHT_FILES)
            and not path.name.upper().startswith("README")
        ):
            shutil.copyfile(path, target / path.name)
