"""Tag: the contract for spans, tokens with tags, words and a CRF; windows, context, alignment, a perfect fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

import weitiao
from tests.model_folder import make_tokenizer
from tests.tasks.contract import TaskContract
from weitiao.metrics.spans import may_follow
from weitiao.models.batch import collate
from weitiao.models.heads import HEADS, HeadSpec
from weitiao.models.tiny import tiny
from weitiao.recipe import TrainingSpec
from weitiao.records import Feature, Outputs, Span, TagPrediction, TagRecord
from weitiao.tasks import TASKS, RowFault
from weitiao.tasks.tag import IGNORED, Tag, TagOptions
from weitiao.text import Tokenizer

LONG = "the service was bad and the film was long, long, long"
SPANS = (
    {"text": LONG, "spans": [[4, 11, "THING"], [28, 32, "WORK"], [37, 41, "HOW"], [43, 47, "HOW"], [49, 53, "HOW"]]},
    {"text": "good film", "spans": '[{"start": 5, "end": 9, "label": "WORK", "text": "film"}]'},
    {"text": "not bad \x00 🙂", "spans": [[8, 9, "HOW"], (10, 11, "HOW")]},
    {"text": "a film", "spans": []},
)


class _Tags(TaskContract):
    target_dtypes: ClassVar = {"labels": np.int64}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        """Sure of the target where a unit opens, and of a tag at random elsewhere."""
        tags = self.task.classes(labels)
        gold = feature.targets["labels"].astype(np.int64)
        chosen = np.where(gold == IGNORED, np.arange(len(gold)) % len(tags), gold)
        found = {"logits": np.eye(len(tags), dtype=np.float32)[chosen] * 9}
        if self.task.head_options()["crf"]:
            found["transitions"] = np.where(may_follow(tags), 0.0, -1e4).astype(np.float32)
        return found

    def answered(self, record: TagRecord, prediction: TagPrediction) -> TagRecord:
        spans = tuple(Span(start=each.start, end=each.end, label=each.label) for each in prediction.spans)
        return record.model_copy(update={"spans": spans})


class TestSpans(_Tags):
    task = Tag()
    train = SPANS
    dev = ({"text": "a film", "spans": [[2, 6, "WORK"]]}, {"text": "a service", "spans": [[2, 9, "PLACE"]]})


class TestEndsToo(TestSpans):
    task = Tag(TagOptions(scheme="bioes"))


class TestCrf(TestSpans):
    task = Tag(TagOptions(crf=True, scheme="bioes"))


class TestColumns(_Tags):
    """Tokens and tags, each row in another scheme."""

    task = Tag()
    train = (
        {"tokens": ["the", "good", "film"], "tags": ["O", "I-WORK", "I-WORK"]},
        {"tokens": "the service was bad", "tags": "B-WORK E-WORK O S-HOW"},
        {"text": "bad bad", "tokens": ["bad", "bad"], "tags": ["U-HOW", "B-HOW"]},
        {"text": "好差", "tokens": np.array(["好", "差"]), "tags": np.array(["B-HOW", "M-HOW"])},
    )
    dev = ({"tokens": ["a"], "tags": ["B-HOW"]}, {"tokens": ["a"], "tags": ["B-X"]})


class TestPartsOfSpeech(_Tags):
    """Every token with its plain tag, over the source's tokens."""

    task = Tag(TagOptions(learn="tokens", units="tokens"))
    train = (
        {"tokens": ["don't", "good", "film"], "tags": ["VERB", "ADJ", "NOUN"]},
        {"text": "the film's", "tokens": ["the", "film's"], "tags": ["DET", "NOUN"]},
        {"text": "很好吃", "tokens": ["很", "好吃"], "tags": ["ADV", "ADJ"]},
        {"tokens": ["bad"], "tags": ["ADJ"]},
    )
    dev = ({"tokens": ["a"], "tags": ["DET"]}, {"tokens": ["a"], "tags": ["X"]})


def read(fields: Mapping[str, object], options: TagOptions | None = None, **named: Any) -> TagRecord:
    return Tag(options).read(fields, file="f.jsonl", line=3, **named)


def found(record: TagRecord) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in record.spans or ()]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


def test_it_is_in_the_table() -> None:
    assert TASKS["tag"] is Tag


