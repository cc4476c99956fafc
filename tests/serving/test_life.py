"""A server's life under load: told to end, a worker killed, models swapped and rolled back; nothing taken is lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.serving.running import Server, running
from weitiao.cli import main
from weitiao.errors import Refused
from weitiao.serving import keys
from weitiao.serving.predictor import Predictor
from weitiao.serving.promotion import promote, roll_back
from weitiao.serving.server import ServerOptions, serve

TEXTS = [f"text number {number} " * (1 + number % 9) for number in range(40)]


class Load:
    """Clients that ask one after the other, each on connections of its own; counts what they got."""

    def __init__(self, server: Server, clients: int = 6) -> None:
        self.statuses: Counter[object] = Counter()
        self.versions: Counter[str] = Counter()
        self.answers: dict[str, dict[str, float]] = {}
        self.retries: set[str] = set()
        self._server, self._over = server, threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def _ask(self, number: int) -> None:
        while not self._over.is_set():
            number += 1
            text = TEXTS[number % len(TEXTS)]
            try:
                status, headers, body = self._server.whole("POST", "/v1/predict/reviews", json.dumps({"text": text}))
            except OSError as error:  # the listener is closed
                self.statuses[type(error).__name__] += 1
                return
            self.statuses[status] += 1
            if status == 200:
                answer = json.loads(body)
                self.versions[answer["version"]] += 1
                self.answers[text] = answer["predictions"][0]["scores"]
            else:
                self.retries.add(headers.get("retry-after", "missing"))

    @contextmanager
    def running(self) -> Iterator[Load]:
        for each in self._threads:
            each.start()
        try:
            yield self
        finally:
            self._over.set()
            for each in self._threads:
                each.join(60)

    def wait(self, count: int) -> None:
        """Until so many more are answered."""
        wanted = sum(self.statuses.values()) + count
        until(lambda: sum(self.statuses.values()) >= wanted)


def until(true: object, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
def test_workers_share_their_weights_and_one_that_is_killed_is_replaced(finished_run: Path) -> None:
    with running(finished_run, options=("--workers", "2")) as server:
        before = server.workers()
        assert len(before) == 2
        assert not mapped(server.process.pid, "libtorch_cpu.so")  # the server itself reads and encodes only
        weights = [mapped(worker, "model.safetensors") for worker in before]
        for each in weights:
            assert each["Rss"] > 0
            assert each["Private_Dirty"] == 0  # nobody has written to the map, so there is no copy of it
            assert each["Pss"] < each["Rss"]  # pages that others have too count in part only
        with Load(server).running() as load:
            load.wait(50)
            os.kill(before[0], signal.SIGKILL)
            load.wait(50)
            until(lambda: len(server.workers()) == 2 and before[0] not in server.workers())
            until(lambda: server.metric("weitiao_stations") == 2)
            load.wait(50)
        assert set(load.statuses) <= {200, 503}
        assert load.statuses[503] <= 6  # what it had, of six clients at most one request each
        assert load.retries <= {"1"}
        predictor = Predictor.load(finished_run)
        for text, scores in load.answers.items():
            assert scores == pytest.approx(predictor.predict([text])[0].scores, abs=1e-5)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_worker_that_cannot_be_started_again_holds_nobody_up(made_run: Path) -> None:
    with running(made_run, options=("--deadline", "2")) as server:
        (made_run / "model" / "model.safetensors").rename(made_run / "gone")
        os.kill(server.workers()[0], signal.SIGKILL)
        until(lambda: server.ask("GET", "/health/ready")[0] == 503)
        status, headers, body = server.whole("POST", "/v1/predict/reviews", json.dumps({"text": "a"}))
        assert (status, headers["retry-after"]) == (503, "1")
        assert json.loads(body) == {"detail": "no worker is up; send the request again"}
        assert server.ask("GET", "/health/live")[0] == 200
        (made_run / "gone").rename(made_run / "model" / "model.safetensors")
        until(lambda: server.ask("GET", "/health/ready")[0] == 200)
        assert server.predict({"text": "a"})[0] == 200


@pytest.mark.slow
def test_a_worker_that_hangs_is_waited_for_until_the_deadline_and_health_is_told_meanwhile(
    finished_run: Path, tmp_path: Path
) -> None:
    said = json.dumps({"model": "reviews", "fields": {"text": "a"}, "correction": {"label": "pos"}})
    with running(finished_run, options=("--deadline", "8", "--feedback", str(tmp_path / "kept.db"))) as server:
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        statuses: Counter[int] = Counter()
        correct = lambda: statuses.update([server.ask("POST", "/v1/feedback", said)[0]])  # noqa: E731
        asking = [threading.Thread(target=correct) for _each in range(50)]  # more than there are threads
        for each in asking:
            each.start()
        until(lambda: server.ask("GET", "/health/live")[0] == 200 and server.metric("weitiao_requests_in_flight") > 50)
        assert not statuses
        status, answer = server.predict({"text": "a"})
        assert (status, answer) == (503, {"detail": "the answer was not ready in the time that the request allows"})
        for each in asking:
            each.join(60)
        assert statuses == {503: 50}


def mapped(process: int, name: str) -> Counter[str]:
    """kB of a process's maps of a file, by what /proc/PID/smaps calls them."""
    found: Counter[str] = Counter()
    inside = False
    for line in Path(f"/proc/{process}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = line.endswith(name)
        elif inside and (figure := re.match(r"(\w+): +(\d+) kB", line)):
            found[figure[1]] += int(figure[2])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "onnx"])
