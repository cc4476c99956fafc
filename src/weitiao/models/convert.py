"""Old `pytorch_model.bin` weights to safetensors.

A `.bin` file is a pickle, which can run code when it is read; here it is read with `weights_only=True`, which builds
tensors and nothing else, so that a file with more in it is refused. Sharded weights stay sharded. Tensors that share
memory are each written out: a folder then loads the same with and without tied weights. What was written is read
back and compared bit for bit before the folder is put in place.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from weitiao.artifact import read_json, replacing_folder, storage_guard
from weitiao.errors import Failed, Refused
from weitiao.messages import _
from weitiao.models import reference, weights

LEFT_BEHIND = {".bin", ".ckpt", ".h5", ".msgpack", ".onnx", ".ot", ".pt", ".pth", ".safetensors"}


def convert(source: Path | str, target: Path | str) -> Path:
    """Write a copy of the model folder `source` with safetensors weights to `target`; return `target`.

    Args:
        source: a folder, or a reference such as hf:owner/name.
        target: a new folder, or `source` itself to put the new weights beside the old.

    Raises:
        Refused: there are no old weights, they hold more than tensors, or `target` is there already.
    """
    folder, into = reference.locate(str(source), old=True), Path(target)
    old = _old_files(folder)
    if into.exists() and into.resolve() == folder.resolve():
        return _beside(folder, old)
    if into.exists():
        raise Refused(_("{path}: is already there and is never overwritten; name a new folder").format(path=into))
    with replacing_folder(into) as building:
        for each in sorted(folder.iterdir()):
            if each.is_file() and each.suffix not in LEFT_BEHIND and each.name != weights.OLD_INDEX:
                shutil.copyfile(each, building / each.name)
        _write(folder, old, building)
    return into


def _beside(folder: Path, old: Sequence[Path]) -> Path:
    """Put the new files next to the old; the one that makes them count, the index or the only file, comes last."""
    if any((folder / name).exists() for name in (weights.WEIGHTS, weights.INDEX)):
        raise Refused(_("{path}: has safetensors weights already; there is nothing to convert").format(path=folder))
    scratch = folder / ".weitiao-convert"
    with replacing_folder(scratch) as building:
        _write(folder, old, building)
    with storage_guard(folder):
        for each in sorted(scratch.iterdir(), key=lambda path: path.name == weights.INDEX):
            each.replace(folder / each.name)
        scratch.rmdir()
    return folder


def _old_files(folder: Path) -> list[Path]:
    """The `.bin` files of a folder, in order."""
    if (folder / weights.OLD_WEIGHTS).is_file():
        return [folder / weights.OLD_WEIGHTS]
    if (folder / weights.OLD_INDEX).is_file():
        files = [folder / name for name in weights.sharded(folder / weights.OLD_INDEX)]
        missing = [each.name for each in files if not each.is_file()]
        if not missing:
            return files
        raise Refused(
            _("{path}: names weight files that are missing: {names}; download them again").format(
                path=folder / weights.OLD_INDEX, names=", ".join(missing)
            )
        )
    raise Refused(
        _("{folder}: has no old weights to convert; expected {expected} in it").format(
            folder=folder, expected=weights.OLD_WEIGHTS
        )
    )


def _write(folder: Path, old: Sequence[Path], target: Path) -> None:
    """Convert each file of `old` into `target`, and the index where there is one."""
    for path in old:
        tensors = _separate(_load(path))
        written = target / _renamed(path.name)
        save_file(tensors, written, metadata={"format": "pt"})
        shutil.copymode(path, written)  # safetensors makes it readable for its owner only
        _compare(tensors, written)
    if (folder / weights.OLD_INDEX).is_file() and old != [folder / weights.OLD_WEIGHTS]:
        index = read_json(folder / weights.OLD_INDEX)
        index["weight_map"] = {name: _renamed(file) for name, file in index["weight_map"].items()}
        (target / weights.INDEX).write_text(json.dumps(index, indent=2) + "\n", "utf-8")


def _renamed(name: str) -> str:
    """`pytorch_model-00001-of-00002.bin` -> `model-00001-of-00002.safetensors`."""
    return Path(name.replace("pytorch_model", "model")).with_suffix(".safetensors").name


def _load(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.bin` file.

    Raises:
        Refused: it holds more than tensors, or is torn.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise Refused(
            _(
                "{path}: refused, it holds more than weights ({reason}), which could run code; nothing in it was run. "
                "Get the model as safetensors from a source you trust"
            ).format(path=path, reason=_reason(error))
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError) as error:
        raise Refused(
            _("{path}: the weights cannot be read ({reason}); copy or download the file again").format(
                path=path, reason=_reason(error)
            )
        ) from error
    if not isinstance(state, Mapping) or not state or not all(isinstance(each, Tensor) for each in state.values()):
        raise Refused(
            _("{path}: not the weights of a model; expected tensors by name, as save_pretrained wrote them").format(
                path=path
            )
        )
    return {str(name): tensor for name, tensor in state.items()}


def _reason(error: BaseException) -> str:
    """The one useful line of a long message of torch."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if "Unsupported" in line or "GLOBAL" in line]
    return (named or lines or [type(error).__name__])[0]


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, contiguous and none sharing memory with another."""
    seen: set[int] = set()
    separate = {}
    for name, tensor in tensors.items():
        place = tensor.untyped_storage().data_ptr()
        whole = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
        separate[name] = tensor.detach() if whole and place not in seen else tensor.detach().clone().contiguous()
        seen.add(place)
    return separate


def _compare(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Read `path` back; every tensor must be there, bit for bit."""
    again = load_file(path)
    same = again.keys() == tensors.keys() and all(_bits(again[name]).equal(_bits(tensors[name])) for name in tensors)
    if not same:
        raise Failed(_("{path}: what was written differs from its source; check the disk").format(path=path))


def _bits(tensor: Tensor) -> Tensor:
    return tensor.reshape(-1).view(torch.uint8)  # NaN equals NaN here, and 0.0 differs from -0.0