@pytest.mark.parametrize(
    ("value", "spans"),
    [
        ([[0, 4, "A"]], [(0, 4, "A")]),
        ([{"start_offset": 0, "end_offset": 4.0, "labels": ["A"]}], [(0, 4, "A")]),
        ([["5", "9", "A"], [0, 4, 1]], [(0, 4, "1"), (5, 9, "A")]),
        ([[4, 10, "A"]], [(5, 9, "A")]),  # blanks at its borders are left out
        ([{"from": 0, "to": 4, "type": " A ", "surface": "good "}], [(0, 4, "A")]),
        ([[0, 4, "A"], [0, 4, "A"], [0, 9, "B"]], [(0, 4, "A"), (0, 9, "B")]),
        ('[[0, 4, "A"]]', [(0, 4, "A")]),
        (np.array([[0, 4, 7]]), [(0, 4, "7")]),
        ([], []),
    ],
)
def test_spans_as_sources_write_them(value: object, spans: list[tuple[int, int, str]]) -> None:
    assert found(read({"text": "good film ", "spans": value})) == spans


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"spans": [[0, 99, "A"]]}, "the span 0-99 (A) lies outside the text of 10 characters"),
        ({"spans": [[3, 3, "A"]]}, "the span 3-3 (A) holds nothing; `end` is the offset behind its last character"),
        ({"spans": [[-1, 3, "A"]]}, "the span -1-3 (A) lies outside the text of 10 characters"),
        ({"spans": [[4, 5, "A"]]}, "the span 4-5 (A) is blank"),
        ({"spans": [{"start": 0, "end": 4, "label": "A", "text": "film"}]},
         "the span 0-4 (A) is 'good' in the text and 'film' in its own words"),
        ({"spans": [[0, 4]]}, "expected a span as [start, end, label]; got [0, 4]"),
        ({"spans": [["中", 4]]}, 'expected a span as [start, end, label]; got ["中", 4]'),
        ({"spans": [[0, 4, ""]]}, "a span without a label"),
        ({"spans": [["x", 4, "A"]]}, "'x' is no offset"),
        ({"spans": [[0.5, 4, "A"]]}, "'0.5' is no offset"),
        ({"spans": "[[0, 4"}, "the spans are not valid JSON"),
        ({"spans": 3}, "expected a list of spans; got int"),
        ({"spans": " "}, "no spans and no tags"),
        ({"text": None}, "empty text"),
        ({"text": "\u200b"}, "empty text"),
        ({"tokens": ["good", "movie"], "tags": ["O", "O"]}, "the token 'movie' does not stand in the text"),
        ({"tokens": ["film", "good"], "tags": ["O", "O"]}, "the token 'good' does not stand in the text"),
        ({"tokens": ["good", ""], "tags": ["O", "O"]}, "an empty token"),
        ({"tokens": 5, "tags": "O"}, "expected a list of tokens; got int"),
        ({"tokens": ["good"], "tags": ["O", "O"]}, "tokens: 1, tags: 2; expected a tag for each token"),
        ({"tokens": ["good"], "tags": {"a": 1}}, "expected a list of tags; got dict"),
        ({"tags": ["O"]}, "tokens: 0, tags: 1; expected a tag for each token"),
        ({"tokens": ["good"], "tags": ["ADJ"]},
         "tag 'ADJ' does not say where a span begins (B-, I-, O, ...); for plain tags, set task.learn=tokens"),
    ],
)  # fmt: skip
def test_rows_that_cannot_be_used(fields: Mapping[str, object], fault: str) -> None:
    with pytest.raises(RowFault) as caught:
        read({"text": "good film ", **fields})
    assert str(caught.value) == fault


def test_words_are_spans_by_their_borders() -> None:
    record = read({"text": "很好吃!", "tokens": ["很", "好吃", "!"]}, TagOptions(learn="borders"))
    assert found(record) == [(0, 1, "word"), (1, 3, "word"), (3, 4, "word")]
    with pytest.raises(RowFault, match="no spans and no tags"):
        read({"text": "很好吃"}, TagOptions(learn="borders"))
    with pytest.raises(ValidationError, match="`labels` has no effect with `learn: borders`"):
        TagOptions(learn="borders", labels=("word",))


