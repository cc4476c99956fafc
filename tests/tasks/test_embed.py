"""Embed: the contract for its losses, what rows need, and folders that sentence-transformers can load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import weitiao
from tests.tasks.contract import TaskContract
from weitiao.data import audit, load_data
from weitiao.errors import Refused
from weitiao.metrics import value_of
from weitiao.models.tiny import tiny
from weitiao.recipe import DataSpec, TrainingSpec
from weitiao.records import EmbedPrediction, EmbedRecord, Feature, Outputs
from weitiao.tasks import RowFault
from weitiao.tasks.embed import ANCHOR, NEGATIVE, PAIR, Embed, EmbedOptions
from weitiao.text import Tokenizer

SCORED = (
    {"text": "good film", "text_pair": "fine film", "score": "4"},
    {"text": "the service was bad and the film was long, long", "text_pair": "not bad", "score": 1},
    {"text": "bad", "text_pair": "good", "score": 0},
    {"text": "not bad \x00 🙂", "text_pair": "good film", "score": 3},
)


class TestScoredPairs(TaskContract):
    """The contract; a text has no label, so nothing of dev is unknown and nothing is right or wrong."""

    task = Embed(EmbedOptions(loss="cosent"))
    train = SCORED
    dev = SCORED[:1]
    target_dtypes: ClassVar = {"score": np.float32}

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        angle = np.pi / 8 * (4 - float(feature.targets["score"])) * (int(feature.places["role"][0]) == PAIR)
        return {"vector": np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)}

    def answered(self, record: EmbedRecord, prediction: EmbedPrediction) -> EmbedRecord:
        assert prediction.similarity is not None
        return record.model_copy(update={"score": round(4 - np.arccos(min(prediction.similarity, 1.0)) * 8 / np.pi, 4)})

    def test_label_space_is_stable_in_order_and_from_train_only(self) -> None:
        assert self.task.label_space(self.records(self.train)) == self.task.label_space([]) == ["similarity"]

    def test_answers_that_the_model_cannot_give_are_one_warning(self) -> None:
        assert self.task.unanswerable(self.records(self.dev), ["similarity"]) == []

    def test_answers_that_train_lacks_give_no_target(self, tokenizer: Tokenizer) -> None:
        bare = self.task.read({"text": "a film"}, file="a", line=1, labelled=False)
        assert [dict(each.targets) for each in self.task.encode([bare], tokenizer, ["similarity"], 12)] == [{}]

    def test_metrics_are_at_their_best_for_right_answers(self, tokenizer: Tokenizer) -> None:
        """Pearson is not: cosines are no line in the score."""
        records, labels, features = self.features(tokenizer)
        spearman = self.task.metrics(labels)[0]
        assert value_of(spearman, self.decoded(records, labels, features), records) == pytest.approx(1.0)


class TestOwnTextAmongAll(TestScoredPairs):
    task = Embed()
    train = (
        {"text": "good film", "text_pair": "fine film", "negative": ["bad film", "long film"]},
        {"text": "the service was bad and the film was long, long", "text_pair": "not bad", "negative": "bad"},
        {"text": "bad", "text_pair": "good"},
        {"text": "not bad \x00 🙂", "text_pair": "good film"},
    )
    dev = train[:1]

    def outputs(self, feature: Feature, labels: Sequence[str]) -> Outputs:
        turned = 0.1 * (int(feature.places["role"][0]) == PAIR)
        return {"vector": np.array([np.cos(feature.group + turned), np.sin(feature.group + turned)])}

    def answered(self, record: EmbedRecord, prediction: EmbedPrediction) -> EmbedRecord:
        return record

    def test_unlabelled_rows_are_read_only_where_no_answer_is_needed(self) -> None:
        assert self.task.read({"text": "a film"}, file="a", line=1, labelled=False)
        with pytest.raises(RowFault, match=r"^empty text_pair$"):
            self.task.read({"text": "a film"}, file="a", line=1)

    def test_metrics_are_at_their_best_for_right_answers(self, tokenizer: Tokenizer) -> None:
        records, labels, features = self.features(tokenizer)
        answers = self.decoded(records, labels, features)
        for metric in self.task.metrics(labels):
            assert value_of(metric, answers, records) == pytest.approx(1.0)

    def test_a_record_gives_a_feature_a_text(self, tokenizer: Tokenizer) -> None:
        _records, _labels, features = self.features(tokenizer)
        roles = [(each.group, int(each.places["role"][0])) for each in features]
        assert roles[:6] == [(0, ANCHOR), (0, PAIR), (0, NEGATIVE), (0, NEGATIVE), (1, ANCHOR), (1, PAIR)]


def read(fields: dict[str, object], labelled: bool = True, **options: Any) -> EmbedRecord:
    return Embed(EmbedOptions(**options)).read(fields, file="f.csv", line=2, labelled=labelled)


def test_what_rows_need_by_loss() -> None:
    assert read({"text": "a"}, loss="simcse").text_pair is None
    assert read({"text": "a", "text_pair": " "}, labelled=False).text_pair is None
    with pytest.raises(RowFault, match=r"^no score$"):
        read({"text": "a", "text_pair": "b"}, loss="cosent")
    with pytest.raises(RowFault, match=r"^empty text_pair$"):
        read({"text": "a", "score": 1}, loss="cosent")


@pytest.mark.parametrize(
    ("cell", "negatives"),
    [
        ("one, with a comma", ("one, with a comma",)),
        ('["a", "b"]', ("a", "b")),
        (["a", " "], ("a",)),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_hard_negatives_are_one_text_or_a_list(cell: object, negatives: tuple[str, ...] | None) -> None:
    assert read({"text": "a", "text_pair": "b", "negative": cell}).negative == negatives


def test_pairs_with_other_negatives_are_no_duplicates_but_leak_all_the_same() -> None:
    rows = [
        {"text": "how to pay", "text_pair": "by card or in cash", "negative": [negative]}
        for negative in ("we open at nine", "the bill is wrong", "the bill is wrong")
    ]
    task = Embed()
    found = load_data(
        DataSpec(train="memory", test="memory", dev=None), fields=task.fields, read=task.read, answer=task.answer,
        surface=task.surface, memory={"train": rows, "test": [{**rows[0], "negative": None}]},
    )  # fmt: skip
    problems = {each.code: each for each in audit(found.items)}
    assert [row.line for row in problems["duplicate-rows"].rows] == [3]
    assert problems.keys() == {"duplicate-rows", "exact-leak"}


def test_rows_that_cannot_be_measured_are_an_error() -> None:
    task = Embed(EmbedOptions(loss="simcse"))
    bare = EmbedRecord(file="a.csv", line=2, text="a")
    whole = EmbedRecord(file="b.csv", line=2, text="a", text_pair="b", score=1.0)
    assert task.audit({"train": [bare], "dev": [whole], "test": [whole]}, []) == []
    (problem,) = task.audit({"train": [bare], "dev": [whole, bare]}, [])
    assert str(problem.message) == (
        "1 row of dev lacks a second text and a score, by which embeddings are measured here; give dev or test rows "
        "that have them, or set task.measure"
    )
    assert [each.code for each in task.audit({"train": [bare]}, [])] == ["not-measurable"]


def test_what_it_does_not_go_with() -> None:
    wrong = TrainingSpec(token_budget=100, metric="loss", batch_size=1, label_smoothing=0.1)
    assert [each.keys[-1] for each in Embed().misfits(wrong)] == [
        "label_smoothing",
        "token_budget",
        "metric",
        "batch_size",
    ]
    assert list(Embed().misfits(TrainingSpec())) == []


WORDS = [
    "good", "bad", "film", "room", "food", "service", "fox", "dog", "cat", "sun", "rain", "snow", "king", "rome", "sea",
    "star",
]  # fmt: skip


def fit(folder: Path, rows: Sequence[dict[str, object]], options: dict[str, Any], **recipe: Any) -> Any:
    tiny("bert", folder / "model", hidden=32)
    return weitiao.train(
        {
            "task": {"name": "embed", **options},
            "model": {"name": str(folder / "model"), "dropout": 0.0, **recipe.pop("model", {})},
            "data": {"train": "memory", "dev": None},
            "training": {"epochs": 20, "learning_rate": 3e-3, "batch_size": 16},
            "evaluation": {"resamples": 200},
            "output": str(folder / "run"),
            **recipe,
        },
        data={"train": rows, "test": rows},
    )


def test_sixteen_texts_find_their_own_second_text(tmp_path: Path) -> None:
    rows = [
        {
            "text": f"{word} {WORDS[i - 1]}",
            "text_pair": f"the {word} of {WORDS[(5 * i + 3) % 16]}",
            "negative": [WORDS[i - 2]],
        }
        for i, word in enumerate(WORDS)
    ]
    run = fit(tmp_path, rows, {"dimensions": [8, 16]})
    metrics = {name: score.value for name, score in run.report.metrics.items()}
    assert metrics == pytest.approx({"mrr@10": 1, "recall@1": 1, "recall@5": 1, "ndcg@10": 1})
    assert 0 < run.report.baselines["tfidf_similarity"].metrics["mrr@10"].value < 1
    (table,) = run.report.tables
    assert [row.label for row in table.rows] == ["32", "16", "8"]
    assert table.rows[1].figures["mrr@10"] > 0.9

    (one,), (pair,) = run.predict(["sun"]), run.predict([("sun", "rain")])
    assert one.vector == pytest.approx(pair.vector, abs=1e-6) and one.pair is None
    assert np.linalg.norm(one.vector) == pytest.approx(1, abs=1e-6)
    assert pair.similarity == pytest.approx(np.dot(pair.vector, pair.pair), abs=1e-6)
    assert "sun rain" not in (tmp_path / "run" / "predictions.jsonl").read_text("utf-8")
    comparison = weitiao.compare(str(tmp_path / "run"), str(tmp_path / "run"))
    assert comparison.metrics["mrr@10"].difference.value == 0


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_sentence_transformers_gives_the_same_vectors(pooling: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    fit(
        tmp_path,
        [{"text": word, "text_pair": f"the {word}"} for word in WORDS[:4]],
        {"pooling": pooling},
        training={"epochs": 1, "max_length": 20},
    )
    folder = tmp_path / "run" / "model"
    theirs = SentenceTransformer(str(folder), device="cpu")
    assert theirs.max_seq_length == 20
    texts = ["the good sun", " ".join(WORDS * 3)]
    ours = [each.vector for each in weitiao.load(folder).predict(texts)]
    np.testing.assert_allclose(theirs.encode(texts), ours, atol=1e-5)


def test_scores_are_learnt_and_single_texts_too(tmp_path: Path) -> None:
    scored = [
        {"text": word, "text_pair": WORDS[(i + 1) % 16] if i % 2 else f"{word} {word}", "score": 5 - 5 * (i % 2)}
        for i, word in enumerate(WORDS)
    ]
    run = fit(tmp_path / "a", scored, {"loss": "cosent"})
    assert run.report.metrics["pearson"].value > 0.9
    assert run.report.headline == "spearman"
    run = fit(tmp_path / "b", scored, {"loss": "simcse"}, model={"dropout": 0.1})
    losses = [point.loss for point in run.report.curves.train]
    assert losses[-1] < losses[0]


def test_longer_beginnings_than_the_vector_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"`task\.dimensions` asks for 64 numbers, but the vectors of this model have 32"):
        fit(tmp_path, [{"text": "a", "text_pair": "b"}] * 4, {"dimensions": [64]})
