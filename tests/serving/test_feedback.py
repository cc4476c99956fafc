"""Corrections: kept in SQLite and PostgreSQL alike, counted, exported, and taken over HTTP, asked well and badly."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.serving import postgres
from weitiao.errors import Refused, Unreachable
from weitiao.serving.feedback.store import Feedback, FeedbackStore

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
