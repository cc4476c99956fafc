"""Tiny models with random weights, for tests: `tiny("bert", folder)` writes an ordinary transformers folder.

One per kind of backbone that differs in something that matters to fitting: position scheme, segment ids, shared
layers, where the pooled token is, whether there is a decoder. Each comes with a tokenizer trained on the spot (word
pieces or byte-level pairs) with the family's own special tokens. Nothing is downloaded; the same arguments give the
same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

from weitiao.errors import Refused
from weitiao.messages import _
from weitiao.models.quiet import quiet
from weitiao.tables import did_you_mean

TEXTS: Sequence[str] = (
    "The quick brown fox jumps over the lazy dog.",
    "A warm, funny and moving film; I would watch it again.",
    "Dull, overlong and badly acted: two hours I will not get back.",
    "Delivery took three days, and the parcel arrived damaged!",
    "这本书很好看，推荐给大家。",
    "酒店房间太小，服务态度也不好，不会再来了。",
    "送餐很快，味道不错，就是有点贵。",
    "质量太差了！用了两天就坏了，再也不买。",
)
POSITIONS = 128
HEADED = {
    "": AutoModel,
    "masked": AutoModelForMaskedLM,
    "causal": AutoModelForCausalLM,
    "entails": AutoModelForSequenceClassification,
}
INFERENCE = ("contradiction", "neutral", "entailment")  # classes of a model that entails


@dataclass(frozen=True, slots=True)
class Specials:
    """The family's special tokens, by the names transformers gives the roles, and how a text is wrapped in them."""

    roles: Mapping[str, str]
    single: str
    pair: str


