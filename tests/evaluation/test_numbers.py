"""Numbers, vectors and orders in reports: cheap baselines, tables, and figures that are no shares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.test_verdict import course
from weitiao.evaluation.baselines import Splits
from weitiao.evaluation.card import render_card
from weitiao.evaluation.numbers import by_gold, mean, tfidf_score
from weitiao.evaluation.page import render_page
from weitiao.evaluation.ranking import bm25
from weitiao.evaluation.report import RunFacts, measure
from weitiao.evaluation.schema import Report
from weitiao.evaluation.similarity import beginning, tfidf_similarity
from weitiao.evaluation.verdict import explain, judge
from weitiao.recipe import EvaluationSpec, ReportSpec, TrainingSpec
from weitiao.records import EmbedPrediction, EmbedRecord, RankRecord, RegressPrediction, RegressRecord
from weitiao.tasks.embed import Embed
from weitiao.tasks.rank import Rank
from weitiao.tasks.regress import Regress

WORDS = ("味道", "送餐", "包装", "服务", "价格", "速度", "分量", "态度")


def pairs(count: int, seed: int) -> list[RegressRecord]:
    """Pairs that share words in the measure of their score, 0 to 4."""
    rng = np.random.default_rng(seed)
    made = []
    for line in range(count):
        own = rng.permutation(WORDS)
        shared = int(rng.integers(5))
        other = [*own[:shared], *(f"别的{rng.integers(50)}" for _ in range(4 - shared))]
        texts = "，".join(own[:4]), "，".join(other)
        made.append(RegressRecord(file="p.csv", line=line + 2, text=texts[0], text_pair=texts[1], score=shared))
    return made


def singles(count: int, seed: int) -> list[RegressRecord]:
    """Texts whose score is the sum of what their words are worth."""
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(len(WORDS), 3, replace=False) for _row in range(count)]
    return [
        RegressRecord(file="s.csv", line=line, text="，".join(WORDS[each] for each in words), score=float(sum(words)))
        for line, words in enumerate(chosen, start=2)
    ]


@pytest.mark.parametrize("rows", [pairs, singles])
@pytest.mark.parametrize("with_dev", [True, False])
def test_word_counts_are_a_fair_baseline(rows, with_dev: bool) -> None:
    train, dev, test = (rows(count, seed) for count, seed in ((200, 1), (60, 2), (100, 3)))
    splits = Splits(train, dev if with_dev else [], test, ["mean=2.0", "sd=1.0"])
    answers = tfidf_score(Regress(), splits)
    found = np.array([each.score for each in answers.predictions])
    gold = np.array([record.score for record in test])
    assert np.corrcoef(found, gold)[0, 1] > 0.8
    flat = np.array([each.score for each in mean(Regress(), splits).predictions])
    assert flat == pytest.approx(np.mean([record.score for record in train]))
    assert np.abs(found - gold).mean() < 0.6 * np.abs(flat - gold).mean()
    assert answers.settings["features"] == "char 1-3-grams"


def test_errors_by_gold_by_hand() -> None:
    table = by_gold(np.array([[1.0, 0.0], [0.0, 0.5], [4.0, 5.0], [5.0, 4.5]]))
    assert [(row.label, row.count, row.figures) for row in table.rows] == [
        ("0 – 1", 2, {"mae": 0.75, "mean_error": 0.25}),
        ("4 – 5", 2, {"mae": 0.75, "mean_error": -0.25}),
    ]
    assert by_gold(np.empty((0, 2))).rows == []


def report() -> Report:
    train, test = pairs(200, 1), pairs(80, 3)
    rng = np.random.default_rng(0)
    answers = [RegressPrediction(score=(record.score or 0) + rng.normal(0, 2)) for record in test]
    labels = Regress().label_space(train)
    facts = RunFacts(name="pairs", model="starter:zh-en", method="full")
    return measure(
        Regress(), labels, predictions=answers, records=test, split="test", train=train, dev=[],
        spec=EvaluationSpec(resamples=200), show=ReportSpec(), facts=facts,
    )  # fmt: skip


def test_correlations_and_errors_are_no_percentages() -> None:
    made = report()
    page, card = render_page(made), render_card(made, head="mean")
    value = f"{made.metrics['spearman'].value:.3f}"
    assert f">{value}</data>" in page and f">{made.metrics['mae'].value:.3f}</data>" in page
    for text in (page, card):
        assert "Worse than the cheap baseline TF-IDF: \u2212" in text and " points" not in text
    assert "difference, points" not in page and "Errors by the gold number" in page
    assert "Scale of the training scores: `mean=" in card and "Labels:" not in card
    assert made.slices[0].score.low <= made.slices[0].score.value <= made.slices[0].score.high


def test_where_less_of_a_metric_is_better_the_headline_is_read() -> None:
    points = [(0.9, None, 0.5), (0.6, None, 0.1)]
    (finding,) = judge(replace(course(points), chosen_by="mae")).findings
    assert explain(finding).endswith("the checkpoint with the best Mean absolute error was kept.")
    facts = RunFacts(
        name="r", model="m", method="full", training=TrainingSpec(metric="mae"), curves=course(points).curves
    )
    train, test = pairs(40, 1), pairs(30, 3)
    made = measure(
        Regress(), Regress().label_space(train), predictions=[RegressPrediction(score=1.0)] * 30, records=test,
        split="test", train=train, dev=[], spec=EvaluationSpec(resamples=100), show=ReportSpec(), facts=facts,
    )  # fmt: skip
    assert made.headline == "spearman" and made.metrics["spearman"].value == 0
    assert [each.code for each in made.verdict.findings] == ["below-baseline"]


def test_word_vectors_find_texts_with_the_same_words() -> None:
    train = [EmbedRecord(text=f"{a} {b}", text_pair=f"{b}") for a in WORDS for b in WORDS]
    rows = [EmbedRecord(text=f"好的 {word}", text_pair=f"{word} 不错") for word in WORDS]
    answers = tfidf_similarity(Embed(), Splits(train, [], rows, ["similarity"]))
    mrr = Embed().metrics([])[0]
    assert float(mrr.of(mrr.rows(answers.predictions, rows), np.ones(len(rows)))) == 1  # type: ignore[union-attr]
    assert all(each.similarity > 0.3 for each in answers.predictions)


def test_the_beginning_of_a_vector_has_length_one() -> None:
    cut = beginning(EmbedPrediction(vector=(0.6, 0.0, 0.8), pair=(0.0, 0.6, 0.8), similarity=0.64), 2)
    assert (cut.vector, cut.pair, cut.similarity) == ((1.0, 0.0), (0.0, 1.0), 0.0)


def test_bm25_by_hand() -> None:
    """Two texts; a word that one of them has (Robertson et al. 1994, with ln(1 + odds) for its rarity)."""
    train = [RankRecord(query="q", text="red fox", label=1.0), RankRecord(query="q", text="red dog dog", label=0.0)]
    rows = [RankRecord(query="dog", text=each, query_id="1") for each in ("red fox", "red dog dog", "dog")]
    grams = {"red fox": 3, "red dog dog": 5, "dog": 1}  # words and neighbouring pairs of them
    average, rarity = (3 + 5) / 2, np.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = [
        rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / average))
        for count, length in zip((0, 2, 1), grams.values(), strict=True)
    ]
    answers = bm25(Rank(), Splits(train, [], rows, ["highest=1"]))
    assert [each.score for each in answers.predictions] == pytest.approx(expected)
