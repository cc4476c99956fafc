"""A trimmed tokenizer cuts what it covers as before, of every kind of pieces."""

from __future__ import annotations

import random

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from weitiao.compression.pieces import Pieces, built, scripts_of
from weitiao.errors import Refused

TEXTS = [
    "the quick brown fox jumps over the lazy dog", "a warm funny and moving film", "dull overlong and badly acted",
    "delivery took three days and the parcel arrived damaged", "这本书很好看 推荐给大家", "酒店房间太小 服务态度也不好",
] * 3  # fmt: skip
OTHERS = ["the dog took the film", "badly damaged parcel ♥", "房间很好", "quickest lazier q", "überall"]


def _bpe(*, bytes_: bool, **options: object) -> Tokenizer:
    backend = Tokenizer(models.BPE(unk_token=None if bytes_ else "[UNK]", **options))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel() if bytes_ else pre_tokenizers.Whitespace()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if bytes_ else []
    trainer = trainers.BpeTrainer(
        vocab_size=380 if bytes_ else 160, special_tokens=["[UNK]", "[PAD]"], show_progress=False,
        initial_alphabet=alphabet, **{key: value for key, value in options.items() if "fix" in key},
    )  # fmt: skip
    backend.train_from_iterator(TEXTS, trainer)
    backend.decoder = decoders.ByteLevel() if bytes_ else None
    return backend


def _unigram() -> Tokenizer:
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=120, special_tokens=["<unk>", "<pad>"], unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(TEXTS, trainer)
    return backend


def _word_piece() -> Tokenizer:
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=["[UNK]", "[PAD]"], show_progress=False)
    backend.train_from_iterator(TEXTS, trainer)
    return backend


def _words() -> Tokenizer:
    backend = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.train_from_iterator(TEXTS, trainers.WordLevelTrainer(special_tokens=["[UNK]"], show_progress=False))
    return backend


KINDS = {
    "bytes": lambda: _bpe(bytes_=True),
    "bpe": lambda: _bpe(bytes_=False),
    "bpe with marks": lambda: _bpe(bytes_=False, continuing_subword_prefix="##", end_of_word_suffix="</w>"),
    "unigram": _unigram,
    "word pieces": _word_piece,
    "words": _words,
}


@pytest.mark.parametrize("kind", KINDS)
def test_covered_texts_are_cut_as_before(kind: str) -> None:
    backend = KINDS[kind]()
    pieces, rng = Pieces.of(backend), random.Random(1)
    words = sorted({word for text in TEXTS for word in text.split(" ")})
    for _round in range(8):
        some = [" ".join(rng.choices(words, k=4)) for _text in range(3)]
        kept = sorted(pieces.closed({index for text in some for index in backend.encode(text).ids}))
        new = {old: place for place, old in enumerate(kept)}
        trimmed = built(pieces.trimmed(new))
        assert trimmed.get_vocab_size() == len(kept) < backend.get_vocab_size()
        covered = [
            text for text in [*some, *TEXTS, *OTHERS, *("".join(rng.choices("thequick ", k=9)) for _each in range(30))]
            if set(backend.encode(text).ids) <= set(kept) and "UNK" not in str(backend.encode(text).tokens)
        ]  # fmt: skip
        assert set(some) <= set(covered)
        for text in covered:
            before, after = backend.encode(text), trimmed.encode(text)
            assert [new[index] for index in before.ids] == after.ids, text
            assert before.offsets == after.offsets and before.tokens == after.tokens


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"words"}))
def test_with_all_characters_no_text_gets_unknown(kind: str) -> None:
    backend = KINDS[kind]()
    pieces = Pieces.of(backend)
    kept = sorted(pieces.closed(pieces.characters()))
    trimmed = built(pieces.trimmed({old: place for place, old in enumerate(kept)}))
    for text in [*TEXTS, *OTHERS]:
        unknown = [sum("unk" in token.lower() for token in each.encode(text).tokens) for each in (backend, trimmed)]
        assert unknown[1] <= unknown[0], text


def test_words_that_are_unknown_stay_unknown() -> None:
    vocabulary = {name: place for place, name in enumerate(["[UNK]", "a", "ab", "##bd", "##c"])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    pieces = Pieces.of(backend)
    assert backend.encode("abd").tokens == ["[UNK]"]
    lost = built(pieces.trimmed({0: 0, 1: 1, 3: 2}))
    assert lost.encode("abd").tokens == ["a", "##bd"]  # why parts are kept
    kept = sorted(pieces.closed({1} | pieces.inside(["abd"])))
    assert built(pieces.trimmed({old: place for place, old in enumerate(kept)})).encode("abd").tokens == ["[UNK]"]


def test_the_price_of_unknown_characters_stays() -> None:
    entries = [("<unk>", 0.0), ("a", -1.0), ("b", -2.0), ("zz", -40.0)]
    pieces = Pieces.of(Tokenizer(models.Unigram(entries, unk_id=0)))
    assert pieces.closed({1}) == {0, 1, 3}


def test_ids_around_a_text_are_renumbered() -> None:
    from tokenizers import processors

    backend = _word_piece()
    cls, sep = backend.token_to_id("fox") or 0, backend.token_to_id("[PAD]")
    backend.post_processor = processors.BertProcessing(("[PAD]", sep), ("fox", cls))
    pieces = Pieces.of(backend)
    kept = sorted(pieces.closed(set(backend.encode("dog").ids)))
    trimmed = built(pieces.trimmed({old: place for place, old in enumerate(kept)}))
    assert trimmed.encode("dog").tokens == backend.encode("dog").tokens


def test_pieces_of_another_kind_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weitiao.compression.pieces.KINDS", ("BPE",))
    with pytest.raises(Refused, match="pieces of the kind WordLevel cannot be trimmed; expected one of: BPE"):
        Pieces.of(_words())


def test_scripts() -> None:
    assert scripts_of("ab 很 5!я") == {"LATIN", "CJK", "CYRILLIC"}
    text_of = Pieces.of(_bpe(bytes_=True)).text_of
    assert text_of("Ġthe") == " the"
    assert text_of("å") is None  # the first byte of a character
