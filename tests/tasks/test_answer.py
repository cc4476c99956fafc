"""Answer: the contract, cells of every shape, windows, the best pieces against all, the threshold, a fit to the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model_folder import make_tokenizer
from tests.tasks.contract import TaskContract
from weitiao.metrics.qa import f1
from weitiao.recipe import TrainingSpec
from weitiao.records import AnswerPrediction, AnswerRecord, Feature, GoldAnswer, Outputs
from weitiao.tasks import TASKS, RowFault
from weitiao.tasks.answer import Answer, AnswerOptions, best_threshold
from weitiao.tasks.candidates import Candidates
from weitiao.tasks.passages import covering
from weitiao.tasks.units import units_of
from weitiao.text import Tokenizer

BOTH = ["answer", "no_answer"]


def pointing(feature: Feature) -> Outputs:
    """What a head puts out that is right about `feature`."""
    row = np.eye(len(feature), dtype=np.float32) * 4
    return {end: row[int(feature.targets[end])] for end in ("start", "end")}


class TestAnswer(TaskContract):
    task = Answer()
    train = (
        {"question": "was it good?", "text": "the film was good", "answers": "good"},
        {
            "question": "what was bad?",
            "text": "the service was bad and the film was long, long, long",
            "answers": {"text": ["service"], "answer_start": [4]},
        },
        {"question": "what?", "text": "not bad \x00 🙂", "answers": [{"text": "bad", "answer_start": 4}]},
        {"question": "a film?", "text": "  a bad film", "answers": ["bad film"], "id": "q4"},
    )
    dev = (
        {"question": "a film?", "text": "a bad film", "answers": ["film"]},
        {"question": "a film?", "text": "bad service", "answers": []},
    )
    target_dtypes: ClassVar = {"start": np.int64, "end": np.int64}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return pointing(feature)

    def answered(self, record: AnswerRecord, prediction: AnswerPrediction) -> AnswerRecord:
        answer = GoldAnswer(text=prediction.text, start=prediction.start)
        return record.model_copy(update={"answers": () if prediction.no_answer else (answer,)})


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)


def read(answers: object, text: str = "Ann saw Bob. Bob saw Cy.", **more: object) -> AnswerRecord:
    return Answer().read({"question": "who?", "text": text, "answers": answers, **more}, file="f", line=1)


def record(text: str, start: int | None = None, end: int = 0, question: str = "good?") -> AnswerRecord:
    answers = () if start is None else (GoldAnswer(text=text[start:end], start=start),)
    return AnswerRecord(question=question, text=text, answers=answers)


def test_it_is_in_the_table() -> None:
    assert TASKS["answer"] is Answer


@pytest.mark.parametrize(
    "cell",
    [
        "Ann",
        ["Ann"],
        '["Ann"]',
        {"text": ["Ann"], "answer_start": [0]},
        '{"text": ["Ann"], "answer_start": [0]}',
        {"text": np.array(["Ann"]), "answer_start": np.array([0])},
        {"text": "Ann", "answer_start": 0},
        [{"text": "Ann", "answer_start": 0.0}],
        [{"text": "Ann", "start": "0"}],
        [{"text": "Ann", "answer_start": 0, "answer_id": 3}],
    ],
)
def test_cells_of_every_shape(cell: object) -> None:
    found = read(cell)
    assert found.answers == (GoldAnswer(text="Ann", start=0),)
    assert (found.guessed, found.language, found.placed) == (0, "en", ((0, 3),))


@pytest.mark.parametrize("impossible", [True, "true", "True", 1, "1", np.bool_(True)])
def test_there_may_be_no_answer(impossible: object) -> None:
    for cell in ([], "[]", {"text": [], "answer_start": []}, None, ""):
        assert read(cell, is_impossible=impossible).answers == ()
    assert read([]).answers == read({"text": [], "answer_start": []}).answers == ()
    assert read(["Ann"], is_impossible=False).answers == (GoldAnswer(text="Ann", start=0),)


@pytest.mark.parametrize(
    ("answers", "more", "reason"),
    [
        ("", {}, "no answer; where the text holds none, write []"),
        (None, {"is_impossible": False}, "no answer; where the text holds none, write []"),
        ("Dan", {}, "the answer 'Dan' does not stand in the text"),
        (["Dan", "Eve"], {}, "the answer 'Dan' does not stand in the text"),
        (["Ann", " "], {}, "an answer without words"),
        ([{"answer_start": 3}], {}, "an answer without words"),
        (["Ann"], {"is_impossible": True}, "is_impossible, and yet the answer 'Ann'"),
        (["Ann"], {"is_impossible": "maybe"}, "is_impossible is 'maybe'; expected true or false"),
        ([{"text": "Ann", "answer_start": "x"}], {}, "'x' is no offset"),
        ({"text": ["Ann", "Bob"], "answer_start": [0]}, {}, "2 answers, and another number of offsets"),
        ([["Ann"]], {}, "a list where text is expected"),
    ],
)
def test_faulty_answers(answers: object, more: dict[str, object], reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        read(answers, **more)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("text", "cell", "start", "words", "guessed"),
    [
        ("Ann saw Bob. Bob saw Cy.", {"text": "Bob", "answer_start": 12}, 13, "Bob", 1),  # the nearest, not the first
        ("Ann saw Bob. Bob saw Cy.", {"text": "Bob", "answer_start": -1}, 8, "Bob", 1),
        ("Ann saw Bob. Bob saw Cy.", {"text": "Bob", "answer_start": 900}, 13, "Bob", 1),
        ("Ann saw Bob. Bob saw Cy.", "Bob", 8, "Bob", 1),  # no place, two of them
        ("Ann saw Bob. Bob saw Cy.", "Cy", 21, "Cy", 0),
        ("Ann saw  Bob.", {"text": " Bob", "answer_start": 8}, 9, "Bob", 0),  # white space is not part of it
        ("价格是１２３元", "123元", 3, "１２３元", 0),  # full-width
        ("他死于1992年，享年80岁", "1992年,享年80岁。", 3, "1992年，享年80岁", 0),  # other punctuation, a full stop
        ("It was THE end", "the End", 7, "THE end", 0),
        ("a party of art", "art", 11, "art", 0),  # not the one in 'party'
        ("a party of Art", "art", 11, "Art", 0),
        ("a party of art, art", {"text": "art", "answer_start": 2}, 11, "art", 1),
        ("1995 or 5", "5", 8, "5", 0),
        ("a party", "art", 3, "art", 1),  # inside another word alone
        ("他在北京大学", "北京", 2, "北京", 0),
    ],
)
def test_places(text: str, cell: object, start: int, words: str, guessed: int) -> None:
    found = read(cell, text)
    assert found.answers == (GoldAnswer(text=words, start=start),)
    assert text[start : start + len(words)] == words
    assert found.guessed == guessed


def test_an_answer_in_other_words_counts_beside_one_that_stands_in_the_text() -> None:
    found = read(["Daniel", "Bob saw"])
    assert found.answers == (GoldAnswer(text="Bob saw", start=13), GoldAnswer(text="Daniel", start=None))
    assert found.placed == ((13, 20),)
    said = AnswerPrediction(text="daniel", confidence=1.0)
    assert Answer().right(said, found)


def test_the_language_is_that_of_the_text() -> None:
    assert read("1992", "他死于1992年").language == "zh"
    assert read("1992", "He died in the autumn of 1992 (一九九二)").language == "en"


@settings(max_examples=200, deadline=None)
@given(st.text("ab 好1。", min_size=1, max_size=12), st.data())
def test_units_cover_the_answer(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    units = units_of(text)
    touched = [index for index, (a, b) in enumerate(units) if a < end and start < b]
    assert covering(units, start, end) == ((touched[0], touched[-1] + 1) if touched else None)


def encode(records: Sequence[AnswerRecord], tokenizer: Tokenizer, length: int, **options: Any) -> list[Feature]:
    return Answer(AnswerOptions(**options)).encode(records, tokenizer, BOTH, length)


def test_the_answer_stands_where_the_targets_say(tokenizer: Tokenizer) -> None:
    text = "the film was good, not bad."
    (feature,) = encode([record(text, 13, 26)], tokenizer, 64)
    backend = tokenizer.backend
    start, end = int(feature.targets["start"]), int(feature.targets["end"])
    assert [backend.id_to_token(each) for each in feature.input_ids[start : end + 1]] == ["good", ",", "not", "bad"]
    whole = backend.encode("good?", text)
    assert feature.input_ids.tolist() == whole.ids
    assert feature.token_type_ids is not None
    assert feature.token_type_ids.tolist() == whole.type_ids


def test_windows_overlap_and_one_without_the_answer_points_at_its_first_token(tokenizer: Tokenizer) -> None:
    words = ["the", "film", "was", "a", "bad", "good", "not", "service", "the", "a"]
    text = " ".join(words)
    start = text.index("service")
    features = encode([record(text, start, start + 7)], tokenizer, 11, overlap=3)  # 3 special, 2 asked: room for 6
    read_units = [feature.places["units"].tolist() for feature in features]
    assert read_units == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 6, 7, 8], [6, 7, 8, 9]]
    targets = [(int(feature.targets["start"]), int(feature.targets["end"])) for feature in features]
    assert targets == [(0, 0), (8, 8), (5, 5)]
    for feature, (at, _end) in zip(features[1:], targets[1:], strict=True):
        assert tokenizer.backend.id_to_token(int(feature.input_ids[at])) == "service"
    assert [feature.cut for feature in features] == [0, 0, 0]


def test_an_answer_that_no_window_holds_whole_teaches_nothing_and_is_counted(tokenizer: Tokenizer) -> None:
    text = "the film was a bad good not service the a"
    long, none = record(text, 0, len(text)), record(text)
    features = encode([long, none], tokenizer, 11, overlap=3)
    assert all(not feature.targets for feature in features if feature.group == 0)
    assert [feature.group for feature in features if feature.lost] == [0]
    assert all(int(feature.targets["end"]) == 0 for feature in features if feature.group == 1)


def test_a_long_question_and_a_long_word_are_cut_and_said(tokenizer: Tokenizer) -> None:
    (feature,) = encode([record("good film", question="the film was a bad film")], tokenizer, 64, max_question=2)
    assert (feature.cut, len(feature)) == (4, 3 + 2 + 2)
    tokenizer.memo["units"] = LongWord.of(tokenizer)
    feature, *others = encode([record("a loooong film", 2, 9)], tokenizer, 11, overlap=2)
    assert len(feature) <= 11
    assert sum(each.cut for each in (feature, *others)) == 9 - 6
    assert all(place < len(each) - 1 for each in (feature, *others) for place in each.places["ends"])


class LongWord:
    """A tokenizer of units for which one word has nine tokens."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Any:
        from weitiao.tasks.units import UnitTokenizer

        made = UnitTokenizer.of(tokenizer)
        made.known["loooong", True] = (tuple([5] * 9), 0)
        return made


