"""The tokenizer: what it cuts, what it keeps, and that it says the same as transformers."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from tests.model_folder import make_model_folder, make_tokenizer
from weitiao.errors import Refused
from weitiao.models.tiny import tiny
from weitiao.text import TokenCounter, Tokenizer, Tokens, han_share, load_tokenizer

TOKENIZER = Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)
TEXTS = ["good film", "the service was bad and long, long, long", "", "x", "a b c d e f g h i j k l m n o p"]


def transformers_ids(text: str, pair: str | None, limit: int) -> dict[str, list[int]]:
    """The same by transformers, truncation `longest_first`."""
    from transformers import PreTrainedTokenizerFast

    other = PreTrainedTokenizerFast(
        tokenizer_object=make_tokenizer(), pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    encoded = other(text, pair, truncation="longest_first", max_length=limit, return_token_type_ids=True)
    return {"ids": encoded["input_ids"], "types": encoded["token_type_ids"]}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("limit", [4, 6, 9, 64])
def test_single_texts_equal_transformers(text: str, limit: int) -> None:
    ((ids, types, cut, second),) = TOKENIZER.encode([text], max_length=limit)
    assert second is None
    other = transformers_ids(text, None, limit)
    assert ids.tolist() == other["ids"]
    assert types is not None
    assert types.tolist() == other["types"]
    assert cut == len(transformers_ids(text, None, 64)["ids"]) - len(ids)


@pytest.mark.parametrize("text", [text for text in TEXTS if text])  # transformers takes an empty second text for none
@pytest.mark.parametrize("pair", [text for text in TEXTS if text])
@pytest.mark.parametrize("limit", [6, 7, 10, 64])
def test_pairs_equal_transformers(text: str, pair: str, limit: int) -> None:
    ((ids, types, _cut, _second),) = TOKENIZER.encode([text], [pair], max_length=limit)
    other = transformers_ids(text, pair, limit)
    assert types is not None
    assert (ids.tolist(), types.tolist()) == (other["ids"], other["types"])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text("ab c", max_size=20), st.text("de f", max_size=20)), min_size=1, max_size=4),
    st.integers(4, 20),
)
def test_lengths_and_cuts_add_up(rows: list[tuple[str, str]], limit: int) -> None:
    texts, pairs = [a for a, _b in rows], [b for _a, b in rows]
    whole = TOKENIZER.encode(texts, pairs, max_length=1000)
    for kept, every in zip(TOKENIZER.encode(texts, pairs, max_length=limit), whole, strict=True):
        assert every.cut == 0
        assert len(kept.ids) + kept.cut == len(every.ids)
        assert len(kept.ids) <= limit
        assert len(kept.ids) == min(limit, len(every.ids))


@pytest.mark.parametrize("layout", ["bert", "roberta", "gpt2", "xlnet"])
def test_the_second_text_stands_where_it_is_told(layout: str, tmp_path: Path) -> None:
    tiny(layout, tmp_path / layout, texts=TEXTS)
    tokenizer = load_tokenizer(tmp_path / layout)
    for text, other, limit in product(["a b", "a b c d e f g h"], ["good", "good film at all"], [7, 10, 64]):
        (both,) = tokenizer.encode([text], [other], max_length=limit)
        assert both.second is not None
        begins, behind = both.second.tolist()
        alone = tokenizer.backend.encode(other, add_special_tokens=False).ids
        assert behind - begins > 0 and both.ids[begins:behind].tolist() == alone[: behind - begins]
        assert behind - begins == len(alone) or both.cut


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.text("ab c", max_size=20), st.text("de f", max_size=20)), min_size=1, max_size=4),
    st.integers(4, 20),
    st.booleans(),
)
def test_counting_gives_the_lengths_and_cuts_of_encoding(rows: list[tuple[str, str]], limit: int, paired: bool) -> None:
    texts, pairs = [a for a, _b in rows], [b for _a, b in rows] if paired else None
    counted = TokenCounter.of(TOKENIZER).encode(texts, pairs, max_length=limit)
    assert sizes(counted) == sizes(TOKENIZER.encode(texts, pairs, max_length=limit))


def sizes(encoded: list[Tokens]) -> list[tuple[int, int, int]]:
    return [(len(ids), 0 if types is None else len(types), cut) for ids, types, cut, _second in encoded]


ODD = st.text(
    st.one_of(
        st.sampled_from("ab \t\n\u3000\u00a0\u0301\x1c\u200b,.[]好😀é"),
        st.characters(codec="utf-8", max_codepoint=0x2FFF),
    ),
    max_size=24,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(ODD, ODD.map(lambda text: f"{text} [MASK] {text}[SEP]")), min_size=1, max_size=4))
def test_words_counted_once_give_the_lengths_of_whole_texts(texts: list[str]) -> None:
    backend = make_tokenizer()
    backend.add_special_tokens(["[SEP]", "[MASK]"])
    tokenizer = Tokenizer(backend, pad_id=0, segments=True, max_length=64)
    counter = TokenCounter.of(tokenizer)
    assert counter.words is not None
    assert sizes(counter.encode(texts)) == sizes(tokenizer.encode(texts))
    assert sizes(counter.encode(texts)) == sizes(tokenizer.encode(texts))  # words it has met by now


def test_words_are_not_counted_where_a_token_reaches_over_a_space() -> None:
    reaching = make_tokenizer()
    reaching.add_tokens([AddedToken("<x>", lstrip=True)])
    assert TokenCounter.of(Tokenizer(reaching, pad_id=0, segments=True, max_length=64)).words is None
    spaced = make_tokenizer()
    spaced.add_tokens(["New York"])
    assert TokenCounter.of(Tokenizer(spaced, pad_id=0, segments=True, max_length=64)).words is None


def test_a_batch_is_its_rows() -> None:
    together = TOKENIZER.encode(TEXTS, max_length=8)
    for row, text in zip(together, TEXTS, strict=True):
        (alone,) = TOKENIZER.encode([text], max_length=8)
        assert row[0].tolist() == alone[0].tolist()
        assert row[0].dtype == np.int32
    assert TOKENIZER.encode([]) == []


def test_the_models_own_limit_holds_where_none_is_given() -> None:
    short = Tokenizer(make_tokenizer(), pad_id=0, segments=False, max_length=5)
    ((ids, types, cut, _second),) = short.encode(["a b c d e f"])
    assert (len(ids), types, cut) == (5, None, 3)


def write(folder: Path, name: str, value: object) -> None:
    (folder / name).write_text(json.dumps(value), "utf-8")


@pytest.mark.parametrize(
    ("config", "settings_", "expected"),
    [
        ({}, {}, (0, True, 64)),
        ({"model_type": "roberta", "type_vocab_size": 1, "max_position_embeddings": 66}, {}, (0, False, 64)),
        ({"type_vocab_size": 1}, {"model_input_names": ["input_ids", "token_type_ids"]}, (0, True, 64)),
        ({}, {"model_input_names": ["input_ids"], "model_max_length": 32}, (0, False, 32)),
        ({}, {"model_max_length": 1e30}, (0, True, 64)),
        ({"max_position_embeddings": None, "n_positions": 48}, {}, (0, True, 48)),
        ({"max_position_embeddings": None}, {}, (0, True, 0)),
        ({"pad_token_id": 7}, {}, (7, True, 64)),
        ({"pad_token_id": None, "eos_token_id": [3, 4]}, {}, (3, True, 64)),
        ({}, {"pad_token": "[SEP]"}, (3, True, 64)),
        ({}, {"pad_token": {"content": "[UNK]"}}, (1, True, 64)),
    ],
)
def test_facts_about_the_model(
    tmp_path: Path, config: dict[str, object], settings_: dict[str, object], expected: tuple[int, bool, int]
) -> None:
    make_model_folder(tmp_path, **config)
    write(tmp_path, "tokenizer_config.json", settings_)
    tokenizer = load_tokenizer(tmp_path)
    assert (tokenizer.pad_id, tokenizer.segments, tokenizer.max_length) == expected


def test_truncation_and_padding_saved_in_the_file_are_switched_off(tmp_path: Path) -> None:
    make_model_folder(tmp_path)
    backend = make_tokenizer()
    backend.enable_truncation(4)
    backend.enable_padding(length=50)
    backend.save(str(tmp_path / "tokenizer.json"))
    ((ids, _types, cut, _second),) = load_tokenizer(tmp_path).encode(["a b c d e f"])
    assert (len(ids), cut) == (8, 0)


def test_a_broken_tokenizer_is_refused(tmp_path: Path) -> None:
    make_model_folder(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(Refused, match=r"tokenizer.json: the tokenizer cannot be read \("):
        load_tokenizer(tmp_path)


def test_code_that_comes_with_a_tokenizer_is_neither_run_nor_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model_folder(tmp_path, model_type="own")
    (tmp_path / "tokenizer.json").unlink()
    trace = tmp_path / "trace"
    (tmp_path / "own.py").write_text(
        f"from pathlib import Path\nfrom transformers import BertTokenizer as Own\nPath({str(trace)!r}).touch()\n"
    )
    named = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
    write(tmp_path, "tokenizer_config.json", named)
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question="": asked.append(question) or "y")
    with pytest.raises(Refused, match=r"no tokenizer.json and no other tokenizer that can be read \("):
        load_tokenizer(tmp_path)
    assert not asked
    assert not trace.exists()


@pytest.mark.parametrize(
    ("text", "share"), [("你好", 1.0), ("abc", 0.0), ("你a", 0.5), ("", 0.0), ("12!", 0.0), ("かな", 0.0)]
)
def test_han_share(text: str, share: float) -> None:
    assert han_share(text) == share
