"""Which model families the installed transformers knows, told from its source text: no import, so no torch.

Its tables are plain lists of (model_type, class name) in one file; reading them takes a millisecond where importing
them takes seconds. Where the file does not look as expected, nothing is claimed and the check is left to the build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BACKBONES = "MODEL_MAPPING_NAMES"
STOCK: Mapping[str, str] = {  # Auto class -> its table
    "AutoModelForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "AutoModelForMaskedLM": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "AutoModelForQuestionAnswering": "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES",
    "AutoModelForSequenceClassification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES",
    "AutoModelForTokenClassification": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES",
}


def entailment(names: Mapping[Any, str]) -> int | None:
    """Index of the class 'entailment' among those that a config names (`id2label`); None where it names none so."""
    found = [int(index) for index, name in names.items() if str(name).casefold().startswith("entail")]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=8)
def families(table: str = BACKBONES) -> frozenset[str]:
    """Values of `model_type` in one of transformers' tables; empty when it cannot be told."""
    found = re.search(rf"^{table} = OrderedDict\((.*?)^\)", _source(), re.MULTILINE | re.DOTALL)
    return frozenset(re.findall(r'\(\s*"([\w.-]+)",\s*[("]', found.group(1))) if found else frozenset()


def known(model_type: str, table: str = BACKBONES) -> bool:
    """Whether `model_type` is in the table; true as well when the table cannot be read."""
    return not families(table) or model_type in families(table)


@lru_cache(maxsize=8)
def attends_by_interface(model_type: str) -> bool:
    """Whether the family's attention can be replaced (`models.backbone`); true as well when that cannot be told."""
    name = model_type.replace("-", "_")
    source = _text(f"{name}/modeling_{name}.py")
    return not source or all(f"{each} = True" in source for each in ("_supports_sdpa", "_supports_attention_backend"))


@lru_cache(maxsize=1)
def _source() -> str:
    return _text("auto/modeling_auto.py")


def _text(name: str) -> str:
    """A file under transformers' models; empty where there is none."""
    spec = find_spec("transformers")
    if spec is None or spec.origin is None:
        return ""
    path = Path(spec.origin).parent / "models" / name
    return path.read_text("utf-8") if path.is_file() else ""
