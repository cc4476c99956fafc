"""Requests that nobody should send, on the real server: each is answered with a status that the documentation has."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.serving.running import Server

PATH = "/v1/predict/reviews"
DOCUMENTED = {400, 401, 403, 404, 405, 408, 413, 415, 422, 429}


def deep(depth: int) -> bytes:
    return b'{"text": ' + b"[" * depth + b"]" * depth + b"}"


BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "a blank": (b" \n", 400),
    "NUL": (b"\0", 400),
    "NUL in a text": (b'{"text": "a\0b"}', 400),
    "control characters in a text": (b'{"text": "a\x01b"}', 400),
    "a byte order mark": (b'\xef\xbb\xbf{"text": "a"}', 400),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), 400),
    "broken UTF-8": (b'{"text": "\xc3("}', 400),
    "surrogates in UTF-8": (b'{"text": "\xed\xa0\xbd"}', 400),
    "half a pair": (b'{"text": "\\ud83d"}', 422),
    "a pair the wrong way round": (b'{"text": "\\ude00\\ud83d"}', 422),
    "NaN": (b'{"text": NaN}', 400),
    "Infinity": (b"[Infinity, -Infinity]", 400),
    "a number of five thousand digits": (b'{"line": ' + b"9" * 5000 + b', "text": "a"}', 400),
    "an exponent beyond all": (b'{"text": 1e999999}', 422),
    "a key twice": (b'{"text": "a", "text": "b"}', 400),
    "a hundred thousand brackets": (deep(100_000), 400),
    "two hundred brackets": (deep(200), 422),
    "an open string": (b'{"text": "a', 400),
    "more behind the end": (b'{"text": "a"} {"text": "b"}', 400),
    "Python": (b"{'text': 'a'}", 400),
    "a pickle": (b"\x80\x04\x95\x1c\x00\x00\x00.", 400),
    "XML": (b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', 400),
    "a number": (b"5", 422),
    "null": (b"null", 422),
    "a list of lists": (b"[[]]", 422),
    "an empty list": (b"[]", 422),
    "an empty object": (b"{}", 422),
    "records of another type": (b'{"records": "a"}', 422),
    "records in records": (b'{"records": {"records": []}}', 422),
    "true as a text": (b'{"text": true}', 422),
    "an object as a text": (b'{"text": {"$gt": ""}}', 422),
    "a field of Python's": (b'{"text": "a", "__class__": "b"}', 422),
    "a negative line": (b'{"text": "a", "line": -5}', 422),
    "a text of blanks": (b'{"text": "\\u3000\\t"}', 422),
    "a very long key": (b'{"' + b"k" * 100_000 + b'": 1}', 422),
    "a key of control characters": (b'{"text": "a", "\\u0000\\u001b[31m": 1}', 422),
    "a text beyond the limit": (json.dumps({"text": "a" * 20_001}).encode(), 413),
    "records beyond the limit": (json.dumps([{"text": "a"}] * 300).encode(), 413),
    "a body beyond the limit": (b" " * (4 * 1024 * 1024 + 1), 413),
    "top_k of another type": (b'{"records": [{"text": "a"}], "top_k": "1; DROP TABLE"}', 422),
    "thresholds that are none": (b'{"records": [{"text": "a"}], "thresholds": {"pos": null}}', 422),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_body(server: Server, name: str) -> None:
    body, status = BODIES[name]
    refused_properly(server.raw(post(body)), status)


def post(body: bytes, path: str = PATH, head: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode() + body


def refused_properly(answer: bytes, status: int) -> None:
    """One sentence in JSON, with nothing of the machine in it."""
    head, _blank, body = answer.partition(b"\r\n\r\n")
    assert status in DOCUMENTED
    assert head.split(b" ")[1] == str(status).encode(), answer[:300]
    (reason,) = json.loads(body).values()
    assert 0 < len(reason) < 400
    assert "\n" not in reason and "Traceback" not in reason and ".py" not in reason and "/tmp" not in reason


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        ("Content-Encoding: gzip\r\n", gzip.compress(b" " * 10_000_000), 415),
        ("Content-Encoding: br, gzip\r\n", b"{}", 415),
        ("Content-Type: text/plain\r\n", b'{"text": "a"}', 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n", b"text=a", 400),
        ("Content-Type: multipart/form-data; boundary=x\r\n", b"--x--", 415),
        ("Origin: https://elsewhere.example\r\n", b'{"text": "a"}', 403),
        ("Origin: null\r\n", b'{"text": "a"}', 403),
        ("Origin: http://[\r\n", b'{"text": "a"}', 403),
        ("X-Timeout-Ms: soon\r\n", b'{"text": "a"}', 422),
        ("X-Timeout-Ms: -5\r\n", b'{"text": "a"}', 422),
        ("X-Timeout-Ms: 99999999999999999999\r\n", b'{"text": "a"}', 422),
        ("X-Long: " + "a" * 70_000 + "\r\n", b'{"text": "a"}', 400),
        ("X-Many: a\r\n" * 5000, b'{"text": "a"}', 400),
    ],
)
def test_a_head(server: Server, head: str, body: bytes, status: int) -> None:
    refused_properly(server.raw(post(body, head=head)), status)


@pytest.mark.parametrize("host", ["shop.example", "localhost.shop.example", "10.0.0.1:8000", "0", "[", "a b", "@"])
def test_a_page_whose_name_was_made_to_lead_here(server: Server, host: str) -> None:
    head = f"Origin: http://{host}\r\nHost: {host}".encode()
    refused_properly(server.raw(post(b'{"text": "a"}').replace(b"Host: localhost", head)), 403)


@pytest.mark.parametrize("host", ["localhost:8000", "LOCALHOST", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:8000"])
def test_the_names_of_this_machine(server: Server, host: str) -> None:
    answer = server.raw(post(b'{"text": "a"}').replace(b"Host: localhost", b"Host: " + host.encode()))
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/predict/../../etc/passwd", 404),
        ("/v1/predict/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("/v1/predict/..%5c..%5cwindows", 404),
        ("/v1/predict/%00", 404),
        ("/v1/predict/%ff%fe", 404),
        ("/v1/predict/" + "a" * 8000, 404),
        ("/v1/predict/reviews%0d%0aX-Injected:%20yes", 404),
        ("/v1/predict/{model}", 404),
        ("/v1/predict/reviews/", 404),
        ("/v1/predict/", 404),
        ("//v1/predict/reviews", 404),
        ("/v1/predict/reviews?top_k=-1", 422),
        ("/v1/predict/reviews?top_k=%E0%A4%A", 422),
        ("/v1/predict/reviews?" + "&".join(f"a{each}=b" for each in range(500)), 422),
        ("*", 404),
    ],
)
def test_an_address(server: Server, path: str, status: int) -> None:
    answer = server.raw(post(b'{"text": "a"}', path=path))
    assert b"X-Injected" not in answer.partition(b"\r\n\r\n")[0]
    refused_properly(answer, status)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "CONNECT"])
def test_a_method(server: Server, method: str) -> None:
    refused_properly(server.raw(f"{method} {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()), 405)


@pytest.mark.parametrize(
    "sent",
    [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\n\r\n",  # no host
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request(server: Server, sent: bytes) -> None:
    server_said = server.raw(sent + b"\r\n\r\n")
    if server_said:  # an unreadable body of a request that is being read: the connection ends
        refused_properly(server_said, int(server_said.split(b" ")[1]))


def test_a_head_that_is_longer_than_any(server: Server) -> None:
    """It is refused before it ends: nothing is kept of what has no end."""
    refused_properly(server.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Many: a\r\n" * 5000), 400)


def test_a_body_that_breaks_in_the_middle(server: Server) -> None:
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    refused_properly(server.raw(head + b'9\r\n{"text": \r\nno number\r\n'), 400)


@pytest.mark.parametrize("wanted", ["h2c", "websocket", "TLS/1.0"])
def test_another_protocol_is_not_spoken(server: Server, wanted: str) -> None:
    """What asks for one is answered in HTTP/1.1, as RFC 9110 (section 7.8) allows."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        hidden = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        asked = post(hidden, head=f"Connection: Upgrade, close\r\nUpgrade: {wanted}\r\n")
        connection.sendall(asked[: -len(hidden)])
        time.sleep(0.2)
        connection.sendall(hidden)
        assert re.findall(rb"HTTP/1.1 (\d+) ", rest(connection)) == [b"400"], "its body is no request of its own"
    answer = server.raw(post(b'{"text": "a"}', head=f"Connection: Upgrade\r\nUpgrade: {wanted}\r\n"))
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_requests_that_do_not_wait_for_answers(server: Server) -> None:
    """Pipelined: one connection, each answered, in order."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        last = post(b'{"text": "a"}', head="Connection: close\r\n")
        connection.sendall(post(b'{"text": "a"}') * 20 + post(b"nothing") + last)
        answers = rest(connection)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"200"] * 20 + [b"400", b"200"]


def test_what_is_no_request_behind_one_that_is(server: Server) -> None:
    """The first is answered all the same, and is not told that it was none."""
    for wrong in (b"no request\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(post(b'{"text": "a"}') * 2 + wrong)
            answers = rest(connection)
        assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"200", b"200", b"400"]


def test_trailers_are_no_headers(server: Server) -> None:
    head = post(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    trailers = b"X-Timeout-Ms: soon\r\nOrigin: https://elsewhere.example\r\nContent-Encoding: gzip\r\n\r\n"
    assert server.raw(head + b'd\r\n{"text": "a"}\r\n0\r\n' + trailers).startswith(b"HTTP/1.1 200 ")


def test_requests_without_end_from_a_client_that_reads_no_answer(server: Server) -> None:
    """They are not read ahead: the buffers of the connection fill, and not the server's memory."""
    before = resident(server)
    with socket.create_connection(("127.0.0.1", server.port), timeout=3) as connection, suppress(TimeoutError):
        for _each in range(10_000):
            connection.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
    assert resident(server) < before + 50


