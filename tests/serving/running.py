"""A `weitiao serve` as a process of its own, for tests that ask it over loopback."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Asked = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """A running `weitiao serve`; `said` grows with what it writes to stderr."""

    process: subprocess.Popen[str]
    port: int
    said: list[str] = field(default_factory=list)

    def whole(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Asked:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, headers or {})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        status, _headers, answer = self.whole(method, path, body, headers)
        return status, answer

    def predict(self, body: object, model: str = "reviews", query: str = "") -> tuple[int, dict[str, Any]]:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer = self.ask("POST", f"/v1/predict/{model}{query}", raw)
        return status, json.loads(answer)

    def raw(self, sent: bytes, *, seconds: float = 20) -> bytes:
        """What comes back for bytes as they are, until the server hangs up or has answered once."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(sent)
            got = b""
            while chunk := connection.recv(65536):
                got += chunk
                head, _blank, body = got.partition(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: (\d+)", head)
                if length and len(body) >= int(length[1]):
                    return head + b"\r\n\r\n" + body[: int(length[1])]
            return got

    def metric(self, name: str) -> float:
        """The sum over all labels of a metric."""
        _status, text = self.ask("GET", "/metrics")
        return sum(float(value) for value in re.findall(rf"(?m)^{name}(?:{{[^}}]*}})? (\S+)$", text.decode()))

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return sorted(int(each) for path in children for each in path.read_text().split())


@contextmanager
def running(*runs: Path, options: tuple[str, ...] = (), expected: int | None = 0) -> Iterator[Server]:
    """A server on these runs; it is told to end at the end, and has to leave with `expected` (None: whatever)."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "LANGUAGE": "en"}
    workers = () if any("--workers" in each for each in options) else ("--workers", "1")
    engine = () if any("--engine" in each for each in options) else ("--engine", "torch")  # to export takes seconds
    command = [sys.executable, "-m", "weitiao", "serve", *map(str, runs), "--port", "0", *workers, *engine, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        server = Server(process, 0)
        try:
            for line in process.stderr:
                server.said.append(line)
                if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                    server.port = int(found[1])
                    break
            assert server.port, "".join(server.said)
            reader = threading.Thread(target=lambda: server.said.extend(process.stderr or ()), daemon=True)
            reader.start()
            yield server
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=30)
            reader.join(10)
            assert expected is None or code == expected, "".join(server.said)
            assert "Traceback" not in "".join(server.said)
        finally:
            process.kill()
