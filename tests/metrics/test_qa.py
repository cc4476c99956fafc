"""EM and F1 of answers: cases counted by hand, and the official scripts' definitions written anew from the papers."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.metrics.classification import total_counts
from weitiao.metrics.qa import Language, answer_metrics, best, exact_match, f1, language_of, mixed_segments
from weitiao.records import AnswerPrediction, AnswerRecord, GoldAnswer


@pytest.mark.parametrize(
    ("answer", "gold", "em", "score"),
    [
        ("the Denver Broncos!", "Denver Broncos", 1, 1.0),
        ("Broncos", "Denver Broncos", 0, 2 / 3),
        ("a b b", "b b c", 0, 0.8),  # 'a' is an article: {b, b} of 2 and 3
        ("308", "308 points", 0, 2 / 3),
        ("24-10", "2410", 1, 1.0),  # punctuation goes, and nothing takes its place
        ("Panthers", "Broncos", 0, 0.0),
        ("The", "an", 1, 1.0),  # nothing but articles on both sides
        ("The", "cat", 0, 0.0),
        ("", "cat", 0, 0.0),
        ("x\u3000y\n z", "X Y Z", 1, 1.0),
    ],
)
def test_english_by_hand(answer: str, gold: str, em: int, score: float) -> None:
    assert exact_match(answer, gold, "en") == em
    assert f1(answer, gold, "en") == pytest.approx(score, abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "gold", "em", "score"),
    [
        ("北京市", "北京市", 1, 1.0),
        ("《北京》，市。", "北京市", 1, 1.0),  # CMRC's signs go
        ("北京", "北京市", 0, 0.8),  # 2 of 2 and of 3
        ("光荣和ω-force", "光荣和ω-force。", 1, 1.0),
        ("光荣", "光荣和ω-force", 0, 2 * 2 / (2 + 4)),  # 光 荣 和 ωforce
        ("1992年出生", "出生1992年", 0, 0.5),  # [1992 年 出 生] and [出 生 1992 年]: a run of 2, of 4 and 4
        ("NBA 总冠军", "nba总冠军", 0, 1.0),  # a space is no segment, but it is a character
        ("上海", "北京", 0, 0.0),
        ("，。", "北京", 0, 0.0),
        ("3.5%", "3.5", 0, 2 / 3),
        ("abc", "abc def", 0, 2 / 3),
    ],
)
def test_chinese_by_hand(answer: str, gold: str, em: int, score: float) -> None:
    assert exact_match(answer, gold, "zh") == em
    assert f1(answer, gold, "zh") == pytest.approx(score, abs=1e-12)


def test_segments() -> None:
    assert mixed_segments(" 《战国无双3》由KOEI-TECMO和ω-force开发，1,000万套(约)") == [
        "战", "国", "无", "双", "3", "由", "koeitecmo", "和", "ωforce", "开", "发", "1,000", "万", "套", "(", "约", ")",
    ]  # fmt: skip


# --- the definitions once more, from the papers and scripts, by other means ---


def reference_english(answer: str, gold: str) -> tuple[float, float]:
    """evaluate-v2.0.py: `normalize_answer`, `compute_exact`, `compute_f1`, word by word without a bag."""
    sides = []
    for text in (answer, gold):
        kept = "".join(sign for sign in text.lower() if sign not in set(string.punctuation))
        sides.append(re.sub(r"\b(a|an|the)\b", " ", kept, flags=re.UNICODE).split())
    said, wanted = sides
    if not said or not wanted:
        return float(said == wanted), float(said == wanted)
    left, same = list(wanted), 0
    for word in said:
        if word in left:
            left.remove(word)
            same += 1
    if not same:
        return float(said == wanted), 0.0
    precision, recall = same / len(said), same / len(wanted)
    return float(said == wanted), 2 * precision * recall / (precision + recall)


SIGNS = set("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")


def reference_chinese(answer: str, gold: str) -> tuple[float, float]:
    """cmrc2018_evaluate.py, with every common substring looked for; the words of these tests are parted by spaces."""
    sides, plain = [], []
    for text in (answer, gold):
        kept = "".join(sign for sign in text.lower().strip() if sign not in SIGNS)
        plain.append(kept)
        sides.append("".join(f" {sign} " if "\u4e00" <= sign <= "\u9fa5" else sign for sign in kept).split())
    said, wanted = sides
    em = float(plain[0] == plain[1])
    if not said or not wanted:
        return em, float(said == wanted)
    runs = [
        size
        for i, j in product(range(len(said)), range(len(wanted)))
        for size in range(1, min(len(said) - i, len(wanted) - j) + 1)
        if said[i : i + size] == wanted[j : j + size]
    ]
    if not runs:
        return em, 0.0
    precision, recall = max(runs) / len(said), max(runs) / len(wanted)
    return em, 2 * precision * recall / (precision + recall)


ENGLISH = st.lists(
    st.sampled_from(["the", "An", "a", "cat", "Cat,", "sat", "24–10", "U.S.", "don't", "  ", "é", "!"]), max_size=7
)
CHINESE = st.text("北京上海 年19aBc，。《》-·（）", max_size=10)


@settings(max_examples=400, deadline=None)
@given(ENGLISH, ENGLISH)
def test_english_is_as_defined(answer: list[str], gold: list[str]) -> None:
    said, wanted = " ".join(answer), " ".join(gold)
    expected = reference_english(said, wanted)
    assert (exact_match(said, wanted, "en"), f1(said, wanted, "en")) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=400, deadline=None)
@given(CHINESE, CHINESE)
def test_chinese_is_as_defined(answer: str, gold: str) -> None:
    expected = reference_chinese(answer, gold)
    assert (exact_match(answer, gold, "zh"), f1(answer, gold, "zh")) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(ENGLISH, st.lists(ENGLISH, max_size=3)), min_size=1, max_size=5))
def test_the_metric_is_the_mean_of_the_best(rows: Sequence[tuple[list[str], list[list[str]]]]) -> None:
    predictions = [AnswerPrediction(text=" ".join(said), confidence=1.0) for said, _gold in rows]
    records = [
        AnswerRecord(
            question="?", text="x", answers=tuple(GoldAnswer(text=" ".join(each)) for each in gold), language="en"
        )
        for _said, gold in rows
    ]
    for position, metric in ((0, answer_metrics()[1]), (1, answer_metrics()[0])):
        value = metric.value(total_counts(metric, predictions, records))
        each = [
            max(
                (
                    reference_english(said.text, gold.text)[position]
                    for gold in record.answers or ()
                    if words(gold.text)
                ),
                default=reference_english(said.text, "")[position],
            )
            for said, record in zip(predictions, records, strict=True)
        ]
        assert float(value) == pytest.approx(np.mean(each), abs=1e-9)


def words(text: str) -> bool:
    return reference_english(text, "")[0] == 0.0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_where_there_is_no_answer_only_silence_is_right(language: Language) -> None:
    for score in (exact_match, f1):
        assert best(score, "", [], language) == 1.0
        assert best(score, "cat", [], language) == 0.0
        assert best(score, "", ["cat"], language) == 0.0
        assert best(score, "cat", ["dog", "cat"], language) == 1.0


def test_a_row_says_its_language_or_its_answers_do() -> None:
    def row(text: str, language: str = "") -> AnswerRecord:
        return AnswerRecord.model_validate(
            {"question": "", "text": "", "answers": [{"text": text}], "language": language}
        )

    assert [language_of(row(*each)) for each in (("cat",), ("猫",), ("猫", "en"), ("1", "zh"))] == [
        "en",
        "zh",
        "en",
        "zh",
    ]
