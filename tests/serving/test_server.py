"""The server as a process of its own on loopback, asked well and badly."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from pathlib import Path

import pytest

from tests.serving.running import Server
from weitiao.errors import Refused
from weitiao.serving.body import characters_in
from weitiao.serving.desk import Desk, Limits
from weitiao.serving.predictor import Predictor
from weitiao.serving.server import ServerOptions, _listen, serve


def test_one_record_or_several(server: Server) -> None:
    status, one = server.predict({"text": "很好"})
    assert status == 200
    status, several = server.predict([{"text": "很好"}, {"text": "dull"}])
    assert status == 200
    assert several["model"] == "reviews"
    (alone,), together = one["predictions"], several["predictions"][0]  # type: ignore[index]
    assert alone["labels"] == together["labels"]
    assert alone["scores"] == pytest.approx(together["scores"], abs=1e-6)  # a batch may round otherwise
    assert set(several["predictions"][1]) == {"labels", "confidence", "scores", "abstained"}  # type: ignore[index]


def test_texts_that_are_read_in_part_are_told(server: Server) -> None:
    _status, answer = server.predict([{"text": "fine"}, {"text": "fine " * 80}])
    assert answer["truncated"] == [1]
    described = json.loads(server.ask("GET", "/openapi.json")[1])["components"]["schemas"]["ClassifyPredictions"]
    assert set(described["required"]) == set(answer)


def test_it_answers_as_the_predictor_does(server: Server, finished_run: Path) -> None:
    predictor = Predictor.load(finished_run)
    expected = predictor.predict(predictor.records(["fine", "a lazy dog"]))
    _status, answer = server.predict([{"text": "fine"}, {"text": "a lazy dog"}])
    for got, each in zip(answer["predictions"], expected, strict=True):  # type: ignore[call-overload]
        assert got["labels"] == list(each.labels)
        assert got["scores"] == pytest.approx(each.scores, abs=1e-6)


def test_health_and_models(server: Server) -> None:
    assert json.loads(server.ask("GET", "/health")[1]) == {"status": "ok", "models": ["reviews", "vectors"]}
    assert json.loads(server.ask("GET", "/health/live")[1]) == {"status": "ok"}
    assert json.loads(server.ask("GET", "/health/ready")[1]) == {"status": "ready"}
    reviews, _vectors = json.loads(server.ask("GET", "/v1/models")[1])["models"]
    assert re.fullmatch("[0-9a-f]{12}", reviews.pop("version"))
    assert reviews == {
        "name": "reviews", "task": "classify", "labels": ["neg", "pos"], "fields": None, "max_length": 64
    }  # fmt: skip


def test_the_description_is_typed_by_the_task(server: Server) -> None:
    description = json.loads(server.ask("GET", "/openapi.json")[1])
    entry = description["paths"]["/v1/predict/reviews"]["post"]
    one, several, named = entry["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert one["title"] == "ClassifyRecord"
    assert list(one["properties"]) == ["text", "text_pair"] and one["required"] == ["text"]
    assert several["items"] == one
    assert named["properties"]["records"] == several
    assert set(named["properties"]) == {"records", "top_k", "probabilities", "thresholds"}
    assert "ClassifyPrediction" in description["components"]["schemas"]
    assert set(entry["responses"]) == {
        "200", "400", "401", "403", "404", "405", "408", "413", "415", "422", "429", "503"
    }  # fmt: skip


def test_records_may_come_under_their_name(server: Server) -> None:
    records = [{"text": "fine"}, {"text": "a lazy dog"}]
    bare, named = (
        json.loads(server.ask("POST", "/v1/predict/reviews", json.dumps(body).encode())[1])
        for body in (records, {"records": records})
    )
    assert len(named["predictions"]) == 2
    assert named == bare


def test_the_documentation_page_asks_no_other_host(server: Server) -> None:
    status, page = server.ask("GET", "/docs")
    assert status == 200
    assert b"/v1/predict/reviews" in page
    assert b"<script" not in page
    assert re.findall(rb"(?:src|href)=.https?://", page) == []


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (
            b"{",
            400,
            "the body is not valid JSON: Expecting property name enclosed in double quotes at line 1, column 2",
        ),
        (b"", 400, "the body is not valid JSON: Expecting value at line 1, column 1"),
        (b'{"text": "\xff"}', 400, "the body is not UTF-8 (byte 10)"),
        (b"[" * 100_000, 400, "the body is JSON that cannot be read here: nested too deep or too long a number"),
        (b"9" * 5000, 400, "the body is JSON that cannot be read here: nested too deep or too long a number"),
        ([], 422, "no records to predict"),
        ("text", 422, 'record 1: expected an object such as {"text": "..."}'),
        (None, 422, 'record 1: expected an object such as {"text": "..."}'),
        ([{"text": "a"}, 5], 422, 'record 2: expected an object such as {"text": "..."}'),
        ({"text": 5}, 422, "record 1: `text`: expected text"),
        ({"text": None}, 422, "record 1: `text`: expected text"),
        ({"txt": "a"}, 422, "record 1: `text`: it is missing"),
        ({"text": "a", "tone": "b"}, 422, "record 1: `tone`: no such field"),
        ({"text": " \n"}, 422, "record 1: empty text"),
        ({"text": "\ud83d"}, 422, "record 1: a text with half of a surrogate pair, which is not a character"),
        ({"text": "a", "line": -1}, 422, "record 1: `line`: expected at least 0"),
        ({"records": [{"text": "a"}], "more": 1}, 422, "`more`: no such field"),
        (
            {"text": "a", "top_k": 2},
            422,
            'record 1: `top_k`: no field of a record; it stands beside `records`: {"records": [...], "top_k": ...}',
        ),
        ({"records": [{"text": "a"}], "top_k": 0}, 422, "`top_k`: expected at least 1"),
        ({"records": [{"text": "a"}], "thresholds": {"pos": 0.5}}, 422, "`thresholds`: this model has none"),
        ([{"text": "a"}] * 257, 413, "257 records in one request; at most 256 are answered"),
        ({"text": "a" * 20_001}, 413, "record 1: `text` has 20001 characters; at most 20000 are answered"),
        (b" " * (4 * 1024 * 1024 + 1), 413, "the body is larger than 4194304 bytes"),
    ],
)
def test_bad_input_is_answered_with_a_reason(server: Server, body: object, status: int, reason: str) -> None:
    assert server.predict(body) == (status, {"detail": reason})


def test_all_characters_of_a_value_count() -> None:
    assert characters_in(["ab", {"text": "cde", "number": 5}, None]) == 5


def test_a_body_that_hides_its_length_is_cut_off(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    chunks = (b" " * 65536 for _each in range(80))
    try:
        connection.request(
            "POST", "/v1/predict/reviews", chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
        )
        assert connection.getresponse().status == 413
    except BrokenPipeError:  # refused before all was sent: as good an answer
        pass
    finally:
        connection.close()
    assert server.ask("GET", "/health")[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("POST", "/v1/predict/review", 404, "unknown model 'review'; did you mean 'reviews'?"),
        ("POST", "/v1/predict/%E8%AF%84", 404, "unknown model '评'; expected one of: reviews, vectors"),
        ("GET", "/v1/predict/reviews", 405, "/v1/predict/reviews does not take GET; see /docs"),
        ("GET", "/nowhere", 404, "no such page: /nowhere; see /docs"),
        ("GET", "/../../etc/passwd", 404, "no such page: /../../etc/passwd; see /docs"),
    ],
)
def test_wrong_addresses(server: Server, method: str, path: str, status: int, reason: str) -> None:
    got, answer = server.ask(method, path, "{}" if method == "POST" else None)
    assert (got, json.loads(answer)) == (status, {"detail": reason})


def test_probabilities_as_they_are_wanted(server: Server) -> None:
    (whole,) = server.predict({"text": "fine"})[1]["predictions"]
    (best,) = server.predict({"records": [{"text": "fine"}], "top_k": 1})[1]["predictions"]
    assert best["scores"] == {whole["labels"][0]: pytest.approx(max(whole["scores"].values()), abs=1e-6)}
    (none,) = server.predict({"text": "fine"}, query="?probabilities=false")[1]["predictions"]
    assert none["scores"] == {} and none["labels"] == whole["labels"]
    status, answer = server.predict({"text": "fine"}, query="?topk=1")
    assert (status, answer["detail"]) == (422, "no option 'topk' in the address; expected: top_k, probabilities")


def test_what_cannot_be_answered_in_time_is_refused_at_the_door(server: Server) -> None:
    server.predict([{"text": "fine " * 60}] * 64)  # 64 texts of 62 tokens: whole batches, by which the speed is known
    body = json.dumps([{"text": "fine " * 60}] * 256)
    status, headers, answer = server.whole("POST", "/v1/predict/reviews", body, {"X-Timeout-Ms": "1"})
    assert status == 429
    assert int(headers["retry-after"]) >= 1
    assert b"and the request allows 0.0 s" in answer


def test_metrics_tell_of_batches_queue_and_errors(server: Server) -> None:
    server.predict({"text": "fine"})
    server.predict(b"{")
    assert server.metric("weitiao_tokens_total") > 0
    assert server.metric("weitiao_batch_records_count") > 0
    assert server.metric("weitiao_errors_total") > 0
    assert server.metric("weitiao_queue_tokens") == 0
    assert server.metric("weitiao_stations") == 1


def test_the_log_has_requests_and_no_texts(server: Server) -> None:
    number = server.whole("POST", "/v1/predict/reviews", '{"text": "a secret"}')[1]["x-request-id"]
    line: dict[str, object] = {}
    for _wait in range(100):
        lines = [json.loads(each) for each in list(server.said) if each.startswith("{")]
        if found := [each for each in lines if each.get("id") == number]:
            (line,) = found
            break
        threading.Event().wait(0.05)
    assert (line["model"], line["records"], line["status"]) == ("reviews", 1, 200)
    assert "secret" not in "".join(server.said)


def test_many_at_once_get_their_own_answers(server: Server) -> None:
    texts = [f"text number {number} " * (number + 1) for number in range(12)]
    answers: dict[str, object] = {}

    def ask(text: str) -> None:
        answers[text] = server.predict({"text": text})[1]["predictions"]

    threads = [threading.Thread(target=ask, args=(text,)) for text in texts]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for text in texts:
        (together,), (alone,) = answers[text], server.predict({"text": text})[1]["predictions"]  # type: ignore[misc]
        assert together["labels"] == alone["labels"]
        assert together["scores"] == pytest.approx(alone["scores"], abs=1e-5)


def test_a_used_port_is_refused_before_a_model_is_loaded(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        serve([tmp_path], ServerOptions(port=server.port))
    assert (
        str(refused.value)
        == f"cannot listen on 127.0.0.1:{server.port} (Address already in use); choose another --port"
    )


def test_a_port_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        serve([tmp_path], ServerOptions(port=70_000))
    assert str(refused.value) == "cannot listen on 127.0.0.1:70000 (ports go from 0 to 65535); choose another --port"


def test_an_answer_does_not_wait_for_the_clients_acknowledgement() -> None:
    with _listen("127.0.0.1", 0) as listening:
        address = listening.getsockname()
        with pytest.raises(ConnectionRefusedError):  # nobody is heard before the models are loaded
            socket.create_connection(address)
        listening.listen()
        with socket.create_connection(address):
            accepted, _address = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_two_runs_of_one_name_are_refused(finished_run: Path) -> None:
    predictor = Predictor.load(finished_run)
    with pytest.raises(Refused, match="two runs are named 'reviews'"):
        Desk([predictor, predictor], Limits())
