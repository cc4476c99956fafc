"""Units and their tokens: every character in one unit, offsets there and back, whatever the text and tokenizer."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers

from tests.model_folder import make_tokenizer
from tests.models.families import folder
from weitiao.errors import Refused
from weitiao.models import starters
from weitiao.records import Span
from weitiao.tasks.spans import fitting, misaligned
from weitiao.tasks.units import UnitTokenizer, units_of
from weitiao.text import Tokenizer, load_tokenizer

HOSTILE = (
    "\u0301\u20e3\ufe0f\u200d\u200b\ufeff\u3000\u00a0\t\n\r\x00\u202e\ud83d\U0001f468\U0001f3fd\U0001f1e8\U0001f1f3"
    "\U000e0067\uff21\uff11\uff0c\ufb01\u00df\u0130\u00e9\u0e33\u0915\u094d\u0937\u1100\u1161\uac00\u3042\u30fc\u4e00"
    "\U00020000\u3007\u2028\u0085\u2460\u00bd\u0661"
)
ENGLISH = st.text(st.sampled_from("abcXYZ019 .,'-$%"), max_size=20)
CHINESE = st.text(st.sampled_from("我们在北京吃饭了吗，。！？ 一二三"), max_size=20)
MIXED = st.text(st.sampled_from("ab A1我们北京，. 'é"), max_size=20)
STRANGE = st.text(st.sampled_from(HOSTILE + "a我 1"), max_size=20).map(
    lambda text: text.replace("\ud83d", "\U0001f600")
)
ANY = st.text(max_size=12)
TEXTS = st.one_of(ENGLISH, CHINESE, MIXED, STRANGE, ANY)


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_every_visible_character_is_in_one_unit(text: str) -> None:
    units = units_of(text)
    assert all(start < end for start, end in units)
    assert all(left[1] <= right[0] for left, right in pairwise(units))
    covered = {place for start, end in units for place in range(start, end)}
    assert all(place in covered for place, character in enumerate(text) if not character.isspace())
    assert not any(text[start].isspace() for start, _end in units)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("I don't", ["I", "don", "'", "t"]),
        ("在iPhone15买", ["在", "iPhone", "15", "买"]),
        ("3.5元", ["3", ".", "5", "元"]),
        ("cafe\u0301 x", ["cafe\u0301", "x"]),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467!", ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "!"]),
        ("\U0001f44d\U0001f3fdok", ["\U0001f44d\U0001f3fd", "ok"]),
        ("1\ufe0f\u20e3", ["1\ufe0f\u20e3"]),
        ("ＡＢ１２，好", ["ＡＢ", "１２", "，", "好"]),
        ("カタカナー", ["カ", "タ", "カ", "ナ", "ー"]),
        ("한국어 text", ["한국어", "text"]),
        ("a\u3000b\u00a0c\r\nd", ["a", "b", "c", "d"]),
        ("\U00020000\u3007", ["\U00020000", "\u3007"]),
        ("\u0301a", ["\u0301", "a"]),
        ("_x_", ["_", "x", "_"]),
        ("", []),
        (" \t\n", []),
    ],
)
def test_units_by_hand(text: str, units: list[str]) -> None:
    assert [text[start:end] for start, end in units_of(text)] == units


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.data())
def test_spans_of_units_go_there_and_back(text: str, data: st.DataObject) -> None:
    """Any run of units is a span that the units give exactly; one that cuts a unit is told, and holds all of it."""
    units = units_of(text)
    if not units:
        return
    first = data.draw(st.integers(0, len(units) - 1))
    last = data.draw(st.integers(first, len(units) - 1))
    span = Span(start=units[first][0], end=units[last][1], label="X")
    assert fitting([span], units) == [(first, last + 1, "X")]
    assert misaligned([span], units) == []
    wide = next((place for place in range(first, last + 1) if units[place][1] - units[place][0] > 1), None)
    if wide is not None:
        cut = Span(start=units[wide][0] + 1, end=units[last][1], label="X")
        assert fitting([cut], units) == [(wide, last + 1, "X")]
        assert misaligned([cut], units) == [cut]


def metaspace(normalizer: normalizers.Normalizer, splitter: pre_tokenizers.PreTokenizer) -> Tokenizer:
    """As SentencePiece's unigram tokenizers: a space is a sign of its own, put in front of a text."""
    pieces = [
        "<unk>",
        "\u2581",
        *"abcdefghijklmnopqrstuvwxyzABC0123456789.,'我们北京好在",
        "\u2581a",
        "\u2581film",
        "\u2581the",
        "北京",
        "很好",
    ]
    backend = Backend(models.Unigram([(piece, -float(len(piece) < 2) - 1.0) for piece in pieces], unk_id=0))
    backend.normalizer, backend.pre_tokenizer = normalizer, splitter
    return Tokenizer(backend, pad_id=0, segments=False, max_length=64)