def test_every_window_answers_its_own_part(tokenizer: Tokenizer) -> None:
    """A text of 40 units in windows of 10: each unit is answered once, and none at a border but at the text's ends."""
    task = Tag()
    record = read({"text": " ".join(["good", "bad", "film", "a"] * 10), "spans": [[0, 4, "X"], [62, 66, "X"]]})
    labels = task.label_space([record])
    features = task.encode([record], tokenizer, labels, 12)
    units = [unit for feature in features for unit in feature.places["units"].tolist()]
    assert units == list(range(40))
    assert len(features) > 4 and all(len(feature) <= 12 and feature.cut == 0 for feature in features)
    for feature in features[1:]:
        assert int(feature.places["tokens"].min()) > 1
    known = sum(int((feature.targets["labels"] != IGNORED).sum()) for feature in features)
    assert known == 40
    words = ["good", "bad", "film", "a"] * 10
    for feature in features:
        ids = feature.input_ids[feature.places["tokens"]].tolist()
        assert [tokenizer.backend.id_to_token(each) for each in ids] == [
            words[unit] for unit in feature.places["units"]
        ]


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_an_entity_across_a_cut_is_learnt_and_read_like_any_other(tokenizer: Tokenizer, scheme: Any) -> None:
    """One span over a whole text of many windows: no loss of a forbidden border, and one span comes back."""
    task = Tag(TagOptions(crf=True, scheme=scheme))
    record = read({"text": " ".join(["good"] * 40), "spans": [[0, 199, "X"]]})
    features = task.encode([record], tokenizer, ["X"], 12)
    assert [each.places["ends"].tolist() for each in features] == [[1, 0], *[[0, 0]] * (len(features) - 2), [0, 1]]
    head = HEADS["tag"].of(HeadSpec(task.classes(["X"]), options=task.head_options()))
    batch = collate(features, 0)
    loss = head.loss(torch.zeros(*batch.inputs["input_ids"].shape, len(task.classes(["X"]))), batch)
    assert float(loss.total.detach()) < 40 * np.log(len(task.classes(["X"])))
    answer = task.decode(record, features, [TestCrf.outputs(_shell(task), each, ["X"]) for each in features], ["X"], {})
    assert [each.bounds for each in answer.spans] == [(0, 199)]


def test_a_unit_longer_than_the_model_reads_is_cut_and_answered(tokenizer: Tokenizer) -> None:
    own = Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)
    record = read({"text": "a b", "tokens": ["a b"], "tags": ["X"]}, TagOptions(learn="tokens", units="tokens"))
    (feature,) = Tag(TagOptions(learn="tokens", units="tokens")).encode([record], own, ["X"], 3)
    assert (len(feature), feature.cut, feature.places["tokens"].tolist()) == (3, 1, [1])


def test_context_is_of_the_same_document_in_order(tokenizer: Tokenizer) -> None:
    task = Tag(TagOptions(context=3))
    texts = [
        ("d", 1, "good film"),
        ("d", 5, "the service was bad"),
        ("e", 2, "not a film"),
        ("d", 3, "bad"),
        ("", 4, "a"),
    ]
    records = [task.read({"text": text, "spans": []}, file="f", line=line, group=group) for group, line, text in texts]
    features = task.encode(records, tokenizer, [], 20)
    read_as = [[tokenizer.backend.id_to_token(each) for each in feature.input_ids] for feature in features]
    assert read_as == [
        ["[CLS]", "good", "film", "bad", "the", "service", "[SEP]"],
        ["[CLS]", "good", "film", "bad", "the", "service", "was", "bad", "[SEP]"],
        ["[CLS]", "not", "a", "film", "[SEP]"],
        ["[CLS]", "good", "film", "bad", "the", "service", "was", "[SEP]"],
        ["[CLS]", "a", "[SEP]"],
    ]
    assert [feature.places["tokens"].tolist() for feature in features] == [[1, 2], [4, 5, 6, 7], [1, 2, 3], [3], [1]]
    narrow = task.encode(records, tokenizer, [], 6)  # a quarter of the room at most
    assert max(len(feature) for feature in narrow) <= 6
    assert sum(len(feature.places["units"]) for feature in narrow if feature.group == 1) == 4


def test_what_tags_cannot_give_is_told_and_learnt_as_far_as_it_goes(tokenizer: Tokenizer) -> None:
    task = Tag()
    rows = [
        {"text": "good films", "spans": [[5, 9, "X"]]},
        {"text": "the good film", "spans": [[0, 13, "X"], [4, 8, "Y"]]},
    ]
    records = [task.read(fields, file="f", line=line) for line, fields in enumerate(rows * 5, 1)]
    found = {problem.code: problem for problem in task.audit({"train": records}, ["X", "Y"])}
    assert found["misaligned-spans"].message == (
        "5 spans of train begin or end inside a word, and cannot be found exactly; the first: X 5-9"
    )
    assert found["overlapping-spans"].message == (
        "5 spans of train overlap others that are kept (the longer, of equals the first by label), and flat tags "
        "cannot give them, but the task `span` can; the first: Y 4-8"
    )
    assert [row.line for row in found["overlapping-spans"].rows] == [2, 4, 6, 8, 10]
    first, second = task.encode(records[:2], tokenizer, ["X", "Y"], 32)
    tags = task.classes(["X", "Y"])
    assert [[tags[tag] for tag in each.targets["labels"] if tag != IGNORED] for each in (first, second)] == [
        ["O", "B-X"], ["B-X", "I-X", "I-X"],
    ]  # fmt: skip


