"""Classify: the contract for its three kinds, values read honestly, abstaining, thresholds, weights."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from tests.tasks.contract import TaskContract
from weitiao.data.fields import map_columns
from weitiao.data.reading import FileReading, Reading
from weitiao.records import ClassifyPrediction, ClassifyRecord, Feature, Outputs, Row
from weitiao.tasks import TASKS, RowFault
from weitiao.tasks.classify import Classify, ClassifyOptions, best_threshold
from weitiao.tasks.pairs import CHUNK

TRAIN = [
    {"text": "good film", "label": "POS"},
    {"text": "the service was bad and the film was long, long, long", "label": "NEG"},
    {"text": "bad", "label": "NEG"},
    {"text": "not bad \x00 🙂", "label": "POS"},
]


class _Classifies(TaskContract):
    dev = ({"text": "a film", "label": "POS"}, {"text": "a film", "label": "NEUTRAL"})

    def answered(self, record: ClassifyRecord, prediction: ClassifyPrediction) -> ClassifyRecord:
        return record.model_copy(update={"labels": prediction.labels})


class TestSingleLabel(_Classifies):
    task = Classify()
    train = tuple(TRAIN)
    target_dtypes: ClassVar = {"labels": np.int64}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return {"logits": np.eye(len(labels), dtype=np.float32)[int(feature.targets["labels"])] * 4}


class TestPairs(TestSingleLabel):
    train = tuple({**row, "text_pair": "was it good?"} for row in TRAIN)
    dev = tuple({**row, "text_pair": "was it good?"} for row in _Classifies.dev)


class TestMultiLabel(_Classifies):
    task = Classify(ClassifyOptions(multi_label=True))
    train = (
        {"text": "good film", "label": "POS, FILM"},
        {"text": "the service was bad", "label": ["NEG", "SERVICE"]},
        {"text": "bad film", "label": '["NEG", "FILM"]'},
        {"text": "the", "label": "[]"},
        {"text": "good", "label": "POS"},
    )
    target_dtypes: ClassVar = {"labels": np.float32}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        return {"logits": (feature.targets["labels"].astype(np.float64) - 0.5) * 8}


def read(value: object, **options: Any) -> ClassifyRecord:
    return Classify(ClassifyOptions(**options)).read({"text": "a text", "label": value}, file="f.csv", line=2)


def test_it_is_in_the_table() -> None:
    assert TASKS["classify"] is Classify


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("POS", "POS"),
        (" POS ", "POS"),
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (1.5, "1.5"),
        (2.0**60, "1.152921504606847e+18"),
        (True, "true"),
        (np.float64(3.0), "3"),
        (np.int8(3), "3"),
        (np.bool_(False), "false"),
        (np.str_("x"), "x"),
        (Decimal("1.10"), "1.10"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
        (np.datetime64("2024-01-31T10:00", "ns"), "2024-01-31T10:00:00.000000000"),
        ("1.0", "1.0"),
        (["POS"], "POS"),
    ],
)
def test_cells_read_as_they_are_shown(value: object, text: str) -> None:
    assert read(value).labels == (text,)


@pytest.mark.parametrize(
    "value", [None, "", "  ", float("nan"), np.float32("nan"), np.datetime64("NaT", "ns"), [], "\ufeff"]
)
def test_missing_labels(value: object) -> None:
    with pytest.raises(RowFault, match=r"^no label$"):
        read(value)


def test_pandas_missing_values() -> None:
    pandas = pytest.importorskip("pandas")
    for value in (pandas.NA, pandas.NaT):
        with pytest.raises(RowFault, match=r"^no label$"):
            read(value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"text": None, "label": "a"}, "empty text"),
        ({"text": "\u200b \ufeff\t", "label": "a"}, "empty text"),
        ({"text": "　", "label": "a"}, "empty text"),
        ({"text": ["a"], "label": "a"}, "a list where text is expected"),
        ({"text": {"a": 1}, "label": "a"}, "a dict where text is expected"),
        ({"text": b"a", "label": "a"}, "a bytes where text is expected"),
        ({"text": "a", "text_pair": "", "label": "a"}, "empty text_pair"),
        ({"text": "a", "label": ["a", "b"]}, "2 labels where one is expected (for several, set `multi_label: true`)"),
        ({"text": "a", "label": {"x": 1}}, "a dict where text is expected"),
        ({"text": "a"}, "no label"),
    ],
)
def test_faulty_rows(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(RowFault) as caught:
        Classify().read(fields, file="f.csv", line=2)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("a,b", ("a", "b")),
        ("a , b,", ("a", "b")),
        ("a,a", ("a",)),
        ('["a,b", "c"]', ("a,b", "c")),
        (["b", "a", None], ("b", "a")),
        (np.array(["a", "b"]), ("a", "b")),
        ("[]", ()),
        ([], ()),
        ("[broken", ("[broken",)),
        (7, ("7",)),
    ],
)
def test_multi_label_cells(value: object, labels: tuple[str, ...]) -> None:
    assert read(value, multi_label=True).labels == labels


def test_an_empty_multi_label_cell_is_missing() -> None:
    for value in ("", " , ", None):
        with pytest.raises(RowFault, match=r"^no label$"):
            read(value, multi_label=True)


def test_another_separator() -> None:
    assert read("a,b;c", multi_label=True, separator=";").labels == ("a,b", "c")


def test_the_text_itself_is_left_alone() -> None:
    record = Classify().read({"text": " \ta\x00b\r\n", "label": "x"}, file="f", line=1)
    assert record.text == " \ta\x00b\r\n"


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["10", "9", "1.5", "-1"], ["-1", "1.5", "9", "10"]),
        (["c10", "C2", "b"], ["b", "C2", "c10"]),
        (["正面", "负面"], ["正面", "负面"]),
        (["1", "x"], ["1", "x"]),
        (["01", "1"], ["01", "1"]),
    ],
)
def test_label_space_in_natural_order(labels: list[str], order: list[str]) -> None:
    task = Classify()
    records = [ClassifyRecord(text="t", labels=(label,)) for label in labels]
    assert task.label_space(records) == order
    assert task.label_space(records[::-1]) == order


def test_listed_labels_are_the_label_space() -> None:
    task = Classify(ClassifyOptions.model_validate({"labels": [1, 0]}))
    assert task.label_space([]) == ["1", "0"]


def test_chunks_are_seamless() -> None:
    from tests.model_folder import make_tokenizer
    from weitiao.text import Tokenizer

    tokenizer = Tokenizer(make_tokenizer(), pad_id=0, segments=True, max_length=64)
    records = [
        ClassifyRecord(text=f"good {i}", text_pair="bad" if i % 3 == 0 else None, labels=(str(i % 2),))
        for i in range(CHUNK + 5)
    ]
    features = Classify().encode(records, tokenizer, ["0", "1"], 16)
    assert [feature.group for feature in features] == list(range(CHUNK + 5))
    assert [int(feature.targets["labels"]) for feature in features] == [i % 2 for i in range(CHUNK + 5)]
    for index in (0, 1, CHUNK - 1, CHUNK, CHUNK + 2):
        (alone,) = Classify().encode([records[index]], tokenizer, ["0", "1"], 16)
        assert alone.input_ids.tolist() == features[index].input_ids.tolist()


def test_probabilities_are_exact_for_extreme_logits() -> None:
    record = ClassifyRecord(text="t")
    sure = Classify().decode(record, [], [{"logits": np.array([1e4, -1e4, 0.0])}], ["a", "b", "c"], {})
    assert (sure.labels, sure.confidence) == (("a",), 1.0)
    assert sum(sure.scores.values()) == pytest.approx(1.0)
    multi = Classify(ClassifyOptions(multi_label=True))
    answer = multi.decode(record, [], [{"logits": np.array([800.0, -800.0])}], ["a", "b"], {})
    assert answer.scores == {"a": 1.0, "b": 0.0}


def test_abstaining() -> None:
    task = Classify(ClassifyOptions(abstain_below=0.8))
    unsure = task.decode(ClassifyRecord(text="t"), [], [{"logits": np.array([1.0, 0.0])}], ["a", "b"], {})
    assert (unsure.labels, unsure.abstained) == ((), True)
    assert unsure.confidence == pytest.approx(1 / (1 + np.exp(-1)))
    sure = task.decode(ClassifyRecord(text="t"), [], [{"logits": np.array([3.0, 0.0])}], ["a", "b"], {})
    assert (sure.labels, sure.abstained) == (("a",), False)


def test_thresholds_of_settings_come_before_the_default() -> None:
    task = Classify(ClassifyOptions(multi_label=True))
    outputs: list[Outputs] = [{"logits": np.array([0.1, 0.1, -0.1])}]
    record = ClassifyRecord(text="t")
    assert task.decode(record, [], outputs, ["a", "b", "c"], {}).labels == ("a", "b")
    settings = {"thresholds": {"a": 0.9, "c": 0.2}}
    assert task.decode(record, [], outputs, ["a", "b", "c"], settings).labels == ("b", "c")
    fixed = Classify(ClassifyOptions(multi_label=True, threshold=0.4))
    assert fixed.decode(record, [], outputs, ["a", "b", "c"], {}).labels == ("a", "b", "c")
    assert fixed.calibrate([record], [[]], [outputs], ["a", "b", "c"]) == {}


def f1_of(gold: npt.NDArray[np.bool_], answered: npt.NDArray[np.bool_]) -> float:
    """By its definition: twice the hits over both counts."""
    return float(2 * (gold & answered).sum() / (gold.sum() + answered.sum()))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=25))
def test_the_best_threshold_is_the_best_of_all(rows: list[tuple[int, bool]]) -> None:
    scores = np.array([value / 20 for value, _gold in rows])
    gold = np.array([hit for _value, hit in rows])
    chosen = best_threshold(scores, gold)
    if not gold.any():
        assert chosen == 0.5
        return
    reached = f1_of(gold, scores >= chosen)
    others = [f1_of(gold, scores >= cut) for cut in np.arange(0.0125, 1.0, 0.025)]
    assert reached >= max(others) - 1e-12


def test_thresholds_ignore_unlabelled_rows_and_unknown_labels() -> None:
    task = Classify(ClassifyOptions(multi_label=True))
    records = [
        ClassifyRecord(text="t", labels=("a",)),
        ClassifyRecord(text="t", labels=("unknown",)),
        ClassifyRecord(text="t"),
    ]
    outputs: list[list[Outputs]] = [
        [{"logits": np.array([2.0])}],
        [{"logits": np.array([-2.0])}],
        [{"logits": np.array([9.0])}],
    ]
    assert task.calibrate(records, [[]] * len(records), outputs, ["a"])["thresholds"]["a"] == pytest.approx(0.5)
    assert task.calibrate(records[2:], [[]] * len(records[2:]), outputs[2:], ["a"]) == {}


def test_balanced_weights_equal_scikit_learns() -> None:
    gold = ["a"] * 7 + ["b"] * 2 + ["c"]
    records = [ClassifyRecord(text="t", labels=(label,)) for label in gold]
    task = Classify(ClassifyOptions(class_weights="balanced"))
    weights = task.targets(records, ["a", "b", "c"])["class_weights"]
    expected = compute_class_weight("balanced", classes=np.array(["a", "b", "c"]), y=np.array(gold))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_balanced_multi_label_weights_are_negatives_over_positives() -> None:
    records = [ClassifyRecord(text="t", labels=labels) for labels in [("a",), ("a", "b"), (), ("a",)]]
    task = Classify(ClassifyOptions(multi_label=True, class_weights="balanced"))
    np.testing.assert_allclose(task.targets(records, ["a", "b"])["class_weights"], [1 / 3, 3.0], rtol=1e-6)


def test_given_weights_and_none() -> None:
    task = Classify(ClassifyOptions(class_weights={"b": 2.5}))
    assert task.targets([], ["a", "b"])["class_weights"].tolist() == [1.0, 2.5]
    assert Classify().targets([], ["a", "b"]) == {}


def test_surface_and_answer() -> None:
    task = Classify()
    assert task.surface(ClassifyRecord(text="a", text_pair="b")) != task.surface(ClassifyRecord(text="a"))
    assert task.answer(ClassifyRecord(text="a", labels=("b", "a"))) == task.answer(
        ClassifyRecord(text="a", labels=("a", "b"))
    )
    assert task.answer(ClassifyRecord(text="a")) == ""


def test_pairs_among_single_texts_are_an_error() -> None:
    single = [ClassifyRecord(file="a.csv", line=2 + i, text=f"t{i}", labels=(str(i % 2),)) for i in range(20)]
    pairs = [ClassifyRecord(file="b.csv", line=2, text="t", text_pair="u", labels=("0",))]
    (problem,) = [
        each for each in Classify().audit({"train": single, "dev": pairs}, ["0", "1"]) if each.code == "mixed-pairs"
    ]
    assert (problem.severity, problem.file, problem.line) == ("error", "a.csv", 2)
    assert problem.message.startswith("20 rows have no second text")


def test_abstaining_is_for_one_label() -> None:
    with pytest.raises(ValueError, match="works only with one label a text"):
        ClassifyOptions(multi_label=True, abstain_below=0.5)


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        (["编号", "评论内容", "情感标签"], "评论内容", "情感标签"),
        (["用户评论", "评分", "时间"], "用户评论", "评分"),
        (["评价", "类型"], "评价", "类型"),
        (["评价", "评论内容"], "评论内容", None),
        (["标题", "新闻内容", "一级分类", "二级分类"], "新闻内容", "一级分类"),
        (["微博正文", "情感极性"], "微博正文", "情感极性"),
        (["问题描述", "问题类型"], "问题描述", "问题类型"),
        (["反馈内容", "分类标签", "类型"], "反馈内容", "分类标签"),
        (["文本1", "文本2", "类别标签"], "文本1", "类别标签"),
    ],
)
def test_columns_of_chinese_exports_are_recognised(columns: list[str], text: str, label: str | None) -> None:
    rows = [Row(dict.fromkeys(columns, "x"), "a.csv", 2)]
    mapped, _problems = map_columns(Reading(FileReading("a.csv", "", "csv", 1), columns, rows), {}, Classify.fields)
    assert (mapped.to_json().get("text"), mapped.to_json().get("label")) == (text, label)
