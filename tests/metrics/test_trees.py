"""LAS, UAS and UPOS equal a script that counts files as the CoNLL 2018 evaluation does, on random trees."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weitiao.metrics.trees import tree_metrics, universal
from weitiao.records import ParsedToken, ParsePrediction, ParseRecord

DEPRELS = ("nsubj", "nsubj:pass", "nsubj:outer", "obl:tmod", "obl", "punct", "root")
PARTS = ("NOUN", "VERB", "PUNCT")
Words = list[tuple[str, int, str]]  # part of speech, head, relation


def record(words: Words) -> ParseRecord:
    upos, heads, deprels = zip(*words, strict=True)
    return ParseRecord(text="a" * len(words), upos=upos, heads=heads, deprels=deprels)


def prediction(words: Words) -> ParsePrediction:
    return ParsePrediction(
        tokens=tuple(
            ParsedToken(start=place, end=place + 1, upos=upos, head=head, deprel=deprel, confidence=0.5)
            for place, (upos, head, deprel) in enumerate(words)
        )
    )


def files_score(gold: list[Words], system: list[Words]) -> dict[str, float]:
    """F1 over all words of two files: words in order, heads as words of the file, relations cut at the colon."""

    def load(sentences: list[Words]) -> list[tuple[str, int | None, str, str]]:
        words: list[tuple[str, int | None, str, str]] = []
        for sentence in sentences:
            begin = len(words)
            for upos, head, deprel in sentence:
                words.append((upos, begin + head if head else None, deprel.split(":")[0], deprel))
        return words

    left, right = load(gold), load(system)
    keys = {
        "las": lambda word: word[1:3],
        "uas": lambda word: word[1],
        "upos_accuracy": lambda word: word[0],
        "las_with_subtypes": lambda word: (word[1], word[3]),
    }
    return {
        name: 2 * sum(key(a) == key(b) for a, b in zip(left, right, strict=True)) / (len(left) + len(right))
        for name, key in keys.items()
    }


def scores(gold: list[Words], system: list[Words]) -> dict[str, float]:
    return {
        metric.name: float(
            metric.value(
                np.sum([metric.counts(prediction(b), record(a)) for a, b in zip(gold, system, strict=True)], axis=0)
            )
        )
        for metric in tree_metrics()
    }


def some_words(rng: random.Random, count: int) -> Words:
    return [(rng.choice(PARTS), rng.randint(0, count), rng.choice(DEPRELS)) for _word in range(count)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.integers(0, 10**6))
def test_as_over_files(lengths: list[int], seed: int) -> None:
    rng = random.Random(seed)
    gold = [some_words(rng, count) for count in lengths]
    system = [
        [word if rng.random() < 0.5 else other for word, other in zip(words, some_words(rng, len(words)), strict=True)]
        for words in gold
    ]
    assert scores(gold, system) == pytest.approx(files_score(gold, system), abs=1e-9)


def test_by_hand() -> None:
    """Punctuation counts; a subtype does not, but for the metric that says so."""
    gold = [[("NOUN", 2, "nsubj:pass"), ("VERB", 0, "root"), ("PUNCT", 2, "punct")], [("NOUN", 0, "root")]]
    system = [[("NOUN", 2, "nsubj"), ("NOUN", 0, "root"), ("PUNCT", 1, "punct")], [("NOUN", 0, "parataxis")]]
    assert scores(gold, system) == {
        "las": 2 / 4,
        "uas": 3 / 4,
        "upos_accuracy": 3 / 4,
        "las_with_subtypes": 1 / 4,
    }
    assert tree_metrics()[0].name == "las"
    assert [universal(each) for each in ("nsubj:pass", "root", "a:b:c")] == ["nsubj", "root", "a"]


def test_answers_must_be_on_the_same_words() -> None:
    with pytest.raises(ValueError, match="zip"):
        tree_metrics()[0].counts(prediction([("X", 0, "root")]), record([("X", 0, "root"), ("X", 1, "dep")]))
