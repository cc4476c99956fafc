"""The cheap answer to questions: the sentence that shares most with the question, or what it adds to the question.

Words count by their rarity among the texts of the training rows (idf); Chinese is compared by pairs of characters.
How many units of the sentence are taken is chosen on dev. It always answers, also where the text holds no answer.

Notation: U units of a sentence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from weitiao.evaluation.baselines import Answers, Splits
from weitiao.metrics import Metric
from weitiao.metrics.classification import total_counts
from weitiao.records import AnswerPrediction, AnswerRecord
from weitiao.tasks.units import WIDE, Bounds, units_of

SENTENCE = re.compile(r"(?<=[。！？!?；;])|(?<=[.])(?=\s)|\n")
CHINESE_UNIT = re.compile(f"[{WIDE}]")
LENGTHS = (2, 4, 8, 16, 0)  # units of the answer; 0: the whole sentence
CHOOSING = 300  # rows on which the length is chosen


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a text.

    Args:
        units: its units, in order.
        terms: what of it is compared, one set a unit, [U].
    """

    units: Sequence[Bounds]
    terms: Sequence[frozenset[str]]


def lexical_overlap(task: Any, splits: Splits) -> Answers:
    """The best sentence by idf-weighted overlap, or its longest run of units that the question does not say."""
    rarity = _rarity({record.text for record in splits.train or splits.rows})
    chosen_on, rows = ("dev", splits.dev) if splits.dev else ("train", splits.train)
    some = [record for record in rows if record.answers][:CHOOSING]
    metric = task.metrics(splits.labels)[0]
    length = max(LENGTHS, key=lambda each: _value(metric, some, rarity, each)) if some else 0
    answers = [_answer(record, rarity, length) for record in splits.rows]
    settings = {"units": float(length) if length else "sentence", "rows": chosen_on if some else "none"}
    return Answers(answers, settings)


def _value(metric: Metric, records: Sequence[AnswerRecord], rarity: Mapping[str, float], length: int) -> float:
    """The metric of answers of this length."""
    return float(metric.value(total_counts(metric, [_answer(each, rarity, length) for each in records], records)))


def _rarity(texts: Iterable[str]) -> Mapping[str, float]:
    """Term -> its inverse document frequency, smoothed, so that a word of every text still counts a little."""
    listed = list(texts)
    seen = Counter(term for text in listed for term in set[str]().union(*_terms(text, units_of(text))))
    return {term: 1 + math.log((1 + len(listed)) / (1 + count)) for term, count in seen.items()}


def _terms(text: str, units: Sequence[Bounds]) -> list[frozenset[str]]:
    """What is compared of each unit: a word in lower case; of a Chinese character, its pairs with its neighbours."""
    words = [text[start:end].casefold() for start, end in units]
    chinese = [CHINESE_UNIT.match(word) is not None for word in words]
    terms: list[set[str]] = [
        set() if is_chinese or not word[0].isalnum() else {word}
        for word, is_chinese in zip(words, chinese, strict=True)
    ]
    for left, right in pairwise(range(len(words))):
        if chinese[left] and chinese[right] and units[left][1] == units[right][0]:
            terms[left].add(words[left] + words[right])
            terms[right].add(words[left] + words[right])
    return [frozenset(each) for each in terms]


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text that hold anything."""
    cuts = [0, *(found.end() for found in SENTENCE.finditer(text)), len(text)]
    units = units_of(text)
    terms = _terms(text, units)
    found = []
    for start, end in pairwise(cuts):
        inside = [index for index, unit in enumerate(units) if start <= unit[0] < end]
        if inside:
            found.append(Sentence([units[index] for index in inside], [terms[index] for index in inside]))
    return found


def _answer(record: AnswerRecord, rarity: Mapping[str, float], length: int) -> AnswerPrediction:
    rarest = max(rarity.values(), default=1.0)
    asked = set[str]().union(*_terms(record.question, units_of(record.question)))
    weight = {term: rarity.get(term, rarest) for term in asked}
    parts = sentences(record.text)
    shared = [sum(weight[term] for term in set[str]().union(*part.terms) & asked) for part in parts]
    best = max(range(len(parts)), key=lambda index: (shared[index], -index))
    units = _new(parts[best], asked, length) if length else parts[best].units
    start, end = units[0][0], units[-1][1]
    share = shared[best] / max(sum(weight.values()), 1e-9)
    return AnswerPrediction(text=record.text[start:end], start=start, end=end, confidence=min(share, 1.0))


def _new(sentence: Sentence, asked: set[str], length: int) -> Sequence[Bounds]:
    """The longest run of units that the question does not say, at most `length` of them."""
    runs: list[list[Bounds]] = [[]]
    for unit, terms in zip(sentence.units, sentence.terms, strict=True):
        if terms & asked:
            runs.append([])
        elif terms or runs[-1]:  # a run does not begin with a sign
            runs[-1].append(unit)
    return max(runs, key=len)[:length] or sentence.units[:length]
