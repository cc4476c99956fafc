"""What a report says of answers, and the baseline of lexical overlap."""

from __future__ import annotations

import pytest

from weitiao.evaluation import ANALYSES, BASELINES
from weitiao.evaluation.answers import kind_of, question_word
from weitiao.evaluation.baselines import Splits
from weitiao.evaluation.overlap import sentences
from weitiao.records import AnswerPrediction, AnswerRecord
from weitiao.tasks.answer import Answer, AnswerOptions
from weitiao.tasks.tag import Tag

TASK = Answer()
TEXT = "Ann lives in Rome. Bob, her brother, lives in Paris with Cy. They met in May."


def row(question: str, answers: object, text: str = TEXT, line: int = 1) -> AnswerRecord:
    return TASK.read({"question": question, "text": text, "answers": answers}, file="f", line=line)


def said(text: str, within: str = TEXT, confidence: float = 0.9) -> AnswerPrediction:
    if not text:
        return AnswerPrediction(text="", confidence=confidence, no_answer=True)
    start = within.index(text)
    return AnswerPrediction(text=text, start=start, end=start + len(text), confidence=confidence)


RECORDS = [
    row("Where does Ann live?", ["Rome"]),
    row("Who is Ann's brother?", ["Bob"], line=2),
    row("When did they meet?", ["May"], line=3),
    row("How many friends has Cy?", [], line=4),
    row("Which town is Dan in?", [], line=5),
    row("老李在哪里？", ["上海"], "老李在上海。", line=6),
]
SAID = [
    said("Rome"),
    said("Bob, her brother"),
    said(""),
    said(""),
    said("Paris", confidence=0.4),
    said("老李", "老李在上海。"),
]


def test_the_tables() -> None:
    found = ANALYSES["answer"](TASK, ["answer", "no_answer"], SAID, RECORDS, train=RECORDS, texts=True)
    tables = {table.name: {each.label: (each.count, each.figures) for each in table.rows} for table in found.tables}
    shares = {"right": 2, "partly_right": 1, "elsewhere": 1, "missed_answer": 1, "answered_none": 1}
    assert tables["answer_errors"] == {name: (count, {"share": count / 6}) for name, count in shares.items()}
    existence = tables["answer_existence"]
    assert existence["has_none"] == (2, {"precision": 0.5, "recall": 0.5, "f1": 0.5})
    assert existence["has_answer"] == (4, {"precision": 0.75, "recall": 0.75, "f1": 0.75})
    lengths = tables["answers_by_length"]
    assert {name: count for name, (count, _figures) in lengths.items()} == {"1": 3, "2-3": 1}
    assert lengths["1"][1] == pytest.approx({"f1": (1 + 0.5 + 0) / 3, "exact_match": 1 / 3})
    words = {name: count for name, (count, _figures) in tables["answers_by_question"].items()}
    assert words == {"where": 1, "who": 1, "when": 1, "how many": 1, "which": 1, "哪里": 1}


def test_gold_answers_that_cannot_be_given_are_counted() -> None:
    task = Answer(AnswerOptions(max_answer=2))
    answers: list[object] = [
        ["Rome"],
        [{"text": "ome", "start": 14}],
        ["They met in May"],
        ["They met in May", "May"],
        [],
    ]
    records = [row("Where?", each) for each in answers]
    found = ANALYSES["answer"](task, ["answer"], [said("Rome")] * 5, records, train=[], texts=True)
    (table,) = (each for each in found.tables if each.name == "answer_alignment")
    counted = [(each.label, each.count, each.figures["share"]) for each in table.rows]
    assert counted == [("fits", 2, 0.5), ("border_in_unit", 1, 0.25), ("long_answer", 1, 0.25)]


def test_nothing_is_said_of_texts_without_an_answer_where_there_are_none() -> None:
    found = ANALYSES["answer"](TASK, ["answer"], SAID[:1], RECORDS[:1], train=[], texts=True)
    assert [table.name for table in found.tables] == [
        "answer_errors",
        "answers_by_length",
        "answers_by_question",
        "answer_alignment",
    ]


