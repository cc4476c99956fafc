"""Drift: the index against textbook values, no alarm by chance, and every kind of drift seen over HTTP."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, generate_latest

import weitiao
from tests.serving import kinds
from tests.serving.whole import whole
from weitiao.serving.drift.api import Gauges
from weitiao.serving.drift.index import by_chance, chi_square, stability_index, state_of
from weitiao.serving.drift.reading import Look, confidence_of, labels_of, score_of
from weitiao.serving.drift.reference import Bins, Reference, counted
from weitiao.serving.drift.watch import Watch, measures
from weitiao.serving.predictor import Predictor
from weitiao.tasks import TASKS


class TestIndex:
    def test_it_is_the_textbooks(self):
        """Shares 0.5/0.5 against 0.8/0.2: (0.3) ln(1.6) + (-0.3) ln(0.4)."""
        many = 1_000_000  # so that smoothing is nothing
        assert stability_index([5 * many, 5 * many], [8 * many, 2 * many]) == pytest.approx(
            0.3 * math.log(1.6) - 0.3 * math.log(0.4), abs=1e-5
        )

    def test_nothing_moved(self):
        assert stability_index([10, 20, 30], [10, 20, 30]) == 0
        assert stability_index([100, 0], [0, 100]) == stability_index([0, 100], [100, 0]) < math.inf

    @pytest.mark.parametrize(("degrees", "value"), [(1, 6.635), (3, 11.345), (9, 21.666), (149, 192.073)])
    def test_chi_square_is_the_tables(self, degrees, value):
        assert chi_square(degrees) == pytest.approx(value, rel=0.01)

    def test_samples_of_one_population_are_stable(self):
        """Of 1,000 draws ten exceed the bound by chance; more than 25 would do so in one of ten thousand seeds."""
        rng = np.random.default_rng(0)
        alarms = 0
        for _draw in range(1000):
            before, now = rng.multinomial(100, [0.1] * 10), rng.multinomial(200, [0.1] * 10)
            index = stability_index(list(before), list(now))
            alarms += state_of(index, by_chance(100, 200, 10)) != "stable"
        assert 0 < alarms <= 25

    @pytest.mark.parametrize(
        ("index", "chance", "state"),
        [(0.09, 0, "stable"), (0.1, 0, "moderate"), (0.25, 0, "large"), (0.2, 0.21, "stable"), (0.3, 0.31, "stable")],
    )
    def test_states(self, index, chance, state):
        assert state_of(index, chance) == state


class TestBins:
    def test_tenths(self):
        bins = Bins.of([float(each) for each in range(1, 101)])
        assert (bins.edges, bins.counts, bins.mean) == ([10, 20, 30, 40, 50, 60, 70, 80, 90], [10] * 10, 50.5)

    @pytest.mark.parametrize("values", [[1.0], [1.0] * 50, [1.0] * 50 + [2.0], [0.0, 1.0]])
    def test_equal_numbers_share_a_bin(self, values):
        bins = Bins.of(values)
        assert sum(bins.counts) == len(values) and 0 not in bins.counts

    def test_beyond_the_edges(self):
        assert counted([-5.0, 1.0, 1.5, 99.0], [1.0, 2.0]) == [2, 1, 1]


TEXTS = ["the film is fine", "a dull film", "it was not a good film at all", "fine", "so bad that it hurts to see"]


@pytest.fixture(scope="module")
def run(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a reference of 500 texts."""
    folder = Path(shutil.copytree(runs / "classify", tmp_path_factory.mktemp("drift") / "classify"))
    predictor = weitiao.load(folder)
    records = predictor.records(TEXTS * 100)
    answers = predictor.predict(records)
    Reference.of(
        predictor.task, predictor.tokenizer, train=records, measured=records, predictions=answers
    ).write(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return weitiao.load(run)


def drifted(predictor: Predictor, texts: list[str]) -> dict[str, str]:
    """Measure -> state, after 250 requests or so with these texts."""
    times = -(-250 // len(texts))
    watch = Watch(lambda _name: predictor)
    records = predictor.records(texts)
    answers = predictor.predict(records)
    for _time in range(times):
        watch("classify", records, answers)
    drift = watch.drift("classify")
    assert drift.requests == len(texts) * times
    return {each.name: each.state for each in drift.measures} | {"": drift.state}


class TestWatch:
    def test_the_same_texts_do_not_drift(self, predictor):
        assert set(drifted(predictor, TEXTS).values()) == {"stable"}

    def test_longer_texts(self, predictor):
        found = drifted(predictor, [" ".join([text] * 5) for text in TEXTS])
        assert (found["lengths"], found["unseen"], found[""]) == ("large", "stable", "large")

    def test_words_that_training_never_saw(self, predictor):
        found = drifted(predictor, ["zebras jump over 99 wizards", "quick zebras", "xylophones everywhere"])
        assert found["unseen"] == "large"

    def test_characters_that_the_tokenizer_does_not_know(self, predictor):
        assert drifted(predictor, ["\u16a0\u16a2 \u16a6 film", "\u16a0 fine"])["unknown"] == "large"

    @pytest.mark.parametrize(("share", "state"), [(0.5, "stable"), (0.7, "moderate"), (1.0, "large")])
    def test_labels_that_are_answered_more_often(self, share, state):
        reference = Reference({}, {"neg": 500, "pos": 500}, [])
        looks = [Look(3, 0.0, 0.0, ("pos",) if each < share * 500 else ("neg",), None, None) for each in range(500)]
        (found,) = measures(reference, looks)
        assert (found.name, found.state, found.current) == (
            "labels", state, {"neg": pytest.approx(1 - share), "pos": pytest.approx(share)},
        )  # fmt: skip

    @pytest.mark.parametrize(("moved", "state"), [(0.0, "stable"), (0.3, "large")])
    def test_answers_that_are_less_sure(self, moved, state):
        rng = np.random.default_rng(0)
        before, now = rng.beta(8, 2, 1000), np.clip(rng.beta(8, 2, 500) - moved, 0, 1)
        reference = Reference({"confidence": Bins.of(before.tolist())}, {}, [])
        found = measures(reference, [Look(3, 0.0, 0.0, (), float(each), None) for each in now])
        assert [(each.name, each.state) for each in found] == [("confidence", state)]

    def test_it_waits_for_enough_requests(self, predictor):
        watch = Watch(lambda _name: predictor)
        records = predictor.records(["zebras"] * 199)
        watch("classify", records, predictor.predict(records))
        before = watch.drift("classify")
        assert (before.state, before.requests, before.needed, before.measures) == ("waiting", 199, 200, ())
        watch("classify", records[:1], predictor.predict(records[:1]))
        assert watch.drift("classify").state == "large"

    def test_only_the_last_requests_count(self, predictor):
        watch = Watch(lambda _name: predictor)
        for texts in (["zebras zebras"] * 1000, TEXTS * 200):
            records = predictor.records(texts)
            watch("classify", records, predictor.predict(records))
        assert watch.drift("classify").state == "stable"

    def test_a_new_version_begins_anew(self, run, predictor):
        versions = [predictor, weitiao.load(run)]
        watch = Watch(lambda _name: versions[0])
        watch("classify", predictor.records(["a"]), predictor.predict(["a"]))
        assert watch.drift("classify").requests == 1
        versions.pop(0)
        assert watch.drift("classify").requests == 0

    @pytest.mark.parametrize("content", [None, "{", "{}", '{"numbers": 5, "labels": {}, "tokens": []}'])
    def test_a_run_without_a_reference_is_not_watched(self, runs, tmp_path, content):
        folder = Path(shutil.copytree(runs / "classify", tmp_path / "classify"))
        if content is not None:
            (folder / "drift.json").write_text(content)
        predictor = weitiao.load(folder)
        watch = Watch(lambda _name: predictor)
        watch("classify", predictor.records(["a"]), predictor.predict(["a"]))
        assert (watch.drift("classify").state, watch.drift("classify").requests) == ("none", 0)


class TestServed:
    def test_requests_are_seen_at_both_addresses(self, predictor):
        app, desk = whole([predictor])
        client = TestClient(app)
        body = {"records": [{"text": "zebras jump"}] * 250}
        assert client.post("/v1/predict/classify", json=body).status_code == 200
        desk.observers.settle()
        (found,) = client.get("/v1/drift").json()["models"]
        assert (found["model"], found["state"], found["requests"]) == ("classify", "large", 250)
        unseen = next(each for each in found["measures"] if each["name"] == "unseen")
        assert unseen["reference"] == 0 and unseen["current"] > 0.2

    def test_gauges(self, predictor):
        watch = Watch(lambda _name: predictor, needed=5)
        records = predictor.records(TEXTS)
        watch("classify", records, predictor.predict(records))
        registry = CollectorRegistry()
        registry.register(Gauges(watch, lambda: ["classify"]))
        said = generate_latest(registry).decode()
        assert 'weitiao_drift_requests{model="classify"} 5.0' in said
        assert 'weitiao_drift_index{measure="lengths",model="classify"}' in said

    def test_nothing_of_a_text_is_kept(self, run):
        told = json.loads((run / "drift.json").read_text("utf-8"))
        assert sorted(told) == ["labels", "numbers", "tokens"]
        assert set(told["tokens"]).isdisjoint(TEXTS[:3])


@pytest.mark.parametrize("task", list(kinds.ROWS))
def test_every_task_has_measures(task, runs, tmp_path):
    predictor = weitiao.load(runs / task)
    records = [TASKS[task]().read(row, file="f", line=1) for row in kinds.ROWS[task]] * 200
    answers = predictor.predict(records[: len(kinds.ROWS[task])]) * 200
    reference = Reference.of(
        predictor.task, predictor.tokenizer, train=records, measured=records, predictions=answers
    )  # fmt: skip
    reference.write(tmp_path)
    same = replace(predictor, folder=tmp_path)
    watch = Watch(lambda _name: same)
    watch(task, records, answers)
    drift = watch.drift(task)
    wanted = {"lengths", "unknown", "unseen"}
    wanted |= {"labels"} if labels_of(answers[0]) else set()
    wanted |= {"confidence"} if any(confidence_of(each) is not None for each in answers) else set()
    wanted |= {"scores"} if score_of(answers[0]) is not None else set()
    assert ({each.name for each in drift.measures}, drift.state) == (wanted, "stable")
    assert bool(labels_of(answers[0])) == (TASKS[task]().labels_are == "classes")
