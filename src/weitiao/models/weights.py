"""What the weight files of a transformers folder hold, told from their headers: no weight is read, no torch needed.

A safetensors file opens with the length of a JSON header that names each tensor, its shape and its place; the places
say how long the file must be, so a torn file is known before anything is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from weitiao.artifact import read_json
from weitiao.errors import Refused
from weitiao.messages import _

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
OLD_WEIGHTS = "pytorch_model.bin"
OLD_INDEX = "pytorch_model.bin.index.json"
FOREIGN = {"tf_model.h5": "TensorFlow", "flax_model.msgpack": "Flax", "model.onnx": "ONNX"}

LONGEST_HEADER = 100_000_000  # bytes; the limit of the safetensors library
POINTER = b"version https://git-lfs"

Shape = tuple[int, ...]


def parameters(folder: Path) -> dict[str, Shape]:
    """Name and shape of every tensor in a transformers folder.

    Raises:
        Refused: there are no safetensors weights, a shard is missing, or a file is torn.
    """
    found: dict[str, Shape] = {}
    for path in weight_files(folder):
        found.update(read_header(path))
    return found


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder, in order.

    Raises:
        Refused: there are none, or a shard that the index names is missing.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise Refused(_no_weights(folder))
    shards = [folder / name for name in sharded(folder / INDEX)]
    missing = [path.name for path in shards if not path.is_file()]
    if missing:
        raise Refused(
            _("{path}: names weight files that are missing: {names}; download them again").format(
                path=folder / INDEX, names=", ".join(missing)
            )
        )
    return shards


def sharded(index: Path) -> list[str]:
    """File names in an index of sharded weights, sorted, each once.

    Raises:
        Refused: it is no such index.
    """
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(name, str) for name in places.values()):
        raise Refused(_("{path}: no `weight_map` of tensor names to file names in it").format(path=index))
    return sorted(set(places.values()))


def read_header(path: Path) -> dict[str, Shape]:
    """Name and shape of every tensor in a safetensors file.

    Raises:
        Refused: the file is torn, or no safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = _header_length(path, stream.read(len(POINTER)), size)
        stream.seek(8)
        header = _parsed(path, stream.read(length))
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    try:
        end = 8 + length + max((int(entry["data_offsets"][1]) for entry in entries.values()), default=0)
        shapes = {name: tuple(int(each) for each in entry["shape"]) for name, entry in entries.items()}
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Refused(_broken(path)) from error
    if size != end:
        raise Refused(_torn(path, size, end))
    return shapes


def _header_length(path: Path, start: bytes, size: int) -> int:
    """Bytes of the JSON header, which must lie within the file."""
    if start == POINTER:
        raise Refused(_("{path}: a Git LFS pointer, not the weights; fetch them with: git lfs pull").format(path=path))
    length = int.from_bytes(start[:8], "little")
    if length > LONGEST_HEADER:
        raise Refused(_broken(path))
    if size < 8 + length:
        raise Refused(_torn(path, size, 8 + length))
    return length


def _parsed(path: Path, header: bytes) -> Mapping[str, dict[str, list[int]]]:
    try:
        value = json.loads(header)
    except ValueError as error:
        raise Refused(_broken(path)) from error
    if not isinstance(value, dict):
        raise Refused(_broken(path))
    return value


def _torn(path: Path, size: int, expected: int) -> str:
    return _(
        "{path}: the weights are torn: {size} bytes, where the header asks for {expected}; copy or download it again"
    ).format(path=path, size=size, expected=expected)


def _broken(path: Path) -> str:
    return _("{path}: not a safetensors file (its header cannot be read); copy or download it again").format(path=path)


def _no_weights(folder: Path) -> str:
    if (folder / OLD_WEIGHTS).is_file() or (folder / OLD_INDEX).is_file():
        old = OLD_WEIGHTS if (folder / OLD_WEIGHTS).is_file() else OLD_INDEX
        return _(
            "{folder}: holds old weights only ({old}), which are not loaded because they can carry code; "
            "convert them with: weitiao models convert {folder} {folder}-safetensors"
        ).format(folder=folder, old=old)
    for name, framework in FOREIGN.items():
        if (folder / name).is_file():
            return _("{folder}: holds {framework} weights only ({name}); expected {expected}").format(
                folder=folder, framework=framework, name=name, expected=WEIGHTS
            )
    return _("{folder}: has no weights; expected {expected} beside config.json").format(folder=folder, expected=WEIGHTS)
