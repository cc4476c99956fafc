"""SmolLM2-135M-Instruct from its Q4_1 GGUF file, as an ordinary fp32 transformers folder.

transformers reads the file (10 s for the tokenizer, 26 s for the weights on one core), so this is done once.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from weitiao.errors import MissingExtra


def convert(source: Path, folder: Path) -> None:
    """Write the transformers folder of the GGUF file `source`.

    Args:
        source: the package's file.
        folder: an existing, empty folder.

    Raises:
        MissingExtra: the package `gguf` is not installed.
    """
    if find_spec("gguf") is None:
        raise MissingExtra("gguf", "starters")
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    place, file = str(source.parent), source.name
    AutoTokenizer.from_pretrained(place, gguf_file=file, local_files_only=True).save_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(
        place,
        gguf_file=file,
        dtype="float32",
        quantization_config=GgufConfig(dequantize=True),  # else it trains but cannot be saved (transformers 5.23)
        local_files_only=True,
    )
    model.save_pretrained(folder)
