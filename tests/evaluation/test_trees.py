"""Trees in a report: figures by relation, distance and length counted by hand; the cheap tree of neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from weitiao.evaluation import ANALYSES, BASELINES
from weitiao.evaluation.baselines import Splits
from weitiao.evaluation.schema import FigureTable
from weitiao.evaluation.titles import baseline_title, metric_title, row_title, table_title
from weitiao.metrics.trees import tree_metrics
from weitiao.records import ParsedToken, ParsePrediction, ParseRecord
from weitiao.tasks.parse import Parse


def record(text: str, *words: tuple[str, int, str], line: int = 1) -> ParseRecord:
    """A sentence of one-letter words."""
    upos, heads, deprels = zip(*words, strict=True)
    tokens = tuple((place, place + 1) for place in range(0, len(text), 2))
    return ParseRecord(file="f.conllu", line=line, text=text, tokens=tokens, upos=upos, heads=heads, deprels=deprels)


def answer(of: ParseRecord, *words: tuple[str, int, str], sure: Sequence[float] = ()) -> ParsePrediction:
    tokens = [
        ParsedToken(
            form=of.text[start:end], start=start, end=end, upos=upos, head=head, deprel=deprel,
            confidence=sure[place] if sure else 0.5,
        )
        for place, ((start, end), (upos, head, deprel)) in enumerate(zip(of.tokens or (), words, strict=True))
    ]  # fmt: skip
    return ParsePrediction(tokens=tuple(tokens))


GOLD = [
    record("a b c", ("N", 2, "nsubj:pass"), ("V", 0, "root"), ("P", 2, "punct")),
    record("d", ("N", 0, "root"), line=9),
    record("a b c d e f", ("N", 6, "nsubj"), *(("N", 1, "nmod") for _word in range(4)), ("V", 0, "root"), line=11),
]
SAID = [
    answer(GOLD[0], ("N", 2, "nsubj"), ("V", 0, "dep"), ("N", 1, "punct"), sure=(0.9, 0.9, 0.8)),
    answer(GOLD[1], ("N", 0, "root")),
    answer(
        GOLD[2], ("N", 6, "nsubj"), *(("N", 6, "nmod") for _word in range(4)), ("V", 0, "root"),
        sure=(0.1, 0.2, 0.95, 0.3, 0.4, 0.9),
    ),
]  # fmt: skip


def rows(table: FigureTable) -> dict[str, tuple[int, dict[str, float]]]:
    return {row.label: (row.count, row.figures) for row in table.rows}


def test_figures_by_hand() -> None:
    found = ANALYSES["parse"](Parse(), [], SAID, GOLD, train=[], texts=True)
    by_relation, by_distance, by_length = found.tables
    assert rows(by_relation) == {
        "nmod": (4, {"las": 0.0, "uas": 0.0, "upos_accuracy": 1.0}),
        "root": (3, {"las": 2 / 3, "uas": 1.0, "upos_accuracy": 1.0}),
        "nsubj": (2, {"las": 1.0, "uas": 1.0, "upos_accuracy": 1.0}),
        "punct": (1, {"las": 0.0, "uas": 0.0, "upos_accuracy": 0.0}),
    }
    assert list(rows(by_distance)) == ["to_root", "1", "2", "3-5"]
    assert [row.count for row in by_distance.rows] == [3, 3, 1, 3]
    assert rows(by_distance)["3-5"][1]["uas"] == pytest.approx(1 / 3)
    assert {label: row[0] for label, row in rows(by_length).items()} == {"1-5": 4, "6-10": 6}
    assert [table_title(table.name) for table in found.tables] == [
        "Words by relation", "Words by distance to their head", "Words by length of their sentence",
    ]  # fmt: skip
    assert row_title("to_root") == "the root"


def test_only_the_commonest_relations_have_a_row() -> None:
    words = [("N", 0, "root"), *(("N", 1, f"r{number % 25}") for number in range(49))]
    many = record(" ".join("a" * 50), *words)
    table = ANALYSES["parse"](Parse(), [], [answer(many, *words)], [many], train=[], texts=True).tables[0]
    assert len(table.rows) == 20
    assert {row.count for row in table.rows} == {2}


def test_the_surest_wrong_head_of_each_sentence() -> None:
    with_texts = ANALYSES["parse"](Parse(), [], SAID, GOLD, train=[], texts=True).mistakes
    assert [(each.place, each.confidence, each.text) for each in with_texts] == [
        ("f.conllu:11", 0.95, "a b c d e f"),
        ("f.conllu:1", 0.8, "a b c"),
    ]
    assert (with_texts[0].gold, with_texts[0].predicted) == (["3 c -> 1 a"], ["3 c -> 6 f"])
    without = ANALYSES["parse"](Parse(), [], SAID, GOLD, train=[], texts=False).mistakes
    assert [(each.gold, each.predicted, each.text) for each in without] == [
        (["3 -> 1"], ["3 -> 6"], None),
        (["3 -> 2"], ["3 -> 1"], None),
    ]


def tree_of(train: Sequence[ParseRecord], row: ParseRecord) -> tuple[list[tuple[str, int, str]], str]:
    found = BASELINES["right_attachment"](Parse(), Splits(train, [], [row], []))
    (said,) = found.predictions
    return [(each.upos, each.head, each.deprel) for each in said.tokens], str(found.settings["head"])


RIGHTWARDS = [
    record("a b c", ("D", 2, "det"), ("N", 3, "nsubj"), ("V", 0, "root")),
    record("A c", ("D", 2, "det"), ("V", 0, "root")),
    record("b d", ("N", 2, "obj"), ("X", 0, "root")),
    record("b d", ("N", 2, "obj"), ("X", 0, "root")),
]
LEFTWARDS = [record("a b c", ("V", 0, "root"), ("N", 1, "obj"), ("N", 2, "nmod"))]


def test_neighbours_on_the_side_that_training_rows_say() -> None:
    assert tree_of(RIGHTWARDS, record("a b c", *[("", 0, "")] * 3)) == (
        [("D", 2, "det"), ("N", 3, "obj"), ("V", 0, "root")],
        "next",
    )
    assert tree_of(LEFTWARDS, record("c b", *[("", 0, "")] * 2)) == ([("N", 0, "root"), ("N", 1, "obj")], "before")


def test_new_forms_are_what_forms_met_once_are() -> None:
    once = [*RIGHTWARDS, record("e f", ("Q", 2, "amod"), ("Q", 0, "root"))]
    assert tree_of(once, record("z z", *[("", 0, "")] * 2))[0] == [("Q", 2, "amod"), ("Q", 0, "root")]
    never = [*RIGHTWARDS, *RIGHTWARDS]
    assert tree_of(never, record("z z", *[("", 0, "")] * 2))[0] == [("N", 2, "obj"), ("N", 0, "root")]


def test_sentences_of_one_word_teach_enough() -> None:
    train = [record("a", ("N", 0, "root"))]
    assert tree_of(train, record("a b", *[("", 0, "")] * 2))[0] == [("N", 2, "root"), ("N", 0, "root")]


def test_names_on_the_page() -> None:
    assert "right_attachment" in Parse.baselines
    assert baseline_title("right_attachment") == "Each word on its neighbour"
    assert [metric_title(metric.name).split()[0] for metric in tree_metrics()] == ["LAS", "UAS", "Part", "LAS"]