BERT_LIKE = Specials(
    {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"},
    "[CLS] $A [SEP]",
    "[CLS] $A [SEP] $B:1 [SEP]:1",
)
ROBERTA_LIKE = Specials(
    {
        "bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>",
        "cls_token": "<s>", "sep_token": "</s>",
    },
    "<s> $A </s>",
    "<s> $A </s> </s> $B </s>",
)  # fmt: skip
XLNET_LIKE = Specials(
    {
        "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "sep_token": "<sep>", "pad_token": "<pad>",
        "cls_token": "<cls>", "mask_token": "<mask>",
    },
    "$A <sep> <cls>:2",
    "$A <sep> $B:1 <sep>:1 <cls>:2",
)  # fmt: skip
GPT2_LIKE = Specials({"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}, "$A", "$A $B")
LLAMA_LIKE = Specials({"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}, "<s> $A", "<s> $A <s> $B")
T5_LIKE = Specials({"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}, "$A </s>", "$A </s> $B </s>")


@dataclass(frozen=True, slots=True)
class Family:
    """How a tiny model of one family is made.

    Args:
        pieces: kind of tokenizer.
        specials: its special tokens.
        sizes: (layers, hidden) -> what its config takes.
        segments: whether its tokenizer hands out token_type_ids.
        start: role of the token that opens the decoder's input; empty where there is no separate decoder.
    """

    pieces: Literal["word", "byte"]
    specials: Specials
    sizes: Callable[[int, int], dict[str, Any]]
    segments: bool = False
    start: str = ""


def _encoder(layers: int, hidden: int) -> dict[str, Any]:
    return {
        "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": 4, "intermediate_size": 2 * hidden,
        "max_position_embeddings": POSITIONS,
    }  # fmt: skip


def _albert(layers: int, hidden: int) -> dict[str, Any]:
    return {**_encoder(layers, hidden), "embedding_size": hidden // 2}


def _electra(layers: int, hidden: int) -> dict[str, Any]:
    return {**_encoder(layers, hidden), "embedding_size": hidden // 2}


def _roberta(layers: int, hidden: int) -> dict[str, Any]:
    return {**_encoder(layers, hidden), "max_position_embeddings": POSITIONS + 2, "type_vocab_size": 1}


def _deberta(layers: int, hidden: int) -> dict[str, Any]:
    return {
        **_encoder(layers, hidden), "relative_attention": True, "position_buckets": 16, "pos_att_type": ["p2c", "c2p"],
        "norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False, "type_vocab_size": 0,
    }  # fmt: skip


def _modernbert(layers: int, hidden: int) -> dict[str, Any]:
    return {**_encoder(layers, hidden), "local_attention": 16, "global_attn_every_n_layers": 2}


def _distilbert(layers: int, hidden: int) -> dict[str, Any]:
    return {
        "n_layers": layers, "dim": hidden, "n_heads": 4, "hidden_dim": 2 * hidden, "max_position_embeddings": POSITIONS,
    }  # fmt: skip


def _gpt2(layers: int, hidden: int) -> dict[str, Any]:
    return {"n_layer": layers, "n_embd": hidden, "n_head": 4, "n_positions": POSITIONS}


def _llama(layers: int, hidden: int) -> dict[str, Any]:
    return {**_encoder(layers, hidden), "num_key_value_heads": 2}


def _t5(layers: int, hidden: int) -> dict[str, Any]:
    return {
        "num_layers": layers, "num_decoder_layers": layers, "d_model": hidden, "d_kv": hidden // 4, "num_heads": 4,
        "d_ff": 2 * hidden,
    }  # fmt: skip


def _xlnet(layers: int, hidden: int) -> dict[str, Any]:
    return {"n_layer": layers, "d_model": hidden, "n_head": 4, "d_inner": 2 * hidden}


def _bart(layers: int, hidden: int) -> dict[str, Any]:
    wide = 2 * hidden
    return {
        "encoder_layers": layers, "decoder_layers": layers, "d_model": hidden, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": wide, "decoder_ffn_dim": wide,
        "max_position_embeddings": POSITIONS,
    }  # fmt: skip


FAMILIES: Mapping[str, Family] = {
    "albert": Family("word", BERT_LIKE, _albert, segments=True),
    "bart": Family("byte", ROBERTA_LIKE, _bart, start="eos_token"),
    "bert": Family("word", BERT_LIKE, _encoder, segments=True),
    "deberta-v2": Family("word", BERT_LIKE, _deberta),
    "distilbert": Family("word", BERT_LIKE, _distilbert),
    "electra": Family("word", BERT_LIKE, _electra, segments=True),
    "gpt2": Family("byte", GPT2_LIKE, _gpt2),
    "llama": Family("byte", LLAMA_LIKE, _llama),
    "modernbert": Family("byte", BERT_LIKE, _modernbert),
    "roberta": Family("byte", ROBERTA_LIKE, _roberta),
    "t5": Family("byte", T5_LIKE, _t5, start="pad_token"),
    "xlm-roberta": Family("byte", ROBERTA_LIKE, _roberta),
    "xlnet": Family("byte", XLNET_LIKE, _xlnet, segments=True),
}


def tiny(
    family: str,
    folder: Path | str,
    *,
    texts: Sequence[str] = TEXTS,
    layers: int = 2,
    hidden: int = 32,
    vocabulary: int = 400,
    seed: int = 0,
    speaks: Literal["", "masked", "causal", "entails"] = "",
    **config: Any,
) -> Path:
    """Write a tiny model of `family`, without a task's head, and its tokenizer; return the folder.

    Args:
        family: a key of `FAMILIES`.
        folder: made when missing.
        texts: what the tokenizer is trained on.
        layers: in each of encoder and decoder.
        hidden: width; a multiple of 8.
        vocabulary: pieces at most.
        seed: of the random weights; the global random state is left alone.
        speaks: with the head of a masked or causal language model, or of inference; empty for the bare model.
        config: further entries of the family's config, such as a dropout rate.
    """
    if family not in FAMILIES:
        raise Refused(
            _("unknown tiny model '{family}'; expected one of: {names}{hint}").format(
                family=family, names=", ".join(FAMILIES), hint=did_you_mean(family, FAMILIES)
            )
        )
    made, path = FAMILIES[family], Path(folder)
    tokenizer = _tokenizer(made, texts, vocabulary)
    settings = {**_ids(made, tokenizer), **made.sizes(layers, hidden), **config}
    if speaks == "entails":
        settings["id2label"] = dict(enumerate(INFERENCE))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shape = AutoConfig.for_model(family, vocab_size=len(tokenizer), **settings)
        model = HEADED[speaks].from_config(shape)  # type: ignore[no-untyped-call]
    tokenizer.save_pretrained(path)
    with quiet():
        model.save_pretrained(path)
    return path


def _tokenizer(family: Family, texts: Sequence[str], vocabulary: int) -> PreTrainedTokenizerFast:
    names = list(dict.fromkeys(family.specials.roles.values()))
    backend = _word_pieces(texts, vocabulary, names) if family.pieces == "word" else _bytes(texts, vocabulary, names)
    backend.post_processor = processors.TemplateProcessing(
        single=family.specials.single,
        pair=family.specials.pair,
        special_tokens=[(name, backend.token_to_id(name)) for name in names],
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"] if family.segments else ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend, model_max_length=POSITIONS, model_input_names=inputs, **family.specials.roles
    )


def _word_pieces(texts: Sequence[str], vocabulary: int, specials: Sequence[str]) -> Tokenizer:
    """BERT's: Chinese characters apart, lower case, `##` continues a word.

    The pieces are all characters, then the commonest words: the library's trainer orders ties by chance.
    """
    normalizer, splitter = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    words = Counter(word for text in texts for word, _span in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    characters = sorted({character for word in words for character in word})
    common = sorted(words, key=lambda word: (-words[word], word))
    names = dict.fromkeys([*specials, *characters, *(f"##{each}" for each in characters), *common])
    pieces = {name: index for index, name in enumerate(list(names)[:vocabulary])}
    backend = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer, backend.decoder = normalizer, splitter, decoders.WordPiece()
    backend.add_special_tokens(_added(specials))
    return backend


def _bytes(texts: Sequence[str], vocabulary: int, specials: Sequence[str]) -> Tokenizer:
    """GPT-2's: pairs of bytes, so that no text is unknown."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=_added(specials), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    backend.train_from_iterator(texts, trainer)
    return backend


def _added(names: Sequence[str]) -> list[AddedToken]:
    return [AddedToken(name, special=True, normalized=False) for name in names]


def _ids(family: Family, tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    """`pad_token_id` and its like, for the config; families that never pad get none."""
    roles = dict(family.specials.roles)
    if "cls_token" in roles:  # ModernBERT's config wants the same two under both names
        roles = {"bos_token": roles["cls_token"], "eos_token": roles["sep_token"], **roles}
    vocabulary = tokenizer.get_vocab()
    wanted = ("pad_token", "bos_token", "eos_token", "cls_token", "sep_token")
    ids = {f"{role}_id": vocabulary[roles[role]] for role in wanted if role in roles}
    return {**ids, "decoder_start_token_id": vocabulary[roles[family.start]]} if family.start else ids
