"""Cloze: the contract, patterns as tokenizers see them, words of labels, what cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import ValidationError

import weitiao
from tests.model_folder import make_tokenizer
from tests.tasks.contract import TaskContract
from weitiao.models.tiny import tiny
from weitiao.records import ClassifyPrediction, ClassifyRecord, Feature, Outputs
from weitiao.tasks.cloze import Cloze, ClozeOptions
from weitiao.tasks.patterns import Gap, Pattern
from weitiao.text import Tokenizer, load_tokenizer

PATTERN = "{text} was {mask}!"
VERBALISER = {"NEG": "bad", "POS": ("good", "film")}


class TestCloze(TaskContract):
    """The contract; the labels are those of the verbaliser, so dev can have none that training lacks but by mistake."""

    task = Cloze(ClozeOptions(pattern=PATTERN))
    train = (
        {"text": "good film", "label": "good"},
        {"text": "the service was bad and the film was long, long, long", "label": "bad"},
        {"text": "bad", "label": "bad"},
        {"text": "not bad \x00 🙂", "label": "good"},
    )
    dev = ({"text": "a film", "label": "good"}, {"text": "a film", "label": "not"})
    target_dtypes: ClassVar = {"labels": np.int64}

    @pytest.fixture
    def tokenizer(self) -> Tokenizer:
        return _tokenizer()

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return {"logits": np.eye(len(labels), dtype=np.float32)[int(feature.targets["labels"])] * 4}

    def answered(self, record: ClassifyRecord, prediction: ClassifyPrediction) -> ClassifyRecord:
        return record.model_copy(update={"labels": prediction.labels})


def _tokenizer() -> Tokenizer:
    backend = make_tokenizer()
    backend.add_special_tokens(["[MASK]"])
    return Tokenizer(backend, pad_id=0, segments=True, max_length=64, mask_token="[MASK]")


def encoded(tokenizer: Tokenizer, pattern: str, limit: int = 64, **row: str) -> tuple[list[str], int, int]:
    """(tokens, place of the gap, tokens cut)."""
    ((ids, _types, cut, _second), gap), *_rest = Gap(Pattern.of(pattern), causal=False).encode([row], tokenizer, limit)
    return [tokenizer.backend.id_to_token(piece) for piece in ids], gap, cut


def test_the_gap_is_found_and_only_the_text_is_cut() -> None:
    tokenizer = _tokenizer()
    tokens, gap, cut = encoded(tokenizer, "the {text} was {mask}!", 9, text="good good bad bad film")
    assert tokens == ["[CLS]", "the", "good", "good", "bad", "was", "[MASK]", "!", "[SEP]"]
    assert (gap, cut) == (6, 2)


def test_a_mask_in_the_text_is_not_the_gap() -> None:
    tokens, gap, _cut = encoded(_tokenizer(), "{text} was {mask}", text="[MASK] good")
    assert tokens[gap] == "[MASK]" and gap == len(tokens) - 2


@pytest.mark.parametrize(
    ("text", "pair", "kept"),
    [("good " * 6, "bad", (3, 1)), ("bad", "good " * 6, (1, 3)), ("good " * 6, "bad " * 6, (2, 2))],
)
def test_of_a_pair_the_longer_text_is_cut(text: str, pair: str, kept: tuple[int, int]) -> None:
    tokens, gap, _cut = encoded(
        _tokenizer(), "{text}? {mask}, {text_pair}", 9, text=text.strip(), text_pair=pair.strip()
    )
    first, second = tokens.index("?"), tokens[tokens.index(",") + 1 : -1]
    assert (first - 1, len(second)) == kept
    assert tokens[gap] == "[MASK]"


@pytest.mark.parametrize("family", ["bert", "roberta", "albert", "modernbert", "electra"])
def test_every_kind_of_tokenizer_has_its_gap(family: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny(family, tmp_path / family))
    gap = Gap(Pattern.of("{text} It was {mask}."), causal=False)
    ((ids, *_more), place), *_rest = gap.encode([{"text": "酒店 was fine"}], tokenizer, 100)
    assert tokenizer.backend.id_to_token(int(ids[place])) == tokenizer.mask_token
    assert list(ids).count(tokenizer.backend.token_to_id(tokenizer.mask_token)) == 1


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_a_causal_model_reads_up_to_the_gap_and_its_word_brings_the_space(family: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(tiny(family, tmp_path / family, texts=["It was great and dull"] * 9))
    gap = Gap(Pattern.of("{text} It was {mask}"), causal=True)
    ((ids, *_more), place), *_rest = gap.encode([{"text": "a film."}], tokenizer, 100)
    assert place == len(ids) - 1
    said = gap.pieces("great", tokenizer)
    whole = tokenizer.backend.encode("a film. It was great", add_special_tokens=False).ids
    assert [*ids[len(tokenizer.wrapping().before) :], *said] == whole


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("It was {mask}", "a pattern has {text} once, and this one 0 times"),
        ("{text} {text} {mask}", "a pattern has {text} once, and this one 2 times"),
        ("{text}", "a pattern has {mask} once, and this one 0 times"),
        ("{text} {text_b} {mask}", "unknown place {text_b}; expected {text}, {text_pair} or {mask}"),
    ],
)
def test_patterns_that_make_no_sense(pattern: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ClozeOptions(pattern=pattern)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"verbaliser": {"POS": "good"}}, "a verbaliser has a word for each of at least two labels"),
        ({"verbaliser": {"POS": "good", "NEG": " "}}, "'NEG' has no word"),
        ({"kind": "causal", "pattern": "{mask}: {text}"}, "a causal model says what follows"),
    ],
)
def test_options_that_make_no_sense(options: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ClozeOptions(**options)
    assert message in str(caught.value)


def test_numbers_are_labels_and_one_word_needs_no_list() -> None:
    options = ClozeOptions.model_validate({"verbaliser": {0: "bad", 1: ["good", "great"]}})
    assert options.verbaliser == {"0": ("bad",), "1": ("good", "great")}


def test_what_the_tokenizer_cannot_say() -> None:
    words = {"A": "good", "B": "太", "C": "good", "D": "not a", "E": "a not"}
    found = Cloze(ClozeOptions(pattern=PATTERN, verbaliser=words)).wording(_tokenizer(), list(words), 64)
    assert [(each.code, each.message) for each in found] == [
        ("unknown-word", "the model does not know the word '太' of label 'B'; give another word"),
        ("same-word", "the word 'good' of label 'C' has the same pieces as one of 'A'"),
        ("same-word", "the word 'a not' of label 'E' has the same pieces as one of 'D'"),
    ]


def test_a_model_without_a_mask_and_a_pattern_without_room() -> None:
    task = Cloze(ClozeOptions(pattern=PATTERN))
    bare = Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)
    (none,) = task.wording(bare, ["good", "bad"], 64)
    assert none.code == "no-mask"
    (long,) = task.wording(_tokenizer(), ["good", "bad"], 5)
    assert long.message == "`task.pattern` alone takes 5 tokens, and a text has room for 5; shorten it"


def recipe(folder: Path, family: str, speaks: str, **task: Any) -> dict[str, Any]:
    rows = [("a warm film", "POS"), ("a dull film", "NEG"), ("good and moving", "POS"), ("bad, overlong", "NEG")] * 6
    lines = [f'"{text}, {number}",{label}' for number, (text, label) in enumerate(rows)]
    (folder / "rows.csv").write_text("\n".join(["text,label", *lines]), "utf-8")
    texts = [text for text, _label in rows] + ["It was good.", "It was bad."]
    tiny(family, folder / "tiny", texts=texts, speaks=speaks)  # type: ignore[arg-type]
    return {
        "task": {"name": "cloze", "pattern": "{text}. It was {mask}", "verbaliser": VERBALISER, **task},
        "model": str(folder / "tiny"), "data": {"file": str(folder / "rows.csv"), "dev": "20%", "test": "20%"},
        "training": {"epochs": 4, "batch_size": 4, "learning_rate": 3e-3}, "evaluation": {"resamples": 100},
        "output": str(folder / "run"),
    }  # fmt: skip


def problems(made: dict[str, Any]) -> list[str]:
    return [each.message for each in weitiao.check(made).problems if each.severity == "error"]


def test_check_says_why_a_model_cannot_be_asked(tmp_path: Path) -> None:
    made = recipe(tmp_path, "bert", "")
    (silent,) = problems(made)
    assert silent.startswith("the task 'cloze' asks the language model itself, and this folder has its encoder alone")
    (tmp_path / "other").mkdir()
    assert problems(recipe(tmp_path / "other", "gpt2", "causal")) == [
        "transformers has no AutoModelForMaskedLM of the family 'gpt2'; name another model",
        "the model's tokenizer has no mask token; a causal model needs `task.kind: causal`",
    ]


def test_a_pattern_for_pairs_needs_pairs_and_the_other_way_round(tmp_path: Path) -> None:
    made = recipe(tmp_path, "bert", "masked", pattern="{text} {mask} {text_pair}")
    assert problems(made) == ["`task.pattern` has {text_pair}, and the rows have no second text; take it out"]
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("text,text_b,label\n" + "".join(f"a {n},b,{'POS' if n % 2 else 'NEG'}\n" for n in range(20)))
    made = {**made, "data": str(pairs), "task": {**made["task"], "pattern": "{text} {mask}"}}
    assert problems(made) == ["the rows are pairs of texts, and `task.pattern` has no {text_pair}; put it in"]


def test_there_is_no_new_head_to_train_alone(tmp_path: Path) -> None:
    made = {**recipe(tmp_path, "bert", "masked"), "method": "head"}
    assert problems(made) == [
        "`method: head` trains new layers above the model, and the task 'cloze' has none; take full or freeze"
    ]


@pytest.mark.parametrize("method", ["full", "freeze"])
@pytest.mark.parametrize(("family", "kind"), [("bert", "masked"), ("gpt2", "causal")])
def test_it_learns_and_the_folder_is_a_language_model(family: str, kind: str, method: str, tmp_path: Path) -> None:
    """Whole in plain transformers: what it says in the gap is what the predictor answers."""
    import torch
    import transformers

    made = recipe(tmp_path, family, kind, kind=kind)
    run = weitiao.train({**made, "method": method})
    (answer,) = run.predict(["a warm film"])
    folder = run.path / "model"
    auto = transformers.AutoModelForMaskedLM if kind == "masked" else transformers.AutoModelForCausalLM
    model, loading = auto.from_pretrained(str(folder), output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    gap = f" {tokenizer.mask_token}" if kind == "masked" else ""
    inputs = tokenizer(f"a warm film. It was{gap}", return_tensors="pt")
    place = -1 if kind == "causal" else inputs["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    with torch.inference_mode():
        said = model(**inputs).logits[0, place].softmax(-1)
    words = ["bad", "good", "film"] if kind == "masked" else [" bad", " good", " film"]
    bad, good, film = (float(said[tokenizer(word, add_special_tokens=False)["input_ids"][0]]) for word in words)
    expected = (good + film) / 2 / ((good + film) / 2 + bad)
    if all(len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1 for word in words):
        assert answer.scores["POS"] == pytest.approx(expected, abs=1e-5)
    else:
        pytest.fail("the tokenizer of this test should know each word as one piece")