def resident(server: Server) -> float:
    """Memory of the server's own process, in MB."""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    return int(found) / 1024


def test_a_body_that_is_shorter_than_it_says(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(post(b'{"text"').replace(b"Length: 7", b"Length: 100"))
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(20)
        assert connection.recv(1000) == b""
    assert server.ask("GET", "/health")[0] == 200


def test_a_client_that_leaves_before_its_answer(server: Server) -> None:
    for _each in range(20):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
            connection.sendall(post(json.dumps([{"text": "a " * 60}] * 50).encode()))
    assert server.predict({"text": "fine"})[0] == 200


def rest(connection: socket.socket, got: bytes = b"") -> bytes:
    """All that comes until the other end hangs up."""
    connection.settimeout(60)
    while chunk := connection.recv(1000):
        got += chunk
    return got


@pytest.mark.slow
def test_slow_clients_are_hung_up_on_and_hold_up_nobody(server: Server) -> None:
    """A head that never ends, byte by byte, and connections that say nothing: 408 each; others are answered."""
    answers: list[bytes] = []

    def drip() -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=40) as connection:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
            connection.settimeout(1)
            while True:
                try:
                    connection.sendall(b"a")
                    answers.append(rest(connection, connection.recv(1000)))
                    return
                except TimeoutError:
                    continue

    silent = [socket.create_connection(("127.0.0.1", server.port), timeout=40) for _each in range(50)]
    dripping = [threading.Thread(target=drip) for _each in range(10)]
    for each in dripping:
        each.start()
    assert server.predict({"text": "fine"})[0] == 200
    for each in dripping:
        each.join(40)
    answers += [rest(each) for each in silent]
    for each in silent:
        each.close()
    assert len(answers) == 60
    for answer in answers:
        refused_properly(answer, 408)


def test_after_all_that_it_answers(server: Server) -> None:
    assert server.predict({"text": "fine"})[0] == 200
    assert server.metric("weitiao_requests_in_flight") == 1  # the one that asks
    assert not [line for line in server.said if '"fault"' in line]
