"""A model folder made by hand, for tests that never open weights: config, word tokenizer, and a header over zeros."""

from __future__ import annotations

import json
import math
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

HIDDEN, INNER, DEPTH, POSITIONS = 8, 16, 3, 64
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "service", "the", "was", "a", "not"]


def make_model_folder(folder: Path, *, positions: int = POSITIONS, **config: object) -> Path:
    """Write the folder; its weights are zeros of the right length, so nothing could learn from them."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": 2,
        "max_position_embeddings": positions,
        "type_vocab_size": 2,
        "vocab_size": len(WORDS) + 100,
        "pad_token_id": 0,
        **config,
    }
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")
    make_tokenizer().save(str(folder / "tokenizer.json"))
    _write_header(folder / "model.safetensors", shapes(len(WORDS) + 100, positions))
    return folder


def make_tokenizer() -> Tokenizer:
    """Lower-cased words, and characters for what it does not know."""
    characters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,!?'-")
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys([*WORDS, *characters]))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


def shapes(vocabulary: int, positions: int) -> dict[str, tuple[int, ...]]:
    """Name -> shape, as BERT has them."""
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (vocabulary, HIDDEN),
        "embeddings.position_embeddings.weight": (positions, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        "embeddings.LayerNorm.weight": (HIDDEN,),
        "embeddings.LayerNorm.bias": (HIDDEN,),
        "pooler.dense.weight": (HIDDEN, HIDDEN),
        "pooler.dense.bias": (HIDDEN,),
    }
    inside = {"attention.self.query": HIDDEN, "attention.self.key": HIDDEN, "attention.self.value": HIDDEN}
    for layer in range(DEPTH):
        name = f"encoder.layer.{layer}"
        for part, width in {**inside, "attention.output.dense": HIDDEN, "intermediate.dense": INNER}.items():
            found[f"{name}.{part}.weight"] = (width, HIDDEN)
            found[f"{name}.{part}.bias"] = (width,)
        found[f"{name}.output.dense.weight"] = (HIDDEN, INNER)
        found[f"{name}.output.dense.bias"] = (HIDDEN,)
        for norm in ("attention.output.LayerNorm", "output.LayerNorm"):
            found[f"{name}.{norm}.weight"] = (HIDDEN,)
            found[f"{name}.{norm}.bias"] = (HIDDEN,)
    return found


def _write_header(path: Path, tensors: dict[str, tuple[int, ...]]) -> None:
    header: dict[str, object] = {}
    end = 0
    for name, shape in tensors.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))