@cache
def starter(name: str) -> Tokenizer:
    try:
        return load_tokenizer(starters.describe(name))
    except Refused as refused:
        pytest.skip(str(refused))


TOKENIZERS: dict[str, Callable[[], Tokenizer]] = {
    "words": lambda: Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64),
    "word pieces": lambda: load_tokenizer(folder("bert")),
    "bytes": lambda: load_tokenizer(folder("roberta")),
    "metaspace": lambda: metaspace(normalizers.NFKC(), pre_tokenizers.Metaspace()),
    "stripped": lambda: metaspace(
        normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()]), pre_tokenizers.Metaspace()
    ),
    "split": lambda: metaspace(
        normalizers.NFKC(), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    ),
    "starter:en": lambda: starter("en"),
    "starter:zh-en": lambda: starter("zh-en"),
}


@cache
def tokenizer(name: str) -> Tokenizer:
    return TOKENIZERS[name]()


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_every_unit_has_tokens_and_one_that_opens_it(name: str, text: str) -> None:
    pieces, units = UnitTokenizer.of(tokenizer(name)), units_of(text)
    encoded = pieces.encode(text, units)
    assert len(encoded) == len(units)
    assert all(ids and 0 <= first < len(ids) for ids, first in encoded)
    size = tokenizer(name).backend.get_vocab_size(with_added_tokens=True)
    assert all(0 <= each < size for ids, _first in encoded for each in ids)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_together_is_one_by_one(name: str, texts: list[str]) -> None:
    own = tokenizer(name)
    together = UnitTokenizer.of(Tokenizer(own.backend, own.pad_id, own.segments, own.max_length))
    encoded = together.encode_all([(text, units_of(text)) for text in texts])
    known = len(together.known)
    alone = UnitTokenizer.of(Tokenizer(own.backend, own.pad_id, own.segments, own.max_length))
    for text, every in zip(texts, encoded, strict=True):
        assert every == together.encode(text, units_of(text)) == alone.encode(text, units_of(text))
    assert len(together.known) == known, "nothing was tokenised anew"


@pytest.mark.parametrize("name", TOKENIZERS)
def test_units_of_words_have_the_tokens_of_the_whole_text(name: str) -> None:
    """English words apart by single spaces: the same ids as the tokenizer gives the text."""
    own = tokenizer(name)
    for text in ("a film", "the film was good", "A warm film 10 times"):
        encoded = UnitTokenizer.of(own).encode(text, units_of(text))
        assert [each for ids, _first in encoded for each in ids] == own.backend.encode(
            text, add_special_tokens=False
        ).ids


@pytest.mark.parametrize("name", ["bytes"])
@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_bytes_say_exactly_their_unit(name: str, text: str) -> None:
    """A byte-level tokenizer loses nothing: what a unit's ids decode to is the unit, and the space before it."""
    own, units = tokenizer(name), units_of(text)
    for (start, end), (ids, first) in zip(units, UnitTokenizer.of(own).encode(text, units), strict=True):
        spaced = start > 0 and text[start - 1].isspace()
        decoded = own.backend.decode(list(ids), skip_special_tokens=False)
        assert decoded == " " * spaced + text[start:end]
        before = own.backend.decode(list(ids[:first]), skip_special_tokens=False)
        assert before in ("", " "), "only the space stands before the token that opens the unit"


def test_a_unit_that_a_tokenizer_reads_as_nothing_is_unknown() -> None:
    own = tokenizer("word pieces")
    text = "a\u200bb"
    assert [text[start:end] for start, end in units_of(text)] == ["a", "\u200b", "b"]
    ids = [ids for ids, _first in UnitTokenizer.of(own).encode(text, units_of(text))]
    assert own.backend.encode("\u200b", add_special_tokens=False).ids == []
    assert ids[1] == (own.backend.token_to_id("[UNK]"),)


def test_a_piece_never_reaches_over_a_border() -> None:
    """'北京' is one piece of the vocabulary and two units."""
    own = tokenizer("metaspace")
    assert own.backend.encode("a北京", add_special_tokens=False).tokens == ["\u2581a", "北京"]
    ids = UnitTokenizer.of(own).encode("a北京", units_of("a北京"))
    assert [own.backend.id_to_token(each) for unit, _first in ids for each in unit] == ["\u2581a", "北", "京"]
    assert unicodedata.name("北").startswith("CJK")