def test_mistakes_come_surest_first_and_without_texts_by_their_places() -> None:
    found = ANALYSES["answer"](TASK, [], SAID, RECORDS, train=[], texts=True).mistakes
    assert [(each.place, each.gold, each.predicted) for each in found] == [
        ("f:2", ["Bob"], ["Bob, her brother"]),
        ("f:3", ["May"], []),
        ("f:6", ["上海"], ["老李"]),
        ("f:5", [], ["Paris"]),
    ]
    assert found[0].text == f"Who is Ann's brother?\n{TEXT}"
    hidden = ANALYSES["answer"](TASK, [], SAID, RECORDS, train=[], texts=False).mistakes
    assert [(each.gold, each.predicted, each.text) for each in hidden] == [
        (["19-22"], ["19-35"], None),
        (["73-76"], [], None),
        (["3-5"], ["0-2"], None),
        ([], [f"{TEXT.index('Paris')}-{TEXT.index('Paris') + 5}"], None),
    ]


@pytest.mark.parametrize(
    ("prediction", "record", "kind"),
    [
        (SAID[0], RECORDS[0], "right"),
        (SAID[1], RECORDS[1], "partly_right"),
        (said("Rome"), RECORDS[1], "elsewhere"),
        (said(""), RECORDS[1], "missed_answer"),
        (said("Rome"), RECORDS[3], "answered_none"),
        (said(""), RECORDS[3], "right"),
    ],
)
def test_kinds(prediction: AnswerPrediction, record: AnswerRecord, kind: str) -> None:
    assert kind_of(prediction, record, right=TASK.right(prediction, record)) == kind


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("How many people?", "how many"),
        ("Whose car?", "who"),
        ("In which year?", "which"),
        ("What do you know?", "what"),
        ("Name the town.", "other_question"),
        ("Somewhat odd", "other_question"),
    ],
)
def test_question_words(question: str, word: str) -> None:
    assert question_word(row(question, ["Rome"])) == word


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ("哪一年出生？", "什么时候"),
        ("他是何人？", "谁"),
        ("为何离开？", "为什么"),
        ("有几个？", "多少"),
        ("请说明", "other_question"),
    ],
)
def test_chinese_question_words(question: str, word: str) -> None:
    assert question_word(row(question, ["上海"], "老李在上海。")) == word


def test_sentences() -> None:
    text = "It costs 3.5 dollars. 他来了。她走了！\nNo end"
    found = [text[each.units[0][0] : each.units[-1][1]] for each in sentences(text)]
    assert found == ["It costs 3.5 dollars.", "他来了。", "她走了！", "No end"]


def baseline(
    train: list[AnswerRecord], dev: list[AnswerRecord], rows: list[AnswerRecord]
) -> tuple[list[str], dict[str, object]]:
    found = BASELINES["lexical_overlap"](TASK, Splits(train, dev, rows, ["answer"]))
    for answer, record in zip(found.predictions, rows, strict=True):
        assert record.text[answer.start : answer.end] == answer.text
        assert 0 <= answer.confidence <= 1
    return [answer.text for answer in found.predictions], dict(found.settings)


def test_overlap_takes_the_sentence_or_what_it_adds() -> None:
    short = [row("Where does Ann live in?", ["Rome"])]
    whole = [row("Where does Ann live?", ["Ann lives in Rome."])]
    asked = [row("When did they meet in?", ["May"]), row("Is Dan there?", [])]
    texts, told = baseline(short, short, asked)
    assert told == {"units": 2.0, "rows": "dev"}
    assert texts[0] in ("May", "met", "May.")
    texts, told = baseline(short, whole, asked)
    assert told == {"units": "sentence", "rows": "dev"}
    assert texts[0] == "They met in May."
    assert baseline(whole, [], asked)[1] == {"units": "sentence", "rows": "train"}
    assert len(texts) == 2, "it answers where there is no answer too"


def test_overlap_reads_chinese_by_pairs_of_characters() -> None:
    text = "老李出生于北京。他在上海工作。后来去了天津。"
    gold = row("他在哪里工作？", ["他在上海工作。"], text)
    assert baseline([gold], [gold], [row("老李出生在哪里？", ["北京"], text)])[0] == ["老李出生于北京。"]


def test_rare_words_count_more() -> None:
    common = [row("x?", ["is"], f"the town is number {index}.") for index in range(9)]
    text = "The town is the town. Rome has a river."
    gold = row("Which river of the town?", ["Rome has a river."], text)
    assert baseline([*common, gold], [gold], [gold])[0] == ["Rome has a river."]


def test_the_card_says_how_the_model_is_loaded() -> None:
    from weitiao.evaluation.card import _stock_usage

    assert "AutoModelForQuestionAnswering.from_pretrained('m')" in _stock_usage(TASK, "m", '"..."')
    assert "pipeline(\"token-classification\", model='m')" in _stock_usage(Tag(), "m", '"..."')