def test_questions_on_one_text_are_as_each_alone(tokenizer: Tokenizer) -> None:
    records = [record("the film was good", 4, 8), record("the film was good", 13, 17, "bad film?")]
    together = encode(records, tokenizer, 64)
    alone = [encode([each], tokenizer, 64)[0] for each in records]
    for left, right in zip(together, alone, strict=True):
        assert left.input_ids.tolist() == right.input_ids.tolist()
        assert {name: int(value) for name, value in left.targets.items()} == {
            name: int(value) for name, value in right.targets.items()
        }


def test_chinese_answers_are_exact_pieces_of_characters(tokenizer: Tokenizer) -> None:
    text = "他 １９９２年出生于北京（首都），good。"
    start = text.index("北京")
    features = encode([record(text, start, start + 2)], tokenizer, 64)
    said = Answer().decode(record(text), features, [pointing(feature) for feature in features], ["answer"], {})
    assert (said.text, said.start, said.end) == ("北京", start, start + 2)


LOGITS = st.floats(-5, 5, width=32)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), length=st.integers(8, 20), longest=st.integers(1, 6), overlap=st.integers(0, 6))
def test_the_best_pieces_are_the_best_of_all(data: st.DataObject, length: int, longest: int, overlap: int) -> None:
    tokenizer = Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)
    task = Answer(AnswerOptions(overlap=overlap, max_answer=longest, n_best=3))
    text = "the film was a bad, good film; not a service!"
    asked = record(text)
    features = task.encode([asked], tokenizer, BOTH, length)
    outputs = [
        {end: np.array(data.draw(st.lists(LOGITS, min_size=len(each), max_size=len(each)))) for end in ("start", "end")}
        for each in features
    ]
    units = units_of(text)
    scores: dict[tuple[int, int], float] = {}
    for feature, output in zip(features, outputs, strict=True):
        for i, first in enumerate(feature.places["units"].tolist()):
            for j, last in enumerate(feature.places["units"].tolist()):
                if first <= last < first + longest:
                    score = output["start"][feature.places["starts"][i]] + output["end"][feature.places["ends"][j]]
                    scores[first, last] = max(scores.get((first, last), -np.inf), float(score))
    null = min(float(output["start"][0] + output["end"][0]) for output in outputs)
    best = max(scores.values())
    said = task.decode(asked, features, outputs, BOTH, {"no_answer": 1e9})
    found = Candidates.of(features, outputs, longest)
    assert found.best == pytest.approx(best)
    assert said.no_answer_score == pytest.approx(null - best)
    everything = np.logaddexp.reduce([*scores.values(), null])
    assert said.confidence == pytest.approx(np.exp(best - everything))
    by_text: dict[str, float] = {}
    for (first, last), score in scores.items():
        piece = text[units[first][0] : units[last][1]]
        by_text[piece] = max(by_text.get(piece, -np.inf), score)
    ranked = sorted(by_text.values(), reverse=True)[:3]
    assert [each.confidence for each in said.n_best] == pytest.approx([np.exp(each - everything) for each in ranked])
    assert len({each.text for each in said.n_best}) == len(said.n_best) == min(3, len(by_text))
    assert all(text[each.start : each.end] == each.text for each in said.n_best)
    silent = task.decode(asked, features, outputs, BOTH, {"no_answer": null - best - 1e-6})
    assert (silent.text, silent.start, silent.no_answer) == ("", None, True)
    assert silent.confidence == pytest.approx(np.exp(null - everything))
    always = task.decode(asked, features, outputs, ["answer"], {"no_answer": -1e9})
    assert always.text == said.text