def test_the_engine_that_answers_is_told_and_answers_as_torch(finished_run: Path, engine: str) -> None:
    with running(finished_run, options=("--engine", engine)) as server:
        (told,) = [line for line in server.said if line.startswith("reviews: ")]
        assert "answers" in told if engine == "auto" else told == "reviews: ONNX Runtime answers, as asked\n"
        _status, answer = server.predict([{"text": text} for text in TEXTS])
    plain = Predictor.load(finished_run).predict(TEXTS)
    for mine, theirs in zip(answer["predictions"], plain, strict=True):
        assert tuple(mine["labels"]) == theirs.labels
        assert mine["scores"] == pytest.approx(theirs.scores, abs=1e-5)


@pytest.mark.slow
def test_told_to_end_under_load_it_answers_what_it_took(finished_run: Path) -> None:
    with running(finished_run) as server:
        with Load(server, 8).running() as load:
            load.wait(60)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
        assert load.statuses[200] >= 60
        assert set(load.statuses) <= {200, 503, "ConnectionRefusedError", "ConnectionResetError"}
        assert load.retries <= {"5"}
        logged = [json.loads(line) for line in server.said if line.startswith("{")]
        assert sum(each.get("status") == 200 for each in logged) >= load.statuses[200]
        assert not [each for each in logged if each.get("status") not in (200, 503)]


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once(finished_run: Path) -> None:
    with running(finished_run, expected=None) as server:
        body = json.dumps([{"text": "long " * 60}] * 256)
        asking = [threading.Thread(target=lambda: swallow(server, body)) for _each in range(8)]
        for each in asking:
            each.start()
        until(lambda: server.metric("weitiao_requests_in_flight") >= 5)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) in (0, 130)
        for each in asking:
            each.join(30)


def swallow(server: Server, body: str) -> None:
    try:
        server.ask("POST", "/v1/predict/reviews", body)
    except (OSError, ValueError):
        pass
    except Exception:
        pass


@pytest.mark.slow
def test_a_promoted_run_is_swapped_in_and_back_under_load(made_run: Path) -> None:
    import torch

    from weitiao.models.network import load as load_network

    other = Path(shutil.copytree(made_run, made_run.with_name("learnt")))
    network = load_network(other / "model")
    with torch.no_grad():
        for parameter in network.head.parameters():
            parameter.mul_(-1.0)
    network.save(other / "model")
    with running(made_run) as server:
        with Load(server).running() as load:
            load.wait(30)
            (first,) = load.versions
            promote(made_run, other)
            until(lambda: len(load.versions) == 2)
            load.wait(30)
            roll_back(made_run)
            swaps = load.versions[first]
            until(lambda: load.versions[first] > swaps + 20)
        assert set(load.statuses) == {200}
        assert server.metric("weitiao_swaps_total") == 2


@pytest.mark.slow
def test_with_keys_others_are_refused_and_each_has_its_rate(finished_run: Path, tmp_path: Path) -> None:
    path, log = tmp_path / "keys.json", tmp_path / "access.jsonl"
    key = keys.add(path, "shop", per_minute=2)
    options = (
        "--keys",
        str(path),
        "--cors",
        "https://shop.example",
        "--log",
        str(log),
        "--log-texts",
        "--workers",
        "0",
    )
    body = json.dumps({"text": "a secret"})
    with running(finished_run, options=options) as server:
        ask = lambda **headers: server.whole("POST", "/v1/predict/reviews", body, headers)  # noqa: E731
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {key}"}, {"X-API-Key": ""}):
            status, answered, reason = ask(**headers)
            assert (status, answered["www-authenticate"]) == (401, "Bearer")
            assert json.loads(reason) == {"detail": "a key is needed, as in: Authorization: Bearer KEY"}
        assert server.ask("GET", "/metrics")[0] == 401
        assert server.ask("GET", "/health/ready")[0] == 200
        assert ask(Authorization=f"Bearer {key}")[0] == 200
        allowed = ask(**{"X-API-Key": key, "Origin": "https://shop.example"})
        assert (allowed[0], allowed[1]["access-control-allow-origin"]) == (200, "https://shop.example")
        status, headers, reason = ask(Authorization=f"Bearer {key}")
        assert (status, json.loads(reason)) == (429, {"detail": "this key may ask 2 times a minute"})
        assert 1 <= int(headers["retry-after"]) <= 30
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert {"text": "a secret"} in [text for line in lines for text in line.get("texts", ())]
    assert {line["key"] for line in lines if line.get("status") == 200 and "key" in line} == {"shop"}
    assert key not in log.read_text("utf-8")


def test_beyond_loopback_keys_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Refused, match=r"0\.0\.0\.0 can be reached by other machines, and no key would be asked for"):
        serve([tmp_path], ServerOptions(host="0.0.0.0", port=0))
    assert main(["serve", str(tmp_path), "--workers", "-1"]) == 2
    assert main(["serve", str(tmp_path), "--deadline", "0"]) == 2
    assert main(["serve", str(tmp_path), "--engine", "tensorrt"]) == 2
