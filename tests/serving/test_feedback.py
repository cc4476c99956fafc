"""Corrections: kept in SQLite and PostgreSQL alike, counted, exported, and taken over HTTP, asked well and badly."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import weitiao
from tests.serving import kinds, postgres
from tests.serving.whole import whole
from weitiao.cli import main
from weitiao.data import load_data
from weitiao.data.writing import WRITERS
from weitiao.errors import Refused, Unreachable
from weitiao.recipe import load_recipe
from weitiao.serving.feedback.store import Feedback, FeedbackStore
from weitiao.tasks import TASKS
from weitiao.verbs.preparing.frame import frame

SAID = Feedback(
    model="reviews",
    version="reviews@0123456789abcdef",
    task="classify",
    fields={"text": "难吃 \x00 \ud83d 'quoted'; DROP TABLE feedback; --"},
    prediction={"labels": ["pos"], "confidence": 0.75},
    correction={"label": "neg"},
    probabilities={"neg": 0.25, "pos": 0.75},
    agreed=False,
    request_id="r-1",
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres.running() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'feedback.db'}"
        return
    import psycopg

    address = request.getfixturevalue("server")
    yield address
    with psycopg.connect(address) as connection:
        connection.execute("DROP TABLE IF EXISTS feedback")


def adding(url: str, times: str) -> subprocess.Popen[str]:
    """A process that adds corrections and says the id of each."""
    script = (
        "import sys; from weitiao.serving.feedback.store import Feedback, FeedbackStore\n"
        "store, said = FeedbackStore.open(sys.argv[1]), Feedback('a', 'a@1', 'classify', {}, {}, {}, {})\n"
        f"for _ in {times}: print(store.add(said), flush=True)"
    )
    return subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True)


class TestStore:
    def test_what_was_added_comes_back_as_it_was(self, url):
        store = FeedbackStore.open(url)
        first, second = store.add(SAID), store.add(replace(SAID, agreed=None, new_label=True))
        one, two = FeedbackStore.open(url).rows()
        assert (one.id, two.id) == (first, second) and one.time < two.time
        assert replace(one, id="", time="") == SAID
        assert two.agreed is None and two.new_label

    def test_rows_are_of_one_model_and_from_one_time_on(self, url):
        store = FeedbackStore.open(url)
        for model in ("a", "b", "a"):
            store.add(replace(SAID, model=model))
        times = [each.time for each in store.rows()]
        assert [each.time for each in store.rows(model="a")] == times[::2]
        assert [each.time for each in store.rows(since=times[1])] == times[1:]
        assert [each.time for each in store.rows(model="a", since=times[1])] == times[2:]
        assert not list(store.rows(since="2999-01-01"))

    @pytest.mark.parametrize("count", [3, 4])
    def test_more_rows_than_a_page(self, url, count, monkeypatch):
        monkeypatch.setattr("weitiao.serving.feedback.store.PAGE", 2)
        store = FeedbackStore.open(url)
        added = [store.add(SAID) for _number in range(count)]
        assert [each.id for each in store.rows()] == added

    def test_counts_by_version(self, url):
        store = FeedbackStore.open(url)
        for agreed, new in ((True, False), (False, True), (None, False)):
            store.add(replace(SAID, agreed=agreed, new_label=new))
        store.add(replace(SAID, version="reviews@1"))
        old, new = store.counts()
        assert (old.corrections, old.judged, old.agreed, old.new_labels) == (3, 2, 1, 1)
        assert (new.version, new.corrections) == ("reviews@1", 1) and new.last > old.last

    def test_the_last_correction_of_an_input_is_the_one_to_train_on(self, url):
        store = FeedbackStore.open(url)
        for text, label in (("a", "neg"), ("b", "pos"), ("a", "pos")):
            store.add(replace(SAID, fields={"text": text}, correction={"label": label}))
        assert store.training_rows() == [{"text": "b", "label": "pos"}, {"text": "a", "label": "pos"}]

    def test_threads_and_processes_at_once_lose_nothing(self, url):
        """The table is made by all of them at once."""
        processes = [adding(url, "range(20)") for _number in range(3)]
        said = [process.communicate(timeout=60)[0].split() for process in processes]
        store, own = FeedbackStore.open(url), []
        threads = [threading.Thread(target=lambda: own.append(store.add(SAID))) for _number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told = {name for names in (*said, own) for name in names}
        assert len(told) == 68 and {each.id for each in store.rows()} == told

    def test_what_was_answered_survives_a_kill(self, url):
        with adding(url, "iter(int, 1)") as process:
            assert process.stdout is not None
            told = {process.stdout.readline().strip() for _number in range(5)}
            process.send_signal(signal.SIGKILL)
            told |= {line.strip() for line in process.stdout if line.endswith("\n")}
        found = {each.id for each in FeedbackStore.open(url).rows()}
        assert told <= found and len(found - told) <= 1  # one may have been stored and not yet told

    def test_a_time_that_is_none(self, url):
        with pytest.raises(Refused, match="'yesterday' is no time; expected such as 2026-01-31"):
            list(FeedbackStore.open(url).rows(since="yesterday"))


class TestAddresses:
    def test_a_bare_path_is_sqlite(self, tmp_path):
        FeedbackStore.open(tmp_path / "a.db").add(SAID)
        assert len(list(FeedbackStore.open(f"sqlite:///{tmp_path}/a.db").rows())) == 1

    def test_another_kind_is_refused_without_its_password(self):
        with pytest.raises(Refused, match="'mysql://me@host/x' is no address of a database") as refused:
            FeedbackStore.open("mysql://me:secret@host/x")
        assert "secret" not in str(refused.value)

    def test_a_folder_is_refused(self, tmp_path):
        with pytest.raises(Refused, match="is a folder; name a file"):
            FeedbackStore.open(tmp_path)

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(Unreachable, match="unable to open database file"):
            FeedbackStore.open(tmp_path / "no" / "a.db")

    def test_a_file_that_is_no_database(self, tmp_path):
        path = tmp_path / "notes.txt"
        path.write_text("these are notes, and none of them is a database " * 20)
        with pytest.raises(Unreachable, match="not a database"):
            FeedbackStore.open(path)
        assert path.read_text().startswith("these are notes")

    def test_a_table_of_another_program(self, tmp_path):
        with sqlite3.connect(tmp_path / "other.db") as connection:
            connection.execute("CREATE TABLE feedback (stars INTEGER)")
        connection.close()
        with pytest.raises(Unreachable, match="no such column"):
            FeedbackStore.open(tmp_path / "other.db")

    def test_a_server_that_is_down(self, tmp_path):
        pytest.importorskip("psycopg")
        with pytest.raises(Unreachable, match="cannot be used") as error:
            FeedbackStore.open(f"postgresql://me:secret@/x?host={tmp_path}")
        assert "secret" not in str(error.value)


@dataclass
class Desk:
    """An app that takes corrections for one model of each task."""

    client: TestClient
    store: FeedbackStore
    folder: Path

    def correct(self, body: object) -> tuple[int, dict[str, Any]]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.client.post("/v1/feedback", content=raw)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def desk(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = runs
    predictors = [weitiao.load(folder / task) for task in kinds.ROWS]
    store = FeedbackStore.open(tmp_path_factory.mktemp("kept") / "feedback.db")
    return Desk(TestClient(whole(predictors, store)[0]), store, folder)


class TestCorrecting:
    @pytest.mark.parametrize("task", list(kinds.ROWS))
    def test_of_every_task_it_becomes_a_training_row(self, desk, task, tmp_path):
        fields, right = kinds.asked(task)
        status, answer = desk.correct({"model": task, "fields": fields, "correction": right, "request_id": "订单 1"})
        assert status == 201, answer
        (stored,) = (each for each in desk.store.rows(model=task) if each.id == answer["id"])
        said = desk.client.post(f"/v1/predict/{task}", json=fields).json()["predictions"][0]
        assert stored.prediction == said and stored.probabilities == said.get("scores", {})
        assert stored.version == answer["version"] and re.fullmatch(task + "@[0-9a-f]+", stored.version)
        assert not answer["new_label"]
        path = tmp_path / "rows.jsonl"
        WRITERS["jsonl"]().write([stored.training_row()], path)
        trained, judged = as_trained(task, path), as_trained(task, desk.folder / task / "rows.jsonl")
        assert trained == judged[:1]

    def test_an_answer_that_was_right(self, desk):
        said = desk.client.post("/v1/predict/classify", json={"text": "fine"}).json()["predictions"][0]["labels"]
        for label, agreed in ((said[0], True), ("neg" if said == ["pos"] else "pos", False)):
            status, answer = desk.correct(
                {"model": "classify", "fields": {"text": "fine"}, "correction": {"label": label}}
            )
            assert (status, answer["agreed"]) == (201, agreed)

    @pytest.mark.parametrize(
        ("task", "fields", "right"),
        [
            ("classify", {"text": "so so"}, {"label": "mixed"}),
            ("tag", {"text": "Ann"}, {"spans": [{"start": 0, "end": 3, "label": "name"}]}),
            ("intent_slot", {"text": "hello"}, {"intent": "greeting", "spans": []}),
        ],
    )
    def test_a_label_that_the_model_does_not_know_is_taken_and_flagged(self, desk, task, fields, right):
        status, answer = desk.correct({"model": task, "fields": fields, "correction": right})
        assert (status, answer["new_label"]) == (201, True)
        assert next(each for each in desk.store.rows() if each.id == answer["id"]).new_label

    def test_stats(self, desk):
        before = {each["model"]: each["corrections"] for each in counted(desk)}
        desk.correct({"model": "classify", "fields": {"text": "x"}, "correction": {"label": "pos"}})
        after = {each["model"]: each["corrections"] for each in counted(desk)}
        assert after["classify"] == before.get("classify", 0) + 1

    def test_words_are_kept_as_words(self, desk):
        fields = {"text": "Ann saw Bob", "tokens": [[0, 3], [4, 7], [8, 11]]}
        _status, answer = desk.correct({"model": "tag", "fields": fields, "correction": {"tags": "B-person O O"}})
        stored = next(each for each in desk.store.rows() if each.id == answer["id"])
        assert stored.training_row() == {
            "text": "Ann saw Bob", "tokens": ["Ann", "saw", "Bob"], "tags": "B-person O O",
        }  # fmt: skip


def counted(desk: Desk) -> list[dict[str, Any]]:
    versions: list[dict[str, Any]] = desk.client.get("/v1/feedback/stats").json()["versions"]
    return versions


def as_trained(task_name: str, path: Path) -> list[dict[str, Any]]:
    """The records that training would read in a file, without their places."""
    task = TASKS[task_name]()
    recipe = {"task": task_name, "model": "m", "data": {"train": str(path), "dev": None}}
    spec = load_recipe(recipe, frame()).data
    found = load_data(
        spec, fields=task.fields, read=task.read, answer=task.answer, surface=task.surface, expand=task.expand
    )
    assert not [each for each in found.problems if each.severity == "error"]
    return [each.model_dump(exclude={"file", "line", "group"}) for each in found.records["train"]]


GOOD = {"model": "classify", "fields": {"text": "fine"}, "correction": {"label": "pos"}}


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "the body is not valid JSON"),
        (b"\xff", 400, "the body is not UTF-8"),
        (b'{"model": "\\ud83d", "fields": {}, "correction": {}}', 404, "unknown model"),
        (b"[" * 100_000, 400, "the body is JSON that cannot be read here"),
        (b"[]", 422, "`body`: "),
        (b"null", 422, "`body`: "),
        ({}, 422, "`model`: it is missing"),
        (GOOD | {"model": "../../etc/passwd"}, 404, "unknown model '../../etc/passwd'"),
        (GOOD | {"model": 7}, 422, "`model`: expected text"),
        (GOOD | {"more": 1}, 422, "`more`: no such field"),
        (GOOD | {"request_id": "a\x00"}, 422, "`request_id`: expected characters that can be printed, on one line"),
        (GOOD | {"request_id": "a\n"}, 422, "`request_id`: expected characters that can be printed, on one line"),
        (GOOD | {"request_id": "a" * 201}, 422, "`request_id`: expected at most 200 characters"),
        (GOOD | {"fields": {}}, 422, "record 0: `text`: it is missing"),
        (GOOD | {"fields": {"text": "  "}}, 422, "record 0: empty text"),
        (GOOD | {"fields": {"text": 5}}, 422, "record 0: `text`: expected text"),
        (GOOD | {"fields": {"text": "x" * 20_001}}, 413, "record 0: `text` has 20001 characters"),
        (GOOD | {"fields": [{"text": "x"}]}, 422, "`fields`: expected an object"),
        (GOOD | {"correction": {}}, 422, "`correction`: no label"),
        (GOOD | {"correction": {"label": ""}}, 422, "`correction`: no label"),
        (GOOD | {"correction": {"label": {"a": [[]]}}}, 422, "`correction`: "),
        (GOOD | {"correction": {"text": "other"}}, 422, "`correction`: unknown field 'text'; expected: text_pair"),
        (GOOD | {"correction": {"label": "x" * 20_001}}, 413, "`correction` has more than 20000 characters"),
        ({"model": "regress", "fields": {"text": "a"}, "correction": {"score": "NaN"}}, 422, "`correction`: "),
        (b'{"model": "regress", "fields": {"text": "a"}, "correction": {"score": NaN}}', 400, "NaN is no number"),
        ({"model": "tag", "fields": {"text": "a"}, "correction": {"spans": [[0, 9, "x"]]}}, 422, "`correction`: "),
        ({"model": "tag", "fields": {"text": "a"}, "correction": {"spans": [[-1, 1, "x"]]}}, 422, "`correction`: "),
        ({"model": "tag", "fields": {"text": "a"}, "correction": {"spans": 5}}, 422, "`correction`: "),
        ({"model": "answer", "fields": {"text": "a", "question": "b"}, "correction": {"answers": 5}}, 422, "`corr"),
        ({"model": "event", "fields": {"text": "a"}, "correction": {"events": [{"type": 1}]}}, 422, "`correction`: "),
        ({"model": "parse", "fields": {"text": "a"}, "correction": {"heads": [5]}}, 422, "`correction`: "),
        ({"model": "rank", "fields": {"text": "a", "query": "b"}, "correction": {"label": -1}}, 422, "`correction`: "),
    ],
)  # fmt: skip
def test_hostile_corrections(desk, body, status, reason):
    before = sum(each.corrections for each in desk.store.counts())
    got, answer = desk.correct(body)
    assert (got, answer["detail"][: len(reason)]) == (status, reason)
    assert sum(each.corrections for each in desk.store.counts()) == before


def test_a_body_that_is_too_large(desk):
    status, answer = desk.correct(b" " * (4 * 1024 * 1024 + 1))
    assert (status, answer["detail"]) == (413, "the body is larger than 4194304 bytes")


def test_a_database_that_is_gone_is_503_and_names_nothing(desk, tmp_path):
    (tmp_path / "in").mkdir()
    store = FeedbackStore.open(tmp_path / "in" / "feedback.db")
    client = TestClient(whole([weitiao.load(desk.folder / "classify")], store)[0])
    shutil.rmtree(tmp_path / "in")
    for answer in (client.post("/v1/feedback", json=GOOD), client.get("/v1/feedback/stats")):
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert str(tmp_path) not in answer.text


def test_it_is_off_unless_asked_for(desk):
    client = TestClient(whole([weitiao.load(desk.folder / "classify")])[0])
    answer = client.post("/v1/feedback", json=GOOD)
    assert answer.status_code == 404 and "start it with --feedback" in answer.json()["detail"]


class TestExport:
    def test_rows_are_written_for_convert_and_train(self, desk, tmp_path, capsys):
        url = f"sqlite:///{tmp_path / 'some.db'}"
        store = FeedbackStore.open(url)
        for label in ("neg", "pos"):
            store.add(replace(SAID, fields={"text": "好"}, correction={"label": label}))
        output = tmp_path / "rows.jsonl"
        assert main(["data", "feedback", url, str(output)]) == 0
        assert json.loads(output.read_text("utf-8")) == {"text": "好", "label": "pos"}
        assert (
            capsys.readouterr().out == f"wrote {output}; rows: 1; replaced by later corrections of the same input: 1\n"
        )
        assert main(["convert", str(output), str(tmp_path / "doccano.jsonl"), "--to", "doccano"]) == 0
        assert main(["data", "feedback", url, str(output)]) == 2
        assert "already there" in capsys.readouterr().err

    def test_nothing_to_export(self, tmp_path, capsys):
        url = f"sqlite:///{tmp_path / 'some.db'}"
        assert main(["data", "feedback", url, str(tmp_path / "rows.jsonl")]) == 2
        assert "some.db: no such file; expected the database" in capsys.readouterr().err
        FeedbackStore.open(url)
        assert main(["data", "feedback", url, str(tmp_path / "rows.jsonl")]) == 2
        assert "no such corrections; there are some of the models: none" in capsys.readouterr().err
        assert main(["data", "feedback", url, str(tmp_path / "rows.xlsx")]) == 2
        assert "the ending '.xlsx' says no format; take one of" in capsys.readouterr().err
