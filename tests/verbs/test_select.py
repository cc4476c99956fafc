"""`weitiao data select`: scores as they are defined, texts that stand apart, and files that annotators read back."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import weitiao
from weitiao.cli import main
from weitiao.data.reading import read_rows
from weitiao.errors import Refused
from weitiao.records import ClassifyPrediction, Feature, FoundSpan, RegressPrediction, TagPrediction
from weitiao.tasks import TASKS
from weitiao.verbs import select as verb
from weitiao.verbs.select import select
from weitiao.verbs.selecting.scores import binary_entropy, disagreement, entropy, of_spans, of_units, uncertainty_of
from weitiao.verbs.selecting.spread import density, distinct, k_center

# ------------------------------------------------------------------------------------------------ scores


def test_entropy_is_a_share_of_the_largest() -> None:
    logits = np.array([[0.0, 0.0, 0.0], [50.0, 0.0, 0.0], [math.log(0.5), math.log(0.25), math.log(0.25)]])
    np.testing.assert_allclose(entropy(logits), [1.0, 0.0, 1.5 * math.log(2) / math.log(3)], atol=1e-12)


def test_tags_are_as_unsure_as_their_mean_unit() -> None:
    feature = Feature(np.arange(4), None, {}, 0, False, places={"tokens": np.array([1, 2, -1])})
    logits = np.array([[0.0, 0.0], [0.0, 0.0], [60.0, 0.0], [0.0, 0.0]])  # the special tokens do not count
    assert of_units([feature], [{"logits": logits}]) == pytest.approx(0.5)


def test_spans_are_as_unsure_as_the_least_certain() -> None:
    spans = np.array([[0, 1, 0, 9.0], [1, 1, 0, 0.0], [-1, -1, -1, -1]])
    assert of_spans([], [{"spans": spans}]) == pytest.approx(1.0)
    assert of_spans([], [{"spans": spans[2:]}]) == 0.0


def test_every_task_says_whether_it_is_ever_unsure() -> None:
    unsure = {name for name in TASKS if uncertainty_of(TASKS[name]()) is not None}
    assert unsure == {"classify", "intent_slot", "relate", "span", "tag"}


def label(**scores: float) -> ClassifyPrediction:
    best = max(scores, key=lambda name: scores[name])
    return ClassifyPrediction(labels=(best,), confidence=scores[best], scores=scores, abstained=False)


def test_disagreement_is_the_jensen_shannon_divergence_or_the_votes() -> None:
    assert disagreement([label(a=1.0, b=0.0), label(a=0.0, b=1.0)]) == pytest.approx(1.0)
    assert disagreement([label(a=0.7, b=0.3)] * 3) == pytest.approx(0.0)
    unlike = [label(a=0.4, b=0.1), label(a=0.1, b=0.4)]  # of several labels the probabilities may be small, too
    coins = 2 * float(binary_entropy(np.array(0.25))) - float(binary_entropy(np.array([0.4, 0.1])).sum())
    assert disagreement(unlike, several=True) == pytest.approx(coins / 2)
    assert disagreement([label(a=1.0), label(b=1.0)]) == pytest.approx(1.0)  # each knows one label only
    assert disagreement([RegressPrediction(score=1.0), RegressPrediction(score=3.0)]) == pytest.approx(1.0)
    one = TagPrediction(spans=(FoundSpan(start=0, end=2, label="PER", confidence=1.0),))
    assert disagreement([one, one]) == 0.0
    assert disagreement([one, TagPrediction(spans=())]) == pytest.approx(1.0)
    assert disagreement([TagPrediction(spans=())] * 2) == 0.0


# ------------------------------------------------------------------------------------------------ spread


def directions(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_density_is_the_mean_cosine_of_the_nearest() -> None:
    found = density(directions(0, 0, 60, 180), neighbours=2)
    np.testing.assert_allclose(found, [0.75, 0.75, 0.5, 0.0], atol=1e-12)
    assert density(directions(5)).tolist() == [1.0]


def test_centres_are_far_from_each_other_and_from_what_is_labelled() -> None:
    vectors = directions(0, 1, 90, 91, 180)
    worth = np.array([1.0, 0.9, 1.0, 0.9, 0.3])
    assert k_center(vectors, worth, 2) == [0, 2]
    assert k_center(vectors, worth, 1, directions(0)) == [2]
    assert sorted(k_center(vectors, worth, 9)) == [0, 1, 2, 3, 4]


def test_near_duplicates_are_taken_once_and_known_ones_never() -> None:
    texts = ["the room was very clean and quiet", "the room was very clean and quiet!", "bad food", "no", "no"]
    assert distinct(texts, ["bad food"]) == [0, 3]


# ------------------------------------------------------------------------------------------------ the verb


def unlabelled(folder: Path, rows: int = 60) -> Path:
    path = folder / "unlabelled.csv"
    words = ("lazy dog", "quick fox", "grey cat", "old horse", "small bird")
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "id"])
        writer.writerows((f"{words[n % 5]} {n} {words[n % 3]} {n * 37}", f"i{n}") for n in range(rows))
        writer.writerow(["row number 7 is fine", "train"])
        writer.writerow(["", "empty"])
    return path


def test_the_least_certain_come_first_and_training_rows_never(run_with_data: Path, tmp_path: Path) -> None:
    source = unlabelled(tmp_path)
    done = select(run_with_data, source, tmp_path / "next.csv", number=8, by="uncertainty")
    with (tmp_path / "next.csv").open(encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    assert (done.read, done.faulty, done.chosen) == (62, 1, 8) and done.known >= 1
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    predictor = weitiao.load(run_with_data)
    with source.open(encoding="utf-8") as stream:
        texts = [row["text"] for row in csv.DictReader(stream) if row["text"] and row["id"] != "train"]
    most = max(min(each.scores.values()) for each in predictor.predict(texts))  # nearest to one half
    assert min(predictor.predict([rows[0]["text"]])[0].scores.values()) == pytest.approx(most, abs=1e-6)
    assert [row["label"] for row in rows] == [each.labels[0] for each in predictor.predict([r["text"] for r in rows])]


@pytest.mark.parametrize("by", ["density", "mixed"])
def test_what_is_chosen_does_not_depend_on_the_order_of_rows(run_with_data: Path, tmp_path: Path, by: str) -> None:
    source = unlabelled(tmp_path)
    head, *lines = source.read_text("utf-8").splitlines()
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join([head, *lines[::-1]]) + "\n", "utf-8")
    chosen = []
    for path in (source, turned):
        select(run_with_data, path, tmp_path / "next.jsonl", number=6, by=by, force=True)
        chosen.append([json.loads(line)["id"] for line in (tmp_path / "next.jsonl").read_text("utf-8").splitlines()])
    assert chosen[0] == chosen[1] and len(set(chosen[0])) == 6 and "train" not in chosen[0]


def test_memory_is_bounded_by_what_is_wanted(
    run_with_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verb, "POOL", 2)
    monkeypatch.setattr(verb, "LEAST", 6)
    whole = select(run_with_data, unlabelled(tmp_path), tmp_path / "a.jsonl", number=3, by="uncertainty")
    assert whole.read == 62 and whole.chosen == 3
    monkeypatch.setattr(verb, "LEAST", 1000)
    select(run_with_data, unlabelled(tmp_path), tmp_path / "b.jsonl", number=3, by="uncertainty")
    assert (tmp_path / "a.jsonl").read_text("utf-8") == (tmp_path / "b.jsonl").read_text("utf-8")


def test_several_runs_disagree(run_with_data: Path, tmp_path: Path) -> None:
    select([run_with_data, run_with_data], unlabelled(tmp_path), tmp_path / "n.jsonl", number=3, by="disagreement")
    rows = [json.loads(line) for line in (tmp_path / "n.jsonl").read_text("utf-8").splitlines()]
    assert [row["score"] for row in rows] == [0.0] * 3  # one run does not disagree with itself


def test_annotators_get_the_answers_and_give_them_back(run_with_data: Path, tmp_path: Path) -> None:
    source = unlabelled(tmp_path)
    select(run_with_data, source, tmp_path / "next.jsonl", number=4, write_as="doccano")
    reading = read_rows(str(tmp_path / "next.jsonl"), format="doccano")
    texts = [str(row.fields["text"]) for row in reading.rows]
    answers = [each.labels[0] for each in weitiao.load(run_with_data).predict(texts)]
    assert [row.fields["label"] for row in reading.rows] == answers

    select(run_with_data, source, tmp_path / "next.json", number=4, write_as="labelstudio")
    tasks: list[dict[str, Any]] = json.loads((tmp_path / "next.json").read_text("utf-8"))
    for task in tasks:
        task["annotations"] = [{"result": task["predictions"][0]["result"]}]  # as an annotator accepts it
    (tmp_path / "done.json").write_text(json.dumps(tasks), "utf-8")
    back = read_rows(str(tmp_path / "done.json")).rows
    assert [str(row.fields["text"]) for row in back] == texts
    assert [row.fields["label"] for row in back] == answers


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"by": "luck"}, "'luck' is no way to choose"),
        ({"number": 0}, "number is 0"),
        ({"by": "disagreement"}, "needs two runs or more"),
        ({"write_as": "xlsx"}, "'xlsx' is no format to write"),
    ],
)
def test_what_cannot_be_done_is_refused(
    run_with_data: Path, tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        select(run_with_data, unlabelled(tmp_path), tmp_path / "out.csv", **{"number": 3, **changes})
    assert not (tmp_path / "out.csv").exists()


def test_the_command(run_with_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["data", "select", str(run_with_data), "--input", str(unlabelled(tmp_path)), "--number", "5"]
    assert main([*asked, "--output", str(tmp_path / "next.csv")]) == 0
    assert "chosen: 5 of 62 rows" in capsys.readouterr().out
    assert main([*asked, "--output", str(tmp_path / "next.csv")]) == 2
    assert "already there" in capsys.readouterr().err