ROWS = st.lists(st.tuples(st.integers(-6, 6), st.floats(0, 1), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(ROWS)
def test_the_threshold_is_the_best_of_all(rows: list[tuple[int, float, bool]]) -> None:
    scores = np.array([float(score) for score, _gained, _none in rows])
    silent = np.array([float(none) for _score, _gained, none in rows])
    gained = np.array([0.0 if none else value for _score, value, none in rows])

    def total(cut: float) -> float:
        return float(np.where(scores > cut, silent, gained).sum())

    chosen = best_threshold(scores, gained, silent)
    assert total(chosen) == pytest.approx(max(total(cut) for cut in np.arange(-8, 8, 0.5) + 0.25), abs=1e-6)
    assert not np.isin(chosen, scores) or chosen == 0.0


def test_the_threshold_is_found_on_dev_and_only_where_training_had_texts_without_an_answer(
    tokenizer: Tokenizer,
) -> None:
    task = Answer()
    records = [record("the film was good", 13, 17), record("the film was bad"), record("a film", 2, 6)]
    features = [[each] for each in task.encode(records, tokenizer, BOTH, 64)]
    outputs = [[pointing(each[0])] for each in features]
    for row, first in ((0, 1.0), (1, 6.0), (2, 3.0)):  # the piece always has 8, or 0 where there is none
        outputs[row][0]["start"][0] = first * 4 - 4 * (row == 1)
    assert task.calibrate(records, features, outputs, ["answer"]) == {}
    assert task.calibrate([], [], [], BOTH) == {}
    found = task.calibrate(records, features, outputs, BOTH)
    said = [task.decode(*each, BOTH, found) for each in zip(records, features, outputs, strict=True)]
    assert [each.text for each in said] == ["good", "", "film"]
    unlabelled = AnswerRecord(question="a?", text="a film")
    again = task.calibrate([*records, unlabelled], [*features, features[0]], [*outputs, outputs[0]], BOTH)
    assert again == found


def test_a_text_without_answer_that_training_never_saw_is_told() -> None:
    splits = {"train": [read("Ann")], "dev": [read([]), read("Bob saw Cy")]}
    found = [each for each in Answer().audit(splits, ["answer"]) if each.code == "unknown-label"]
    assert [(each.severity, len(each.rows)) for each in found] == [("warning", 1)]
    assert found[0].message.startswith("the text of 1 of 2 rows holds no answer, which no training row taught")
    nothing = Answer().audit({"train": [read([])]}, ["no_answer"])
    assert [each.message for each in nothing if each.severity == "error"] == [
        "no training row has an answer; check `data.fields.answers` and the file"
    ]


def test_what_stands_in_the_way_is_told() -> None:
    task = Answer(AnswerOptions(max_answer=2))
    rows = [
        read({"text": "Bob", "answer_start": 3}),
        read(["Ann", "Dan"]),
        read("nn saw"),
        read("Ann saw Bob"),
        read("Ann"),
    ]
    found = {each.code: each for each in task.audit({"train": rows}, ["answer"])}
    assert {code: (each.severity, [row.note for row in each.rows]) for code, each in found.items()} == {
        "guessed-answers": ("note", ["'Bob'", "'nn saw'"]),  # the second stands inside a word alone
        "unplaced-answers": ("note", ["'Dan'"]),
        "misaligned-answers": ("warning", ["'nn saw'"]),
        "long-answers": ("warning", ["'Ann saw Bob'"]),
    }
    assert "longer than the 2 words or characters of `task.max_answer`" in found["long-answers"].message


def test_texts_on_both_sides_of_a_split_are_told() -> None:
    train = [read("Ann"), read("Cy", "Cy came.")]
    splits = {"train": train, "dev": [read("Bob saw Cy"), read("Dan", "Dan came.")], "test": [read("Cy", "Cy came.")]}
    found = [each for each in Answer().audit(splits, ["answer"]) if each.code == "shared-texts"]
    assert [(each.message[:29], len(each.rows), each.rows[0].twin) for each in found] == [
        ("1 of 2 rows of dev asks about", 1, "f:1"),
        ("1 of 1 rows of test asks abou", 1, "f:1"),
    ]


def test_smoothing_does_not_go_with_places() -> None:
    (finding,) = Answer().misfits(TrainingSpec(label_smoothing=0.1))
    assert finding.keys == ("training", "label_smoothing")
    assert not list(Answer().misfits(TrainingSpec()))


def test_the_option_says_whose_rules_compare() -> None:
    gold = AnswerRecord(question="?", text="x", answers=(GoldAnswer(text="the end", start=None),), language="en")
    said = AnswerPrediction(text="end", confidence=1.0)
    for language, right in (("auto", True), ("en", True), ("zh", False)):
        task = Answer(AnswerOptions(metric_language=language))
        assert task.right(said, gold) is right
        assert float(task.metrics([])[1].counts(said, gold)[0]) == right
    assert f1("end", "the end", "zh") == pytest.approx(2 / 3)


ROWS_TO_LEARN = [
    *({"question": "what is eaten?", "text": f"today {who} has a {food}, and it is good.", "answers": [food]}
      for who, food in (("Ann", "fish pie"), ("Bob", "soup"), ("Cy", "cake"), ("Dan", "red fish"), ("Eve", "rice"))),
    *({"question": "去哪里？", "text": f"{who}今天去{place}，明天回来。", "answers": [place]}
      for who, place in (("小王", "北京"), ("老李", "上海市"), ("张三", "天津"), ("李四", "南京"), ("小赵", "广州市"))),
    *({"question": "what is eaten?", "text": f"today {who} is not at home.", "answers": []}
      for who in ("Ann", "Bob", "Cy")),
    *({"question": "去哪里？", "text": f"{who}今天不出门。", "answers": []} for who in ("小王", "老李", "张三")),
]  # fmt: skip


def test_a_tiny_model_learns_sixteen_rows_by_heart(tmp_path: Path) -> None:
    import weitiao
    from weitiao.models.tiny import tiny

    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    for path in (train, test):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS_TO_LEARN), "utf-8")
    run = weitiao.train(
        {
            "task": "answer",
            "model": str(tiny("bert", tmp_path / "tiny", texts=[str(row["text"]) for row in ROWS_TO_LEARN])),
            "data": {"train": str(train), "dev": None, "test": str(test)},
            "training": {"epochs": 60, "learning_rate": 5e-3, "batch_size": 8, "max_length": 48, "threads": 1},
            "evaluation": {"resamples": 100},
            "output": str(tmp_path / "run"),
        }
    )
    assert {name: score.value for name, score in run.report.metrics.items()} == {"f1": 1.0, "exact_match": 1.0}
    assert [table.name for table in run.report.tables] == [
        "answer_errors", "answer_existence", "answers_by_length", "answers_by_question", "answer_alignment",
    ]  # fmt: skip
    assert run.report.baselines["lexical_overlap"].metrics["f1"].value < 1
    found = run.predict([("what is eaten?", ROWS_TO_LEARN[0]["text"])])[0]
    assert (found.text, found.start, found.end) == ("fish pie", 16, 24)
    assert weitiao.compare(str(run.path), str(run.path)).verdict == "none"
    line = json.loads((run.path / "predictions.jsonl").read_text("utf-8").splitlines()[0])
    assert line["answers"] == [{"text": "fish pie", "start": 16}]
    assert "n_best" not in line["prediction"]
