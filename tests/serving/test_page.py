"""The page's files, texts and forms, without a browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import weitiao
from tests.serving import kinds
from tests.serving.whole import whole
from weitiao.messages import language
from weitiao.serving.feedback.store import FeedbackStore
from weitiao.serving.page.api import FILES, FOLDER, OPEN_PATHS
from weitiao.serving.page.forms import KINDS
from weitiao.serving.page.texts import texts
from weitiao.tasks import TASKS


@pytest.fixture(scope="module")
def client(runs: Path) -> TestClient:
    return TestClient(whole([weitiao.load(runs / task) for task in kinds.ROWS])[0])


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in FILES), "/page/models.json", "/page/texts.json"])
def test_nothing_comes_from_elsewhere_and_nothing_runs_inline(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
    assert "unsafe" not in policy and answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", answer.text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|innerHTML|eval\(", answer.text)


def test_every_file_is_served_and_no_other(client):
    there = {path.name for path in FOLDER.iterdir() if path.suffix in {".js", ".css"}}
    assert there == set(FILES)
    assert client.get("/page/api.py").status_code == client.get("/page/../api.py").status_code == 404


def test_the_page_stays_out_of_the_description(client):
    assert not [path for path in client.get("/openapi.json").json()["paths"] if path == "/" or path.startswith("/page")]


def used() -> set[str]:
    """Keys of the texts that the page's files ask for."""
    code = "".join((FOLDER / name).read_text("utf-8") for name in FILES if name.endswith(".js"))
    found = set(re.findall(r"""\bsay\(\s*"(\w+)""", code)) | set(re.findall(r'data-text="(\w+)"', _index()))
    found |= {key for each in re.findall(r"""\bsay\([^()]*\?\s*"(\w+)"\s*:\s*"(\w+)\"""", code) for key in each}
    found |= set(re.findall(r"""busy\([^,]+(?:\([^)]*\))?, "(\w+)\"""", code))
    return found | {"word", "part", "head", "relation"}


def _index() -> str:
    return (FOLDER / "index.html").read_text("utf-8")


MADE = re.compile(r"^(field|measure|state)_")  # keys that the page puts together


def test_every_text_is_used_and_every_used_one_is_there():
    there = set(texts())
    assert used() - there == set()
    assert {key for key in there - used() if not MADE.match(key)} == set()


def test_texts_are_of_the_language_asked_for(client):
    said = client.get("/page/texts.json").json()
    assert set(said) == {"en", "zh_CN"} and said["en"]["ask"] == "Answer"
    with language("zh_CN"):
        assert said["zh_CN"] == texts()


def test_a_form_of_every_task(client, runs):
    found = {each["name"]: each for each in client.get("/page/models.json").json()["models"]}
    fields = {name: [each["name"] for each in form["fields"]] for name, form in found.items()}
    assert fields == {
        "answer": ["question", "text"], "classify": ["text", "text_pair"], "embed": ["text", "text_pair"],
        "event": ["text"], "intent_slot": ["text"], "parse": ["text"], "rank": ["query", "text"],
        "regress": ["text", "text_pair"], "relate": ["text", "head", "tail"], "span": ["text"], "tag": ["text"],
    }  # fmt: skip
    assert found["intent_slot"]["labels"] == {"intent": ["flight", "price"], "slot": ["city"]}
    assert found["parse"]["labels"] == {"deprel": ["amod", "root"], "upos": ["ADJ", "NOUN"]}
    assert (found["relate"]["answer"], found["classify"]["answer"], found["rank"]["answer"]) == (
        "relation", "label", "label",
    )  # fmt: skip


def test_a_model_of_pairs_asks_for_both(runs):
    from dataclasses import replace

    predictor = replace(weitiao.load(runs / "classify"), fields=frozenset({"text", "text_pair"}))
    form = TestClient(whole([predictor])[0]).get("/page/models.json").json()["models"][0]
    assert [each["needed"] for each in form["fields"]] == [True, True]
    single = replace(predictor, fields=frozenset({"text"}))
    form = TestClient(whole([single])[0]).get("/page/models.json").json()["models"][0]
    assert form["fields"] == [{"name": "text", "needed": True}]


def test_every_kind_of_answer_has_a_form():
    assert {TASKS[name].prediction for name in TASKS} <= set(KINDS)


def test_feedback_is_told(client, runs, tmp_path):
    assert client.get("/page/models.json").json()["feedback"] is False
    store = FeedbackStore.open(tmp_path / "a.db")
    other = TestClient(whole([weitiao.load(runs / "tag")], store)[0])
    assert other.get("/page/models.json").json()["feedback"] is True


def test_what_needs_no_key_says_nothing_of_the_models(client):
    for path in OPEN_PATHS:
        assert "classify" not in client.get(path).text
