"""Exact match and F1 of answers in words, as the official scripts of SQuAD 2.0 and CMRC 2018 count them.

English: without case, punctuation and articles; F1 over the bag of words (Rajpurkar et al. 2016, section 6.1).
Chinese: without case and CMRC's punctuation; F1 over the longest common substring of Chinese characters and other words
(Cui et al. 2019, section 4). The best of several right answers counts; where the text holds none, only saying so is.
"""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from weitiao.metrics import Metric
from weitiao.metrics.classification import divide
from weitiao.records import AnswerPrediction, AnswerRecord, FloatArray
from weitiao.text import CHINESE, han_share

Language = Literal["en", "zh"]
ASCII_SIGNS = str.maketrans("", "", string.punctuation)
ARTICLES = re.compile(r"\b(a|an|the)\b")
CMRC_SIGNS = str.maketrans(
    "", "", "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
)  # cmrc2018_evaluate.py, `sp_char`
CMRC_PARTS = re.compile(r"[\u4e00-\u9fa5]|[^\u4e00-\u9fa5]+")  # its Chinese characters; runs of anything else
WORDS = re.compile(r"\w+(?:[.,'’]\w+)*|[^\w\s]")  # stands in for nltk's words: '3.5', '1,000' and 'd.c' stay whole
CACHE = 1 << 16  # pairs of answers


def answer_metrics(language: Language | None = None) -> list[Metric]:
    """The metrics of answers, headline (F1) first.

    Args:
        language: whose rules compare them; None for that of each row.
    """
    return [AnswerMetric("f1", f1, language), AnswerMetric("exact_match", exact_match, language)]


class AnswerMetric:
    """The mean over rows of how near an answer comes to the nearest of the right ones.

    Args:
        name: as in reports.
        score: (answer, right answer, language) -> 0 to 1.
        language: whose rules compare them; None for that of each row.
    """

    def __init__(self, name: str, score: Callable[[str, str, Language], float], language: Language | None) -> None:
        self.name = name
        self.score = score
        self.language = language

    def counts(self, prediction: AnswerPrediction, record: AnswerRecord) -> FloatArray:
        """[score of the row, 1]."""
        language = self.language or language_of(record)
        return np.array([best(self.score, prediction.text, gold_texts(record), language), 1.0])

    def value(self, total: FloatArray) -> FloatArray:
        return divide(total[..., 0], total[..., 1])


def language_of(record: AnswerRecord) -> Language:
    """Whose rules compare the answers of a row: what the row says, else what its answers are written in."""
    return record.language or told_language("".join([*gold_texts(record), record.question, record.text]))


def told_language(text: str) -> Language:
    """The language whose rules suit a text."""
    return "zh" if han_share(text) > CHINESE else "en"


def gold_texts(record: AnswerRecord) -> Sequence[str]:
    """The right answers in words."""
    return [answer.text for answer in record.answers or ()]


def best(score: Callable[[str, str, Language], float], answer: str, gold: Iterable[str], language: Language) -> float:
    """The score against the nearest right answer; no answer is right where there is none."""
    normalised = _english if language == "en" else _chinese
    right = [each for each in gold if normalised(each)] or [""]  # SQuAD 2.0: answers of nothing but signs are none
    return max(score(answer, each, language) for each in right)


@lru_cache(maxsize=CACHE)
def exact_match(answer: str, gold: str, language: Language) -> float:
    """1 where the two are the same after normalising, else 0."""
    normalised = _english if language == "en" else _chinese
    return float(normalised(answer) == normalised(gold))


@lru_cache(maxsize=CACHE)
def f1(answer: str, gold: str, language: Language) -> float:
    """Harmonic mean of precision and recall of what the two share; of nothing and nothing it is 1."""
    parts = english_words if language == "en" else mixed_segments
    said, wanted = parts(answer), parts(gold)
    if not said or not wanted:
        return float(said == wanted)
    shared = (Counter(said) & Counter(wanted)).total() if language == "en" else longest_common_run(said, wanted)
    return 2 * shared / (len(said) + len(wanted))


def english_words(text: str) -> list[str]:
    """The words of a text without case, punctuation and articles (evaluate-v2.0.py, `get_tokens`)."""
    return _english(text).split()


def _english(text: str) -> str:
    return " ".join(ARTICLES.sub(" ", text.lower().translate(ASCII_SIGNS)).split())


def _chinese(text: str) -> str:
    return text.lower().strip().translate(CMRC_SIGNS)


def mixed_segments(text: str) -> list[str]:
    """Chinese characters one by one, what stands between them by words (cmrc2018_evaluate.py, `mixed_segmentation`)."""
    segments: list[str] = []
    for part in CMRC_PARTS.findall(_chinese(text)):
        segments += [part] if "\u4e00" <= part <= "\u9fa5" else WORDS.findall(part)
    return segments


def longest_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest run of parts that both have, one behind the other."""
    places: dict[str, list[int]] = defaultdict(list)
    for index, part in enumerate(second):
        places[part].append(index)
    longest, before = 0, dict[int, int]()  # index in `second` -> length of the common run that ends there
    for part in first:
        before = {index: before.get(index - 1, 0) + 1 for index in places.get(part, ())}
        longest = max(longest, *before.values(), 0)
    return longest
