"""`weitiao doctor`: what this machine and installation offer.

Versions are read without importing the packages; only torch is imported, to ask it for its device and threads.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from weitiao import __version__
from weitiao.artifact import cache_folder
from weitiao.machine import cores, cpu_flags, memory
from weitiao.messages import _
from weitiao.verbs.preparing.model_checks import FAST_BF16

PACKAGES = (
    "torch", "transformers", "accelerate", "safetensors", "tokenizers", "numpy", "pydantic", "ruamel.yaml", "typer",
    "rich", "pyarrow", "python-calamine", "scikit-learn", "jinja2", "pandas", "fastapi", "uvicorn", "datasets", "gguf",
)  # fmt: skip


def doctor() -> dict[str, Any]:
    """Versions, machine, starters and folders, ready for JSON."""
    return {
        "machine": {**machine(), **torch_facts()},
        "packages": {name: installed_version(name) for name in PACKAGES},
        "starters": starters(),
        "cache": {"path": str(cache_folder()), "writable": is_writable(cache_folder())},
    }


def machine() -> dict[str, Any]:
    """The computer and the interpreter."""
    return {
        "weitiao": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": cores(),
        "memory_gb": memory_gb(),
    }


def memory_gb() -> float | None:
    """Memory that there is, in GB (10**9 bytes); None where the system does not say."""
    found = memory()
    return None if found is None else round(found / 1e9, 1)


def torch_facts() -> dict[str, Any]:
    """Device, threads and bfloat16 as torch sees them; why not, where it cannot be imported."""
    try:
        import torch
    except ImportError as error:
        return {"device": f"torch cannot be imported ({error})"}
    return {"device": device(), "threads": torch.get_num_threads(), "bf16": bool(FAST_BF16 & cpu_flags())}


def device() -> str:
    """Where models are trained and run: on the CPU, also beside an accelerator."""
    import torch

    found = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""
    return _("cpu ({name} present, not used: weitiao trains on the CPU)").format(name=found) if found else "cpu"


def installed_version(package: str) -> str | None:
    """The version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def starters() -> dict[str, str]:
    """Starter -> 'converted', 'installed' or 'absent'."""
    from weitiao.models.starters import STARTERS, state

    return {name: state(name) for name in STARTERS}


def is_writable(folder: Path) -> bool:
    """Whether files can be made in `folder`, or it can be made itself."""
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)