def test_smoothing_does_not_go_with_a_crf() -> None:
    (finding,) = Tag(TagOptions(crf=True)).misfits(TrainingSpec(label_smoothing=0.1))
    assert finding.message == "`training.label_smoothing` works only without `task.crf`; remove one of the two"
    assert list(Tag().misfits(TrainingSpec(label_smoothing=0.1))) == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_spans_of_units_come_back_through_features(data: st.DataObject) -> None:
    """Text, spans, windows, tags and back, in Chinese, English and signs."""
    own = Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)
    task = Tag(TagOptions(scheme=data.draw(st.sampled_from(["bio", "bioes"])), crf=data.draw(st.booleans())))
    text = data.draw(st.text(st.sampled_from("ab 1.我好\u0301🙂\u3000"), min_size=1, max_size=30))
    bare = TagRecord(text=text)
    units, spans, unit = task.units(bare), [], 0
    while unit < len(units):
        width = data.draw(st.integers(0, 3))
        if width and unit + width <= len(units):
            spans.append(
                Span(start=units[unit][0], end=units[unit + width - 1][1], label=data.draw(st.sampled_from("XY")))
            )
        unit += max(width, 1)
    record = bare.model_copy(update={"spans": tuple(spans)})
    features = task.encode([record], own, ["X", "Y"], 10)
    outputs = [TestCrf.outputs(_shell(task), feature, ["X", "Y"]) for feature in features]
    answer = task.decode(record, features, outputs, ["X", "Y"], {})
    assert [(each.start, each.end, each.label) for each in answer.spans] == [
        (*each.bounds, each.label) for each in spans
    ]
    assert task.right(answer, record)


def _shell(task: Tag) -> _Tags:
    contract = TestCrf()
    contract.task = task
    return contract


def columns(path: Path) -> str:
    rows = [
        ("The quick fox likes Rome", "O O O O B-LOC"),
        ("Anna Smith jumps over Paris", "B-PER I-PER O O B-LOC"),
        ("这 本 书 北 京", "O O O B-LOC I-LOC"),
        ("dog Bob Lee", "O B-PER I-PER"),
    ]
    lines = [
        "\n".join([*(f"{token} {tag}" for token, tag in zip(tokens.split(), tags.split(), strict=True)), "", ""])
        for tokens, tags in rows * 4
    ]
    path.write_text("".join(lines), "utf-8")
    return str(path)


@pytest.mark.parametrize("options", [{}, {"crf": True, "scheme": "bioes"}], ids=["linear", "crf"])
def test_it_fits_sixteen_texts_and_answers_again(tmp_path: Path, options: dict[str, Any]) -> None:
    tiny("bert", tmp_path / "m")
    run = weitiao.train(
        {
            "task": {"name": "tag", **options},
            "model": str(tmp_path / "m"),
            "data": {"train": columns(tmp_path / "train.conll"), "dev": None, "test": columns(tmp_path / "test.conll")},
            "training": {"epochs": 25, "learning_rate": 8e-3, "batch_size": 8},
            "evaluation": {"resamples": 100},
            "output": str(tmp_path / "run"),
        }
    )
    assert {score.value for score in run.report.metrics.values()} == {1.0}
    (answer,) = run.predict(["Anna Smith jumps over Paris"])
    assert [(each.text, each.label) for each in answer.spans] == [("Anna Smith", "PER"), ("Paris", "LOC")]
    assert run.report.baselines["gazetteer"].metrics["span_f1"].value == 1.0
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text("utf-8").splitlines()]
    assert lines[0]["spans"] == [{"start": 20, "end": 24, "label": "LOC"}]
    assert "Rome" not in json.dumps(lines)
    assert weitiao.compare(str(tmp_path / "run"), str(tmp_path / "run")).verdict == "none"


@pytest.mark.parametrize(
    "tags",
    ["['B-PER', 'O']", '["B-PER", "O"]', " ['B-PER', \"O\",] ", "B-PER O"],
    ids=["pandas", "json", "mixed", "words"],
)
def test_lists_may_be_written_as_pandas_writes_them(tags: str) -> None:
    record = Tag().read({"tokens": "['Ann', 'O\\'Hara']", "tags": tags}, file="f", line=1)
    assert (record.text, record.spans) == ("Ann O'Hara", (Span(start=0, end=3, label="PER"),))


@pytest.mark.parametrize("tags", ["['B-PER' 'O']", "['B-PER', 'O' 'x']", "['B-PER', 'O\\x4']"])
def test_a_list_that_cannot_be_read_is_named(tags: str) -> None:
    with pytest.raises(RowFault, match="the tags are no list that can be read: "):
        Tag().read({"tokens": ["a", "b"], "tags": tags}, file="f", line=1)
