"""Token ids of units are those of running text where its tokens end at units, whatever becomes of spaces."""

from __future__ import annotations

from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from weitiao.tasks.units import UnitTokenizer, units_of
from weitiao.tasks.windows import windows
from weitiao.text import Tokenizer as Ours

PIECES = [
    "<s>",
    "</s>",
    "<unk>",
    "\u2581",
    "\u2581the",
    "\u2581cat",
    "the",
    "cat",
    "s",
    "a",
    "t",
    "\u2581sat",
    ",",
    "\u597d",
]
SPACES: dict[str, tuple[Any, Any]] = {
    "metaspace": (None, pre_tokenizers.Metaspace()),
    "strip": (normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()]), pre_tokenizers.Metaspace()),
    "split": (None, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])),
    "prepend": (normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]), None),
}


def made(kind: str) -> Ours:
    backend = Tokenizer(models.Unigram([(piece, -float(index)) for index, piece in enumerate(PIECES)], unk_id=2))
    backend.normalizer, backend.pre_tokenizer = SPACES[kind]
    backend.add_special_tokens([AddedToken("<s>"), AddedToken("</s>")])
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return Ours(backend, 1, segments=False, max_length=64)


def tokens(tokenizer: Ours, text: str) -> list[str]:
    found = UnitTokenizer.of(tokenizer).encode(text, units_of(text))
    return [PIECES[each] for ids, _first in found for each in ids]


@pytest.mark.parametrize("kind", list(SPACES))
def test_words_keep_the_space_before_them(kind: str) -> None:
    tokenizer = made(kind)
    text = "the cat sat, the cats"
    assert tokens(tokenizer, text)[:5] == ["\u2581the", "\u2581cat", "\u2581sat", ",", "\u2581the"]
    assert tokens(tokenizer, text) == tokenizer.backend.encode(text, add_special_tokens=False).tokens


@pytest.mark.parametrize("kind", list(SPACES))
def test_the_opening_token_is_the_one_behind_the_space(kind: str) -> None:
    tokenizer = made(kind)
    text = "the \u597d \u597dcat"
    found = UnitTokenizer.of(tokenizer).encode(text, units_of(text))
    opening = [PIECES[ids[first]] for ids, first in found]
    assert opening == ["\u2581the", "\u597d", "\u597d", "cat"]


def test_what_is_read_as_nothing_is_the_unknown_token() -> None:
    tokenizer = made("metaspace")
    tokenizer.backend.normalizer = normalizers.Replace("\u200b", "")
    assert UnitTokenizer.of(tokenizer).encode("the\u200bcat", [(0, 3), (3, 4), (4, 7)])[1] == ((2,), 0)


def test_the_models_own_tokenizer_stays_as_it_was() -> None:
    tokenizer = made("strip")
    before = tokenizer.backend.to_str()
    UnitTokenizer.of(tokenizer).encode("the cat", units_of("the cat"))
    assert tokenizer.backend.to_str() == before


def test_the_special_tokens_of_a_pair() -> None:
    wrapping = made("metaspace").wrapping(pair=True)
    assert (wrapping.before, wrapping.between, wrapping.after) == ((0,), (1, 1), (1,))
    assert wrapping.wrap([5], [6, 7])[0].tolist() == [0, 5, 1, 1, 6, 7, 1]
    assert wrapping.second_at(1) == 4
    single = made("metaspace").wrapping()
    assert (single.before, single.between, single.after) == ((0,), (), (1,))


@pytest.mark.parametrize("sizes", [[1] * 10, [3, 1, 2, 5, 1, 1, 4, 2], [9], [1, 30, 1]])
@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_each_part_is_answered_in_one_window_that_holds_it(sizes: list[int], overlap: int) -> None:
    found = windows(sizes, 6, overlap)
    answered = [part for window in found for part in range(window.first, window.last)]
    assert answered == list(range(len(sizes)))
    assert all(window.start <= window.first <= window.last <= window.end for window in found)
    assert all(sum(sizes[window.start : window.end]) <= 6 or window.end - window.start == 1 for window in found)
