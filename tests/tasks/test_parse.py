"""Parse: the contract, trees read honestly, words that share a form, sentences longer than the model, a perfect fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import weitiao
from tests.model_folder import make_tokenizer
from tests.tasks.contract import TaskContract
from weitiao.models.tiny import tiny
from weitiao.recipe import TrainingSpec
from weitiao.records import Feature, Outputs, ParsePrediction, ParseRecord
from weitiao.tasks import TASKS, RowFault
from weitiao.tasks.parse import IGNORED, Parse, ParseOptions
from weitiao.tasks.trees import DEPREL, names_of
from weitiao.text import Tokenizer

DONT = {
    "text": "I don't im.",
    "tokens": ["I", "do", "n't", "im", "im", "."],
    "bounds": [[0, 1], [2, 4], [4, 7], [8, 10], [8, 10], [10, 11]],
    "upos": ["PRON", "AUX", "PART", "ADP", "DET", "PUNCT"],
    "heads": [3, 3, 0, 5, 3, 3],
    "deprels": ["nsubj", "aux", "root", "case", "obl", "punct"],
}
GOOD_FILM = {"tokens": "good film", "upos": "ADJ NOUN", "heads": "2 0", "deprels": "amod root"}
TRAIN: Sequence[Mapping[str, object]] = (
    DONT,
    GOOD_FILM,
    {"text": "bad", "tokens": ["bad"], "upos": ["ADJ"], "heads": ["0"], "deprels": ["root"]},
    {
        "text": "好吃 \x00 🙂",
        "tokens": ["好吃", "🙂"],
        "upos": ["ADJ", "SYM"],
        "heads": [0, 1],
        "deprels": ["root", "discourse"],
    },
    {
        "tokens": np.array(["the", "film"]),
        "upos": np.array(["DET", "NOUN"]),
        "heads": np.array([2, 0]),
        "deprels": ["det", "root"],
    },
)


class TestParse(TaskContract):
    task = Parse()
    train = TRAIN
    dev = (GOOD_FILM, {**GOOD_FILM, "deprels": ["dislocated", "root"]})
    target_dtypes: ClassVar = {"heads": np.int64, "deprels": np.int64, "upos": np.int64}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return outputs(feature)

    def answered(self, record: ParseRecord, prediction: ParsePrediction) -> ParseRecord:
        found = {f"{name}s": tuple(getattr(each, name) for each in prediction.tokens) for name in ("head", "deprel")}
        return record.model_copy(update={**found, "upos": tuple(each.upos for each in prediction.tokens)})


def outputs(feature: Feature) -> Outputs:
    """What a head that is right about `feature` puts out, padded as in a batch with longer rows."""
    words = len(feature.places["tokens"])
    arcs = np.full((words + 3, words + 4), 99.0, dtype=np.float32)
    arcs[:words, : words + 1] = np.eye(words + 1)[feature.targets["heads"]] * 4
    relations = np.full((words + 3, words + 4), -1.0)
    relations[:words] = feature.targets["deprels"][:, None]
    return {"arcs": arcs, "deprels": relations, "upos": np.pad(feature.targets["upos"], (0, 3)).astype(np.float32)}


def read(fields: Mapping[str, object], **named: Any) -> ParseRecord:
    return Parse().read(fields, file="f.conllu", line=2, **named)


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


def test_it_is_in_the_table() -> None:
    assert TASKS["parse"] is Parse


def test_a_record_as_the_reader_gives_it() -> None:
    record = read(DONT)
    assert record.tokens == tuple(map(tuple, DONT["bounds"]))  # type: ignore[arg-type]
    assert (record.upos, record.heads) == (tuple(DONT["upos"]), (3, 3, 0, 5, 3, 3))  # type: ignore[arg-type]
    assert Parse().answer(record).startswith("PRON nsubj 3 | AUX aux 3 | ")
    assert read({**DONT, "text": " "}).text == "I do n't im im ."
    assert read({**DONT, "tokens": None}) == record


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"heads": [2, 3]}, "the head of word 2 is 3, outside the sentence of 2 words"),
        ({"heads": [2, 1]}, "the heads go in a circle: 1 -> 2 -> 1"),
        ({"heads": [0, 0]}, "2 words have head 0, the root: 1, 2; expected one"),
        ({"heads": [2, "-1"]}, "the head of word 2 is '-1'; expected the number of a word, or 0 for the root"),
        ({"heads": [2.5, 0]}, "the head of word 1 is '2.5'; expected the number of a word, or 0 for the root"),
        ({"heads": [2, "_"]}, "word 2 has no heads"),
        ({"heads": ["_", "_"]}, "no heads"),
        ({"heads": None, "upos": [], "deprels": ""}, "no upos, heads, deprels"),
        ({"heads": [0]}, "1 heads for 2 tokens"),
        ({"upos": ["NOUN"]}, "1 upos for 2 tokens"),
        ({"deprels": ["a", "b", "c"]}, "3 deprels for 2 tokens"),
        ({"upos": ["NOUN", None]}, "word 2 has no upos"),
        ({"deprels": {"a": 1}}, "expected a list of deprels; got dict"),
        ({"tokens": None}, "empty text"),
        ({"tokens": None, "text": "good film"}, "no tokens"),
        ({"text": "good movie"}, "the token 'film' does not stand in the text"),
        ({"text": "good film", "bounds": [[0, 4], [4, 8]]}, "the `bounds` do not cut the tokens out of the text"),
        ({"text": "good film", "bounds": [[0, 4], [5, 10]]}, "the word 5-10 lies outside the text of 9 characters"),
        ({"text": "good film", "bounds": [[0, 4], [3, 9]]}, "the word 3-9 begins before the one in front of it ends"),
        ({"text": "good film", "bounds": [[0, 4], "5-9"]}, "expected a word as [start, end]; got '5-9'"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_used(change: Mapping[str, object], fault: str) -> None:
    with pytest.raises(RowFault) as caught:
        read({**GOOD_FILM, **change})
    assert str(caught.value) == fault


def test_what_is_asked_needs_no_tree() -> None:
    bare = read({"text": "good film!"}, labelled=False)
    assert (bare.tokens, bare.heads) == (None, None)
    assert Parse().words(bare) == [(0, 4), (5, 9), (9, 10)]
    told = read({**GOOD_FILM, "heads": None}, labelled=False)
    assert (told.tokens, told.heads, told.upos) == (((0, 4), (5, 9)), None, None)


def test_words_stand_at_their_tokens(tokenizer: Tokenizer) -> None:
    """'im' is one token to this tokenizer, and both of its words stand there."""
    record = read(DONT)
    (feature,) = Parse().encode([record], tokenizer, Parse().label_space([record]), 64)
    tokens = [tokenizer.backend.id_to_token(each) for each in feature.input_ids]
    assert tokens == ["[CLS]", "i", "[UNK]", "n", "'", "t", "[UNK]", ".", "[SEP]"]
    assert feature.places["tokens"].tolist() == [1, 2, 3, 6, 6, 7]


class Pieces:
    """Stands in for the tokenizer of units: a long one has three tokens and opens at the second."""

    def encode_all(
        self, texts: Sequence[tuple[str, Sequence[tuple[int, int]]]]
    ) -> list[list[tuple[tuple[int, ...], int]]]:
        return [[((7,), 0) if end - start == 1 else ((5, 7, 8), 1) for start, end in units] for _text, units in texts]


def test_words_that_share_a_form_take_one_token_each_while_there_are_some(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weitiao.tasks.parse.UnitTokenizer.of", lambda tokenizer: Pieces())
    record = ParseRecord(text="a not a", tokens=((0, 1), (2, 5), (2, 5), (2, 5), (6, 7)))
    (feature,) = Parse().encode([record], tokenizer, [], 64)
    assert feature.input_ids.tolist() == [2, 7, 5, 7, 8, 7, 3]
    assert feature.places["tokens"].tolist() == [1, 3, 4, 4, 5]


def long_record(words: int) -> ParseRecord:
    """Each word hangs on the one behind it, the last one is the root."""
    return ParseRecord(
        text=" ".join(["film"] * words),
        tokens=tuple((5 * word, 5 * word + 4) for word in range(words)),
        upos=("NOUN",) * words,
        heads=(*range(2, words + 1), 0),
        deprels=("nsubj",) * (words - 1) + ("root",),
    )


def test_of_a_long_sentence_the_first_words_are_read(tokenizer: Tokenizer) -> None:
    task, record = Parse(), long_record(10)
    labels = task.label_space([record])
    (feature,) = task.encode([record], tokenizer, labels, 8)
    assert (len(feature), feature.cut) == (8, 4)
    assert feature.places["tokens"].tolist() == [1, 2, 3, 4, 5, 6]
    assert feature.targets["heads"].tolist() == [2, 3, 4, 5, 6, IGNORED], "the head of the last is not read"
    arcs = np.full((6, 7), -9.0)
    arcs[np.arange(6), [2, 3, 4, 5, 6, 0]] = 9.0
    said = {"arcs": arcs, "deprels": np.zeros((6, 7)), "upos": np.zeros(6)}
    answer = task.decode(record, [feature], [said], labels, {})
    assert [each.head for each in answer.tokens] == [2, 3, 4, 5, 6, 0, 6, 7, 8, 9]
    assert {(each.upos, each.deprel, each.confidence) for each in answer.tokens[6:]} == {("X", "dep", 0.0)}
    assert [record.text[each.start : each.end] for each in answer.tokens] == [each.form for each in answer.tokens]


def test_a_word_longer_than_the_model_reads(tokenizer: Tokenizer) -> None:
    record = ParseRecord(text="don't a", tokens=((0, 5), (6, 7)))
    (feature,) = Parse().encode([record], tokenizer, [], 4)
    assert (len(feature), feature.cut, feature.places["tokens"].tolist()) == (4, 2, [1])


def test_labels_by_kind_and_what_train_lacks() -> None:
    task = Parse()
    train, dev = read(GOOD_FILM), read({**GOOD_FILM, "upos": ["X", "NOUN"], "deprels": ["amod:emph", "root"]})
    labels = task.label_space([train])
    assert labels == ["deprel:amod", "deprel:root", "upos:ADJ", "upos:NOUN"]
    assert names_of(DEPREL, task.classes(labels)) == ["amod", "root"]
    found = task.audit({"train": [train] * 9, "dev": [dev]}, labels)
    assert [(each.severity, each.code) for each in found] == [("warning", "unknown-label")] * 2
    assert "'deprel:amod:emph' (1 row in dev) is not among the training labels" in found[0].message
    assert task.audit({"train": [train], "dev": [train]}, labels) == []


def test_options_go_to_the_head_and_smoothing_is_refused() -> None:
    task = Parse(ParseOptions(arc_size=8))
    assert task.head_options() == {"arc_size": 8, "label_size": 100}
    assert [str(each.message) for each in task.misfits(TrainingSpec(label_smoothing=0.1))] == [
        "`training.label_smoothing` has no effect on the task 'parse'; remove it"
    ]
    assert list(task.misfits(TrainingSpec())) == []


def test_right_is_the_whole_tree(tokenizer: Tokenizer) -> None:
    task, record = Parse(), read(GOOD_FILM)
    labels = task.label_space([record])
    (feature,) = task.encode([record], tokenizer, labels, 64)
    answer = task.decode(record, [feature], [outputs(feature)], labels, {})
    assert task.right(answer, record)
    assert not task.right(answer, record.model_copy(update={"upos": ("ADJ", "PROPN")}))
    assert answer.shown() == ("1 good ADJ amod 2 | 2 film NOUN root 0", "0.98")


SENTENCES = (
    "The/DET/3/det quick/ADJ/3/amod fox/NOUN/4/nsubj jumps/VERB/0/root ./PUNCT/4/punct",
    "A/DET/2/det film/NOUN/0/root",
    "Dull/ADJ/0/root and/CCONJ/3/cc long/ADJ/1/conj !/PUNCT/1/punct",
    "这/DET/2/det 书/NOUN/4/nsubj 很/ADV/4/advmod 好/ADJ/0/root 。/PUNCT/4/punct",
)


def treebank(path: Path) -> str:
    lines = []
    for sentence in SENTENCES * 4:
        words = [word.split("/") for word in sentence.split()]
        lines += [
            f"{n}\t{form}\t_\t{upos}\t_\t_\t{head}\t{deprel}\t_\t_"
            for n, (form, upos, head, deprel) in enumerate(words, 1)
        ]
        lines.append("")
    path.write_text("\n".join([*lines, ""]), "utf-8")
    return str(path)


def test_it_fits_sixteen_sentences_and_answers_again(tmp_path: Path) -> None:
    tiny("bert", tmp_path / "m")
    data = {"train": treebank(tmp_path / "train.conllu"), "dev": None, "test": treebank(tmp_path / "test.conllu")}
    run = weitiao.train(
        {
            "task": {"name": "parse", "arc_size": 32, "label_size": 16},
            "model": str(tmp_path / "m"),
            "data": data,
            "training": {"epochs": 20, "learning_rate": 8e-3, "batch_size": 8},
            "evaluation": {"resamples": 100},
            "output": str(tmp_path / "run"),
        }
    )
    scores = {name: score.value for name, score in run.report.metrics.items()}
    assert scores == {"las": 1.0, "uas": 1.0, "upos_accuracy": 1.0, "las_with_subtypes": 1.0}
    assert [table.name for table in run.report.tables] == ["trees_by_relation", "trees_by_distance", "trees_by_length"]
    assert 0 < run.report.baselines["right_attachment"].metrics["las"].value < 1
    (answer,) = run.predict([{"text": "A film", "tokens": ["A", "film"]}])
    assert [(each.form, each.head, each.deprel) for each in answer.tokens] == [("A", 2, "det"), ("film", 0, "root")]
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert "The" not in json.dumps(lines, ensure_ascii=False) and lines[0]["heads"] == [3, 3, 4, 0, 4]
    compared = weitiao.compare(str(tmp_path / "run"), str(tmp_path / "run"))
    assert (compared.headline, compared.verdict) == ("las", "none")
    assert compared.mcnemar is not None and compared.mcnemar.both_right == 16
    assert "`parse` loads through weitiao" in (tmp_path / "run" / "README.md").read_text("utf-8")
